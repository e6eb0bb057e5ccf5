package s3

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ParseURL reads the address of a store,
//
//	s3://bucket/prefix?endpoint=127.0.0.1:9000&region=eu-1&tls=false&path-style=path&ca=/etc/ca.pem
//
// in which endpoint may stand several times and every parameter may be missing.
// Credentials have no place in it. No error repeats the text, or a part of it that
// could be a key.
func ParseURL(text string) (Config, error) {
	c, err := parseURL(text)
	if err != nil {
		return Config{}, fmt.Errorf("address of the bucket: %w", err)
	}
	return c, nil
}

func parseURL(text string) (Config, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Config{}, errors.New("it is no URL (credentials come from the environment or a file)")
	}
	switch {
	case u.Scheme != "s3" || u.Opaque != "":
		return Config{}, errors.New("it begins with s3://")
	case u.User != nil:
		return Config{}, errSecret
	case u.Fragment != "" || strings.Contains(text, "#"):
		return Config{}, errors.New("it has a #")
	case u.Port() != "" || strings.Contains(u.Host, ":"):
		return Config{}, errors.New("the bucket follows s3://; an endpoint is named by endpoint=")
	}
	c := Config{Bucket: u.Host, Prefix: strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/")}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, errors.New("the parameters are not name=value joined by &")
	}
	for name, values := range q {
		if err := c.set(name, values); err != nil {
			return Config{}, err
		}
	}
	return c, c.check()
}

var errSecret = errors.New("credentials do not belong in it: they come from the environment or a file")

// set takes one parameter into the configuration.
func (c *Config) set(name string, values []string) error {
	secret := slices.ContainsFunc([]string{"key", "secret", "token", "password", "cred", "user", "sig"}, func(s string) bool {
		return strings.Contains(strings.ToLower(name), s)
	})
	if secret {
		return errSecret
	}
	switch name {
	case "endpoint", "region", "tls", "path-style", "ca":
	default:
		return errors.New("the parameters are endpoint, region, tls, path-style and ca")
	}
	if len(values) > 1 && name != "endpoint" {
		return fmt.Errorf("%s stands there twice", name)
	}
	value := values[0]
	if value == "" {
		return fmt.Errorf("%s is empty", name)
	}
	switch name {
	case "endpoint":
		for _, e := range values {
			c.Endpoints = append(c.Endpoints, strings.ToLower(e))
		}
		if slices.Equal(c.Endpoints, []string{defaultEndpoint}) {
			c.Endpoints = nil
		}
		if slices.Contains(c.Endpoints, "") {
			return errors.New("endpoint is empty")
		}
	case "region":
		c.Region = value
	case "ca":
		c.CAFile = value
	case "tls":
		if value != "true" && value != "false" {
			return errors.New("tls is true or false")
		}
		c.Insecure = value == "false"
	case "path-style":
		if c.PathStyle = PathStyle(value); value == "auto" {
			c.PathStyle = PathAuto
		}
	}
	return nil
}

// String returns the URL that ParseURL reads as this place: the same for equal
// places, and without credentials.
func (c Config) String() string {
	var b strings.Builder
	b.WriteString("s3://" + c.Bucket)
	if c.Prefix != "" {
		b.WriteString("/" + c.Prefix)
	}
	sep := byte('?')
	add := func(name, value string) {
		b.WriteByte(sep)
		b.WriteString(name + "=" + readable.Replace(url.QueryEscape(value)))
		sep = '&'
	}
	if !slices.Equal(c.Endpoints, []string{defaultEndpoint}) {
		for _, e := range c.Endpoints {
			add("endpoint", e)
		}
	}
	if c.Region != "" {
		add("region", c.Region)
	}
	if c.Insecure {
		add("tls", "false")
	}
	if c.PathStyle != PathAuto {
		add("path-style", string(c.PathStyle))
	}
	if c.CAFile != "" {
		add("ca", c.CAFile)
	}
	return b.String()
}

// readable undoes escapes that a query does not need.
var readable = strings.NewReplacer("%3A", ":", "%2F", "/", "%5B", "[", "%5D", "]")
