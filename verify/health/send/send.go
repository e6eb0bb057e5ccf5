// Package send tells other servers what health found: metrics to a Pushgateway, and a ping to a service that raises an alarm when none comes.
//
// An address may hold a secret in its path or query, as those of ping services do: no error repeats more of it than scheme and host, nor what
// a server answers of it. Redirects to another host are not followed. All is bounded in time and memory. Nothing of a Target is shared:
// it is safe for concurrent use.
package send

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// What bounds a request.
const (
	DefaultTimeout = 30 * time.Second // with all tries
	tryTimeout     = 10 * time.Second
	tries          = 3
	maxAnswer      = 64 << 10
	maxRedirects   = 3
	maxLine        = 200 // characters of an answer that are shown
)

// Target is the address of a server.
type Target struct{ u *url.URL }

// Parse reads an address: http or https with a host, without a user, which every process of the host could read in the command line.
// Its errors repeat nothing of the address that can be a secret.
func Parse(text string) (Target, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return Target{}, errors.New("it is no URL")
	case u.User != nil:
		return Target{}, ErrUser
	case u.Scheme != "http" && u.Scheme != "https":
		return Target{}, errors.New("it must begin with http:// or https://")
	case u.Hostname() == "":
		return Target{}, errors.New("it names no host")
	case u.Fragment != "":
		return Target{}, errors.New("what stands behind # is not sent")
	}
	return Target{u}, nil
}

// ErrUser is what Parse returns for an address with a user or password.
var ErrUser = errors.New("it has a user or password, which everybody on this host could read")

// String returns the address without what may be a secret.
func (t Target) String() string {
	if strings.Trim(t.u.Path, "/") == "" && t.u.RawQuery == "" {
		return t.u.Scheme + "://" + t.u.Host
	}
	return t.u.Scheme + "://" + t.u.Host + "/…"
}

// Open reports whether what is sent crosses a network in the clear.
func (t Target) Open() bool {
	if t.u.Scheme == "https" || strings.EqualFold(t.u.Hostname(), "localhost") {
		return false
	}
	ip := net.ParseIP(t.u.Hostname())
	return ip == nil || !ip.IsLoopback()
}

// Credentials are sent with a push. The zero value sends none.
type Credentials struct{ User, Password, Token string }

// Options of Push and Ping. The zero value is ready for use.
type Options struct {
	Credentials Credentials
	// Agent is how the program names itself.
	Agent string
	// Timeout bounds all tries; 0 is DefaultTimeout.
	Timeout time.Duration
	// Transport carries the requests; nil is one of its own, which goes through the proxy of the environment.
	Transport http.RoundTripper
}

// Push puts metrics in the text format of Prometheus where the address says, in the place of all that was pushed there before.
func (t Target) Push(ctx context.Context, metrics []byte, o Options) error {
	r := request{method: http.MethodPut, url: t.u, body: metrics, kind: "text/plain; version=0.0.4; charset=utf-8", redirects: false}
	if err := t.send(ctx, r, o); err != nil {
		return fmt.Errorf("push metrics to %s: %w", t, err)
	}
	return nil
}

// Ping tells a service that all is well, with a GET of the address, or that it is not, with a POST of a text to the address with /fail at the
// end of its path.
func (t Target) Ping(ctx context.Context, well bool, text string, o Options) error {
	r := request{method: http.MethodGet, url: t.u, redirects: true}
	if !well {
		r = request{method: http.MethodPost, url: t.u.JoinPath("fail"), body: []byte(text), kind: "text/plain; charset=utf-8", redirects: true}
	}
	o.Credentials = Credentials{}
	if err := t.send(ctx, r, o); err != nil {
		return fmt.Errorf("ping %s: %w", t, err)
	}
	return nil
}

// request is what is sent, once or more often.
type request struct {
	method    string
	url       *url.URL
	body      []byte
	kind      string
	redirects bool
}

// send tries until a server has answered, or it is clear that none will.
func (t Target) send(ctx context.Context, r request, o Options) error {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if o.Transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.DisableKeepAlives = true
		defer own.CloseIdleConnections()
		o.Transport = own
	}
	client := &http.Client{Transport: o.Transport, Timeout: tryTimeout, CheckRedirect: checkRedirect(r.redirects)}
	pause := time.Second
	for n := 1; ; n++ {
		again, err := t.try(ctx, client, r, o)
		if err == nil || !again || n == tries || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause *= 2
	}
}

// try sends a request once, and says whether to send it again after an error.
func (t Target) try(ctx context.Context, client *http.Client, r request, o Options) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), bytes.NewReader(r.body))
	if err != nil {
		return false, errors.New("it is no URL")
	}
	if r.body == nil {
		req.Body, req.ContentLength, req.GetBody = nil, 0, nil
	}
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	req.Header.Set("User-Agent", o.Agent)
	switch c := o.Credentials; {
	case c.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.Token)
	case c.User != "" || c.Password != "":
		req.SetBasicAuth(c.User, c.Password)
	}
	res, err := client.Do(req)
	if err != nil {
		return passing(err), t.withoutAddress(err)
	}
	defer func() { _ = res.Body.Close() }() // it was read only
	answer, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode/100 == 2 {
		return false, nil
	}
	err = fmt.Errorf("the server answers %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	if line := t.shown(answer); line != "" {
		err = fmt.Errorf("%w: %s", err, line)
	}
	return res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests, err
}

// passing reports whether an error is of a network or a server that may do better the next time.
func passing(err error) bool {
	var op *net.OpError
	var timeout net.Error
	return errors.As(err, &op) || errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

var errRedirect = errors.New("it redirects to another host, to what is no https:// any more, or too often: that is not followed")

// checkRedirect follows redirects within a host, and none at all with what a redirect may lose.
func checkRedirect(follow bool) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, before []*http.Request) error {
		from := before[0].URL
		switch {
		case !follow:
			return http.ErrUseLastResponse
		case !strings.EqualFold(next.URL.Hostname(), from.Hostname()), len(before) > maxRedirects,
			next.URL.Scheme != "http" && next.URL.Scheme != "https", from.Scheme == "https" && next.URL.Scheme != "https", from.Scheme == next.URL.Scheme && from.Port() != next.URL.Port():
			return errRedirect
		}
		return nil
	}
}

// withoutAddress returns what went wrong without the address that net/http puts before it.
func (t Target) withoutAddress(err error) error {
	var e *url.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Timeout() && !errors.Is(e.Err, context.Canceled) {
		return fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	}
	if text := e.Err.Error(); t.hide(text) != text {
		return errors.New(t.hide(text))
	}
	return e.Err
}

// shown returns the first line of an answer, as it can be printed.
func (t Target) shown(answer []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(line, " "))
	r := []rune(strings.TrimSpace(t.hide(line)))
	if len(r) > maxLine {
		return string(r[:maxLine]) + "…"
	}
	return string(r)
}

// leastSecret is how long a part of an address is that may be a secret: no word that answers have anyway.
const leastSecret = 8

// secrets returns what of the address may be a secret, the longest first.
func (t Target) secrets() []string {
	out := []string{t.u.RequestURI(), t.u.EscapedPath(), t.u.Path, t.u.RawQuery}
	for _, path := range []string{t.u.EscapedPath(), t.u.Path} {
		out = append(out, strings.Split(path, "/")...)
	}
	for _, values := range t.u.Query() {
		out = append(out, values...)
	}
	return out
}

// hide returns a text without what of the address may be a secret.
func (t Target) hide(text string) string {
	for _, s := range t.secrets() {
		if len(s) >= leastSecret {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	return text
}
