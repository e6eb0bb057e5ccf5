package send_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/verify/health/send"
)

// secret is what a ping service takes for a name and a password in one.
const secret = "0f3a9c1e-7b52-4d55-9a41-5d2f8e6b7c90"

func parse(t *testing.T, text string) send.Target {
	t.Helper()
	target, err := send.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// TestParse refuses what is no address, and repeats nothing of it.
func TestParse(t *testing.T) {
	for _, bad := range []string{"", secret, "/" + secret, "ftp://host/" + secret, "https:///" + secret, "https://user:" + secret + "@host/", "https://" + secret + "@host",
		"https://host/%zz" + secret, "https://host/a#" + secret, "http://ho st/" + secret, "https://host:" + secret} {
		_, err := send.Parse(bad)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", bad, err)
		}
		if strings.Contains(bad, "@") != errors.Is(err, send.ErrUser) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if got := parse(t, "https://hc.example:8443/ping/"+secret+"?token="+secret).String(); got != "https://hc.example:8443/…" {
		t.Errorf("it is shown as %s", got)
	}
	for text, want := range map[string]bool{"http://gw:9091/": true, "https://gw/": false, "http://127.0.0.1:9091/": false, "http://[::1]/": false, "http://localhost/": false, "http://10.0.0.1/": true} {
		if got := parse(t, text).Open(); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// got is what a server was sent.
type got struct{ method, uri, body, kind, auth, agent string }

// server answers with a code and a text, and hands on what it was sent.
func server(t *testing.T, answer http.HandlerFunc) (*httptest.Server, chan got) {
	t.Helper()
	seen := make(chan got, 20)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		seen <- got{r.Method, r.RequestURI, string(body), r.Header.Get("Content-Type"), r.Header.Get("Authorization"), r.Header.Get("User-Agent")}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s, seen
}

func well(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }

// TestPush puts metrics with the credentials that were given, and none that were not.
func TestPush(t *testing.T) {
	s, seen := server(t, well)
	const kind = "text/plain; version=0.0.4; charset=utf-8"
	for auth, c := range map[string]send.Credentials{
		"":          {},
		"Bearer t1": {Token: "t1"},
		"Basic " + base64.StdEncoding.EncodeToString([]byte("u:p")): {User: "u", Password: "p"},
	} {
		err := parse(t, s.URL+"/metrics/job/savepoint/instance@base64/L2E").Push(t.Context(), []byte("a 1\n"), send.Options{Credentials: c, Agent: "savepoint/v1"})
		if err != nil {
			t.Fatal(err)
		}
		if g, want := <-seen, (got{"PUT", "/metrics/job/savepoint/instance@base64/L2E", "a 1\n", kind, auth, "savepoint/v1"}); g != want {
			t.Errorf("it was sent %+v, want %+v", g, want)
		}
	}
}

// TestPing gets the address when all is well, and posts to /fail when it is not, with the query where it was. Credentials are for pushes.
func TestPing(t *testing.T) {
	s, seen := server(t, well)
	o := send.Options{Credentials: send.Credentials{Token: "t1"}, Agent: "a"}
	for path, want := range map[string][2]string{
		"/ping/" + secret:     {"/ping/" + secret, "/ping/" + secret + "/fail"},
		"/" + secret + "/":    {"/" + secret + "/", "/" + secret + "/fail"},
		"/p/" + secret + "?a": {"/p/" + secret + "?a", "/p/" + secret + "/fail?a"},
		"":                    {"/", "/fail"},
		"/a%2Fb":              {"/a%2Fb", "/a%2Fb/fail"},
	} {
		target := parse(t, s.URL+path)
		if err := errors.Join(target.Ping(t.Context(), true, "not sent", o), target.Ping(t.Context(), false, "why\n", o)); err != nil {
			t.Fatal(err)
		}
		if g, w := <-seen, (got{"GET", want[0], "", "", "", "a"}); g != w {
			t.Errorf("%s: it was sent %+v, want %+v", path, g, w)
		}
		if g, w := <-seen, (got{"POST", want[1], "why\n", "text/plain; charset=utf-8", "", "a"}); g != w {
			t.Errorf("%s: it was sent %+v, want %+v", path, g, w)
		}
	}
}

// TestAnswers shows the first line of what a server says, without the secret and what no terminal should get.
func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		code       int
		body, want string
	}{
		"refused": {400, "pushed metrics are invalid\nmore", "the server answers 400 Bad Request: pushed metrics are invalid"},
		"silent":  {404, "", "the server answers 404 Not Found"},
		"echoes":  {404, "no check " + secret + " at /ping/" + secret + "\x1b[2J\x00\xff", "the server answers 404 Not Found: no check … at …"},
		"long":    {403, strings.Repeat("x", 1<<20), "xxx…"},
		"strange": {499, "odd", "the server answers 499"},
		"page":    {401, "\n\n  <html>\n", "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.code)
				_, _ = io.WriteString(w, tt.body)
			})
			target := parse(t, s.URL+"/ping/"+secret)
			for _, err := range []error{target.Push(t.Context(), nil, send.Options{}), target.Ping(t.Context(), true, "", send.Options{})} {
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) || strings.ContainsAny(err.Error(), "\x1b\x00\n") || len(err.Error()) > 400 {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// TestRedirects follows a ping within its host, three times at most, and a push never, since what was sent may get lost.
func TestRedirects(t *testing.T) {
	other, away := server(t, well)
	host := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	for name, tt := range map[string]struct {
		to    string
		code  int
		asked int // how often
		fine  bool
	}{
		"within":       {"/new", 302, 2, true},
		"keeps":        {"/new", 308, 2, true},
		"forever":      {"/" + secret, 302, 4, false},
		"another host": {host + "/" + secret, 302, 1, false},
		"another name": {"http://localhost:PORT/new", 302, 1, false},
		"another port": {other.URL + "/" + secret, 307, 1, false},
		"nonsense":     {"ftp://127.0.0.1/" + secret, 302, 1, false},
		"unreadable":   {"http://[::" + secret, 302, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, seen := server(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/new" {
					return
				}
				_, port, _ := strings.Cut(r.Host, ":")
				w.Header().Set("Location", strings.ReplaceAll(tt.to, "PORT", port))
				w.WriteHeader(tt.code)
			})
			target := parse(t, s.URL+"/"+secret)
			err := target.Ping(t.Context(), true, "", send.Options{})
			if (err == nil) != tt.fine || err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%v", err)
			}
			if n := len(seen); n != tt.asked {
				t.Errorf("it was asked %d times, want %d", n, tt.asked)
			}
			for len(seen) > 0 {
				<-seen
			}
			if err := target.Push(t.Context(), []byte("a 1\n"), send.Options{}); err == nil || len(seen) != 1 {
				t.Errorf("a push is redirected: %v, asked %d times", err, len(seen))
			}
		})
	}
	if len(away) > 0 {
		t.Errorf("another host was told: %+v", <-away)
	}
}

