package s3_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"savepoint/internal/miniotest"
	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

// deadEndpoint is an address that refuses connections.
func deadEndpoint(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestDeadEndpoint has one endpoint of two that is down.
func TestDeadEndpoint(t *testing.T) {
	t.Parallel()
	srv := miniotest.VersityGW(t)
	var log strings.Builder
	s := open(t, srv, func(c *s3.Config) {
		c.Endpoints = []string{deadEndpoint(t), srv.Endpoint}
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	put(t, s, "o", []byte("old"))
	for range 3 {
		for name, do := range calls(s, "o") {
			if err := do(t.Context()); err != nil && name != "create" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.Delete(t.Context(), "o-new"); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(log.String(), "endpoint rests"); n != 1 {
		t.Errorf("the dead endpoint is tried %d times within its rest, want once; log:\n%s", n, log.String())
	}
}

// TestEndpointDies has one endpoint of two go down at different moments.
func TestEndpointDies(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	bucket := srv.Bucket(t)
	data := pattern(1 << 20)
	two := func() (*s3.Store, *miniotest.Proxy, *miniotest.Proxy) {
		a, b := srv.Proxy(t), srv.Proxy(t)
		s := openAt(t, srv, a.URL(bucket, ""), func(c *s3.Config) { c.Endpoints = append(c.Endpoints, b.Endpoint) }) // asks a
		return s, a, b
	}
	s, _, b := two()
	put(t, s, "o", data) // by b; the next is a's
	b.Inject(miniotest.Fault{Do: miniotest.CutBody(1000)})
	for range 4 {
		want(t, s, "o", data)
	}

	s, a, b := two()
	b.Inject(miniotest.Fault{Match: miniotest.On("PUT", ""), Do: miniotest.LostAnswer()})
	if err := putErr(t.Context(), s, "plain", data, storage.PutOptions{}); err != nil {
		t.Errorf("Put that can be repeated: %v", err)
	}
	if n := len(a.Requests()) + len(b.Requests()); n != 3 {
		t.Errorf("%d requests, want Open's and two", n)
	}

	s, a, b = two()
	b.Inject(miniotest.Fault{Match: miniotest.On("PUT", ""), Do: miniotest.LostAnswer()})
	create := func() error { return putErr(t.Context(), s, "created", data, storage.PutOptions{IfAbsent: true}) }
	wantErr(t, create(), nil, true) // it may have been done
	wantErr(t, create(), storage.ErrExists, false)
	if n := len(a.Requests()); n != 2 {
		t.Errorf("%d requests at the other endpoint, want Open's and one", n)
	}
}

// TestConnectionsAreKept counts the connections that a server sees.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	srv := miniotest.VersityGW(t)
	var opened atomic.Int32
	p := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: srv.Endpoint}))
	p.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	p.Start()
	defer p.Close()
	const workers = 8
	s := open(t, srv, func(c *s3.Config) { c.Endpoints, c.Connections = []string{p.Listener.Addr().String()}, workers })
	for range 5 {
		put(t, s, "o", pattern(3<<20))
		for name, do := range calls(s, "o") {
			if err := do(t.Context()); err != nil && name != "create" {
				t.Error(err)
			}
		}
		_, err := s.Stat(t.Context(), "missing")
		wantErr(t, err, storage.ErrNotExist, false)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("calls one after the other open %d connections, want 1", n)
	}
	for range 10 {
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() { want(t, s, "o", []byte("new")) })
		}
		wg.Wait()
	}
	if n := opened.Load(); n > workers {
		t.Errorf("%d calls at a time open %d connections", workers, n)
	}
}

// TestNoGoroutineIsLeft breaks off whatever can be, and counts.
func TestNoGoroutineIsLeft(t *testing.T) {
	srv := miniotest.VersityGW(t)
	proxy := srv.Proxy(t)
	url := proxy.URL(srv.Bucket(t), "")
	s := openAt(t, srv, url, func(c *s3.Config) { c.Idle = 200 * time.Millisecond })
	for _, name := range []string{"a", "b", "c"} {
		put(t, s, name, pattern(1<<20))
	}
	for range s.List(t.Context(), "", "") {
		break
	}
	for _, fault := range []miniotest.Action{miniotest.CutBody(10), miniotest.StallBody(10), miniotest.Refuse(), miniotest.Status(503, "SlowDown")} {
		proxy.Inject(miniotest.Fault{Do: fault})
		_ = callAll(t.Context(), s, "a") // whatever they say
		proxy.Heal()
	}
	s.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if ours() == "" {
			return
		}
		<-tick.C
	}
	t.Errorf("goroutines are left:\n%s", ours())
}

// ours returns the stacks of goroutines that are in package s3, and are no tests.
func ours() string {
	buf := make([]byte, 4<<20)
	var found []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "savepoint/repo/storage/s3.") && !strings.Contains(stack, "testing.") {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}
