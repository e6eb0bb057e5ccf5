package s3

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"savepoint/repo/storage"
)

const (
	defaultEndpoint    = "s3.amazonaws.com"
	defaultIdle        = time.Minute
	defaultConnections = 16
	// maxPrefix leaves room for a slash and the longest name in the 1,024 bytes that
	// a key may have.
	maxPrefix = 500
)

// PathStyle says where the name of the bucket stands in a request.
type PathStyle string

// PathStyle's values. The zero value lets the endpoint decide: the host's name for
// Amazon and Google, the path for all others.
const (
	PathAuto PathStyle = ""
	PathOnly PathStyle = "path" // https://host/bucket/key
	PathDNS  PathStyle = "dns"  // https://bucket.host/key
)

// Config says where a store is and how it is reached. Only Bucket is needed.
type Config struct {
	Endpoints []string // host or host:port; several are doors of one cluster. Default s3.amazonaws.com
	Bucket    string
	Prefix    string // of all names, without slashes at its ends; may be empty
	Region    string // empty: what the server says
	Insecure  bool   // plain HTTP
	PathStyle PathStyle
	CAFile    string // PEM of authorities to trust beside the system's; an absolute path

	// Idle is how long no byte may move before a request is broken off with a
	// temporary error. Default one minute.
	Idle time.Duration
	// Connections is the number of idle connections kept to each endpoint, which
	// should be that of concurrent calls. Default 16.
	Connections int
	// Keys are used in place of the chain of places where credentials are looked for.
	Keys Keys
	// Logger is told of endpoints that fail and credentials that are fetched. Nil is
	// silence.
	Logger *slog.Logger
}

// Keys are credentials. They print as a placeholder.
type Keys struct{ Access, Secret, Token string }

// String hides the keys.
func (Keys) String() string { return "(hidden)" }

// GoString hides the keys.
func (Keys) GoString() string { return "s3.Keys{(hidden)}" }

// LogValue hides the keys.
func (Keys) LogValue() slog.Value { return slog.StringValue("(hidden)") }

func (c Config) withDefaults() Config {
	if len(c.Endpoints) == 0 {
		c.Endpoints = []string{defaultEndpoint}
	}
	c.Idle = cmp.Or(c.Idle, defaultIdle)
	c.Connections = cmp.Or(c.Connections, defaultConnections)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// check says what is wrong with the configuration. It repeats no value, since what
// stands in the wrong place may be a key.
func (c Config) check() error {
	if err := checkBucket(c.Bucket); err != nil {
		return err
	}
	if c.Prefix != "" && (len(c.Prefix) > maxPrefix || !storage.ValidName(c.Prefix)) {
		return fmt.Errorf("the prefix has at most %d of the characters A-Z a-z 0-9 . _ - and single slashes between them", maxPrefix)
	}
	for i, e := range c.Endpoints {
		if err := checkEndpoint(e); err != nil {
			return err
		}
		if slices.Contains(c.Endpoints[:i], e) {
			return errors.New("an endpoint is named twice")
		}
	}
	if strings.Trim(c.Region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" || len(c.Region) > 64 {
		return errors.New("the region has at most 64 letters, digits, hyphens and underscores")
	}
	switch c.PathStyle {
	case PathAuto, PathOnly, PathDNS:
	default:
		return errors.New("path-style is auto, path or dns")
	}
	switch {
	case c.CAFile != "" && c.Insecure:
		return errors.New("ca and tls=false contradict each other")
	case c.CAFile != "" && !filepath.IsAbs(c.CAFile):
		return errors.New("ca is an absolute path")
	case c.Idle < 0 || c.Connections < 0:
		return errors.New("idle time and connections are positive")
	case (c.Keys.Access == "") != (c.Keys.Secret == ""):
		return errors.New("of the keys one is missing")
	}
	return nil
}

// checkBucket holds Amazon's rules, and refuses the kind of bucket whose listings
// have no order.
func checkBucket(name string) error {
	switch {
	case name == "":
		return errors.New("the bucket's name is missing")
	case len(name) < 3 || len(name) > 63:
		return errors.New("the bucket's name has 3 to 63 characters")
	case strings.HasSuffix(name, "--x-s3"):
		return errors.New("a directory bucket (its name ends in --x-s3) cannot hold a repository: its listings have no order")
	case net.ParseIP(name) != nil:
		return errors.New("the bucket's name is an IP address; an endpoint is named by endpoint=")
	}
	last := byte('.')
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		edge := i == len(name)-1 || last == '.'
		if !letter && (c != '-' && c != '.' || edge || c == '.' && last == '-') {
			return errors.New("the bucket's name has lower-case letters, digits, hyphens and single dots, and letters or digits at its ends and beside dots")
		}
		last = c
	}
	return nil
}

// checkEndpoint accepts host, host:port, [v6] and [v6]:port.
func checkEndpoint(e string) error {
	host, port, err := net.SplitHostPort(e)
	if err != nil {
		host, port = e, "443"
		if strings.HasPrefix(e, "[") && strings.HasSuffix(e, "]") {
			host = e[1 : len(e)-1]
		}
	}
	number, err := strconv.ParseUint(port, 10, 16)
	v6 := strings.HasPrefix(e, "[")
	if err != nil || number == 0 || port[0] == '0' || v6 != (strings.Contains(host, ":") && net.ParseIP(host) != nil) || !v6 && !validHost(host) {
		return errors.New("an endpoint is host or host:port, without a scheme (plain HTTP is tls=false), a path or a user")
	}
	return nil
}

func validHost(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	return true
}