// transport answers the n-th request.
type transport func(n int32, r *http.Request) (*http.Response, error)

// carry returns it as a RoundTripper, and how many requests it had.
func (f transport) carry() (http.RoundTripper, *atomic.Int32) {
	n := new(atomic.Int32)
	return roundTripper(func(r *http.Request) (*http.Response, error) { return f(n.Add(1), r) }), n
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answered(code int) (*http.Response, error) {
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader("busy")), Header: http.Header{}}, nil
}

// TestTries sends again what may succeed, not what will not, and the same bytes each time.
func TestTries(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, tt := range map[string]struct {
		do    transport
		tries int32
		fine  bool
	}{
		"comes back": {func(n int32, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return nil, refused
			}
			return answered(202)
		}, 2, true},
		"busy":     {func(int32, *http.Request) (*http.Response, error) { return answered(503) }, 3, false},
		"too many": {func(int32, *http.Request) (*http.Response, error) { return answered(429) }, 3, false},
		"refused":  {func(int32, *http.Request) (*http.Response, error) { return nil, refused }, 3, false},
		"wrong":    {func(int32, *http.Request) (*http.Response, error) { return answered(400) }, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				carry, n := transport(func(n int32, r *http.Request) (*http.Response, error) {
					if b, err := io.ReadAll(r.Body); err != nil || string(b) != "a 1\n" {
						t.Errorf("try %d sends %q, %v", n, b, err)
					}
					return tt.do(n, r)
				}).carry()
				began := time.Now()
				err := parse(t, "http://gw.example/"+secret).Push(t.Context(), []byte("a 1\n"), send.Options{Transport: carry})
				if (err == nil) != tt.fine || n.Load() != tt.tries || time.Since(began) > 5*time.Second {
					t.Errorf("%v after %d tries and %s", err, n.Load(), time.Since(began))
				}
				if err != nil && (strings.Contains(err.Error(), secret) || !strings.HasPrefix(err.Error(), "push metrics to http://gw.example/…: ")) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// TestBounded ends in time with a server that says nothing, and at once when it is told to.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent, _ := transport(func(_ int32, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}).carry()
		began := time.Now()
		err := parse(t, "http://gw.example/"+secret).Ping(t.Context(), false, "x", send.Options{Transport: silent})
		if err == nil || time.Since(began) > send.DefaultTimeout || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), secret) {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began = time.Now()
		err = parse(t, "http://gw.example/"+secret).Ping(ctx, false, "x", send.Options{Transport: silent})
		if !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// TestCertificate refuses a server whose certificate nobody signed.
func TestCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(well))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	err := parse(t, s.URL+"/"+secret).Push(t.Context(), nil, send.Options{})
	if err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), secret) {
		t.Errorf("%v", err)
	}
	if err := parse(t, s.URL+"/"+secret).Push(t.Context(), nil, send.Options{Transport: s.Client().Transport}); err != nil {
		t.Error(err)
	}
}
