package serve_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/verify/health"
	"savepoint/verify/health/serve"
)

// pipes is a listener within this process, whose connections know the clock of a bubble.
type pipes struct {
	come chan net.Conn
	done chan struct{}
	once sync.Once
}

func newPipes() *pipes { return &pipes{come: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.come:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial returns the client's end of a connection.
func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.come <- there
	return here
}

// shop is a server of what a function sees, which tells how often it looked.
type shop struct {
	mu      sync.Mutex
	looks   int
	busy    int
	most    int
	fail    error
	takes   time.Duration
	changes []string
}

var errAway = errors.New("the storage is <away>")

func (s *shop) options(refresh time.Duration) serve.Options {
	return serve.Options{
		Refresh: refresh,
		Look: func(ctx context.Context) (*health.Status, error) {
			s.mu.Lock()
			s.looks, s.busy = s.looks+1, s.busy+1
			s.most = max(s.most, s.busy)
			n, err, takes := s.looks, s.fail, s.takes
			s.mu.Unlock()
			defer func() { s.mu.Lock(); s.busy--; s.mu.Unlock() }()
			if takes > 0 {
				select {
				case <-time.After(takes):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return &health.Status{Run: fmt.Sprint(n)}, err
		},
		Metrics: func(st *health.Status, at time.Time, up bool) ([]byte, error) {
			return fmt.Appendf(nil, "look %s at %s up %v\n%s", st.Run, at.UTC().Format(time.TimeOnly), up, strings.Repeat("x", 2000)), nil
		},
		Page: func(st *health.Status, stale string) ([]byte, error) {
			return fmt.Appendf(nil, "<p>%s: %s", st.Run, stale), nil
		},
		Changed: func(err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changes = append(s.changes, fmt.Sprint(err))
		},
	}
}

func (s *shop) set(err error, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail, s.takes = err, takes
}

func (s *shop) counted() (looks, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looks, s.most
}

// get asks a handler.
func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func firstLine(w *httptest.ResponseRecorder) string {
	line, _, _ := strings.Cut(w.Body.String(), "\n")
	return fmt.Sprint(w.Code, " ", line)
}

// start runs a server until the test has seen enough.
func start(t *testing.T, o serve.Options) (http.Handler, *pipes, func() error) {
	s, l := serve.New(o), newPipes()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	return s.Handler(), l, func() error {
		cancel()
		return <-ended
	}
}

// TestRefresh looks once at a time and once a minute, whatever is asked, and serves the last values until it can look again.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{takes: 20 * time.Second}
		h, _, stop := start(t, s.options(time.Minute))
		synctest.Wait()
		for _, path := range []string{"/metrics", "/", "/healthz"} {
			if w := get(h, path); w.Code != http.StatusServiceUnavailable {
				t.Errorf("%s before the first look: %s", path, firstLine(w))
			}
		}
		time.Sleep(21 * time.Second)
		for range 100 {
			if got := firstLine(get(h, "/metrics")); got != "200 look 1 at 00:00:00 up true" {
				t.Fatal(got)
			}
		}
		if w := get(h, "/healthz"); w.Code != 200 || w.Body.String() != "last looked 21s ago\n" {
			t.Errorf("healthz: %s", firstLine(w))
		}
		time.Sleep(10 * time.Minute)
		if looks, most := s.counted(); looks != 8 || most != 1 {
			t.Errorf("%d looks in ten minutes, %d at a time", looks, most)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestAway serves the last values while the repository is away, says that they are old, and is not well after a while. A look that hangs is ended.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{}
		h, _, stop := start(t, s.options(time.Minute))
		synctest.Wait()
		s.set(errAway, 0)
		time.Sleep(time.Minute + time.Second)
		if got := firstLine(get(h, "/metrics")); got != "200 look 1 at 00:00:00 up false" {
			t.Error(got)
		}
		if got := get(h, "/").Body.String(); !strings.Contains(got, "1: the repository could not be looked at since: the storage is <away>") {
			t.Error(got)
		}
		if got := firstLine(get(h, "/healthz")); got != "200 last looked 1m1s ago" {
			t.Error(got)
		}
		time.Sleep(2 * time.Minute)
		if got := firstLine(get(h, "/healthz")); got != "503 last looked 3m1s ago" {
			t.Error(got)
		}
		s.set(nil, time.Hour) // it hangs
		time.Sleep(11*time.Minute + 30*time.Second)
		s.set(nil, 0)
		time.Sleep(2 * time.Minute)
		if got := firstLine(get(h, "/metrics")); !strings.HasSuffix(got, "up true") {
			t.Error(got)
		}
		if got := firstLine(get(h, "/healthz")); !strings.HasPrefix(got, "200 ") {
			t.Error(got)
		}
		if got := strings.Join(s.changes, ", "); got != "the storage is <away>, <nil>" {
			t.Errorf("it told: %s", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestHangs has a look that does not come to its end: what is served says that it is old long before somebody gives that look up.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{}
		h, _, stop := start(t, s.options(time.Minute))
		synctest.Wait()
		s.set(nil, time.Hour)
		time.Sleep(2*time.Minute + 59*time.Second)
		if got := firstLine(get(h, "/metrics")); got != "200 look 1 at 00:00:00 up true" {
			t.Error(got)
		}
		time.Sleep(2 * time.Second)
		if got := firstLine(get(h, "/metrics")); got != "200 look 1 at 00:00:00 up false" {
			t.Error(got)
		}
		if got := get(h, "/").Body.String(); got != "<p>1: the look at the repository that began after this one does not come to its end" {
			t.Error(got)
		}
		if got := firstLine(get(h, "/healthz")); got != "503 last looked 3m1s ago" {
			t.Error(got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestFatal ends because of an error of the first look that nothing will mend, and of no later one.
func TestFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{fail: errAway}
		o := s.options(time.Minute)
		o.Fatal = func(err error) bool { return errors.Is(err, errAway) }
		if err := serve.New(o).Run(t.Context(), newPipes()); !errors.Is(err, errAway) {
			t.Error(err)
		}
		if len(s.changes) > 0 {
			t.Errorf("it told of what nobody tries again: %q", s.changes)
		}
		s.set(nil, 0)
		_, _, stop := start(t, o)
		synctest.Wait()
		s.set(errAway, 0)
		time.Sleep(5 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestEnds ends a look and an answer that nobody reads, and tells when its listener breaks.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{}
		_, l, stop := start(t, s.options(time.Minute))
		synctest.Wait()
		c := l.dial()
		if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		s.set(nil, time.Hour)
		time.Sleep(time.Minute)
		began := time.Now()
		if err := stop(); err != nil || time.Since(began) > 6*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		_ = c.Close()

		broken := newPipes()
		_ = broken.Close()
		if err := serve.New(s.options(time.Minute)).Run(t.Context(), broken); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a broken listener: %v", err)
		}
	})
}

// TestSlowClients lets go of clients that send nothing, a header without an end, or read nothing, and of those that are too many at once.
func TestSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{}
		_, l, stop := start(t, s.options(time.Minute))
		synctest.Wait()
		var slow []net.Conn
		for range 128 {
			slow = append(slow, l.dial())
		}
		extra := l.dial()
		if _, err := extra.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("one too many: %v", err)
		}
		began, dripped := time.Now(), make(chan struct{})
		go func() {
			defer close(dripped)
			for range 20 { // a byte a second
				if _, err := io.WriteString(slow[0], "G"); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		for _, c := range slow {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("the slow held on for %s", took)
		}
		<-dripped
		c := l.dial()
		if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || res.StatusCode != 200 {
			t.Errorf("after them: %v, %v", res, err)
		}
		_ = c.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestMethods answers GET and HEAD of what there is, over a real listener.
func TestMethods(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	looked := make(chan struct{}, 1)
	s := &shop{}
	o := s.options(time.Hour)
	page := o.Page
	o.Page = func(st *health.Status, stale string) ([]byte, error) {
		looked <- struct{}{}
		return page(st, stale)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve.New(o).Run(ctx, l) }()
	<-looked
	base := "http://" + l.Addr().String()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	ask := func(method, path string, header ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(b)
	}
	for res, body := ask("GET", "/metrics"); res.StatusCode == http.StatusServiceUnavailable; res, body = ask("GET", "/metrics") {
		_ = body // the look ends after its page is made
	}
	for _, tt := range []struct {
		method, path string
		code         int
	}{
		{"GET", "/metrics", 200}, {"HEAD", "/metrics", 200}, {"GET", "/", 200}, {"HEAD", "/", 200}, {"GET", "/healthz", 200}, {"HEAD", "/healthz", 200},
		{"POST", "/metrics", 405}, {"PUT", "/", 405}, {"DELETE", "/healthz", 405}, {"OPTIONS", "/metrics", 405},
		{"GET", "/debug/pprof/", 404}, {"GET", "/metrics/x", 404}, {"GET", "/favicon.ico", 404}, {"GET", "/../etc/passwd", 404},
	} {
		res, body := ask(tt.method, tt.path)
		if res.StatusCode != tt.code || tt.method == "HEAD" && body != "" || tt.code == 405 && res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: %d %q, Allow %q", tt.method, tt.path, res.StatusCode, body, res.Header.Get("Allow"))
		}
	}
	res, plain := ask("GET", "/metrics")
	if got := res.Header.Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("metrics are %s", got)
	}
	if res, _ := ask("HEAD", "/metrics"); res.ContentLength != int64(len(plain)) {
		t.Errorf("HEAD says %d bytes of %d", res.ContentLength, len(plain))
	}
	res, _ = ask("GET", "/")
	if csp := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; ") || res.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("the page: %v", res.Header)
	}
	for accept, want := range map[string]bool{"gzip": true, "br, GZIP;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false, "identity": false, "gzip;q=1.0": true} {
		res, body := ask("GET", "/metrics", "Accept-Encoding", accept)
		if (res.Header.Get("Content-Encoding") == "gzip") != want {
			t.Errorf("%s: %v", accept, res.Header)
		}
		if !want {
			continue
		}
		z, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(z); err != nil || string(b) != plain {
			t.Errorf("%s: %v, %d bytes", accept, err, len(b))
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it listens on")
	}
}
