package miniotest

import (
	"crypto/tls"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Proxy stands between a client and a server, passes requests and answers on as they are, and injects the faults that
// it is told to. Before a server with TLS it speaks TLS with the server's certificate.
//
// It passes on the Host that the client has signed, so a client signs for the proxy as for a server.
type Proxy struct {
	Endpoint string // host:port, where a client connects to
	Server   *Server

	front *httptest.Server
	ended chan struct{} // closed when the test ends: lets go what hangs

	mu       sync.Mutex
	faults   []*Fault
	requests []string
}

// Proxy starts a proxy before the server. It ends with the test.
func (s *Server) Proxy(t testing.TB) *Proxy {
	t.Helper()
	p := &Proxy{Server: s, ended: make(chan struct{})}
	p.front = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.front.Config.ErrorLog = log.New(io.Discard, "", 0)
	if s.CAFile == "" {
		p.front.Start()
	} else {
		p.front.TLS = &tls.Config{Certificates: []tls.Certificate{s.certs.server}}
		p.front.StartTLS()
	}
	p.Endpoint = p.front.Listener.Addr().String()
	t.Cleanup(func() {
		close(p.ended)
		p.front.CloseClientConnections()
		p.front.Close()
	})
	return p
}

// URL returns the address of a prefix in a bucket through the proxy, as the command line takes it.
func (p *Proxy) URL(bucket, prefix string) string { return p.Server.urlAt(p.Endpoint, bucket, prefix) }

// Client returns a client of the server through the proxy, with the root account's credentials, which tries every
// request once.
func (p *Proxy) Client(t testing.TB) *minio.Client {
	t.Helper()
	c, err := p.Server.dial(p.Endpoint, credentials.NewStaticV4(p.Server.AccessKey, p.Server.SecretKey, ""))
	if err != nil {
		t.Fatalf("client for %s: %v", p.Endpoint, err)
	}
	return c
}

// Inject adds a fault. Of several that match a request the one that was injected first is done.
func (p *Proxy) Inject(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &f)
}

// Heal forgets all faults. What hangs already goes on hanging.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Requests returns the method and path of every request so far, without the query, in the order in which they came.
func (p *Proxy) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// serve notes a request and has it answered by the fault that matches, or by the server.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	x := &exchange{p: p, w: w, r: r}
	f := p.arrive(r)
	if f == nil {
		pass(x)
		return
	}
	if f.Hit != nil {
		f.Hit(r)
	}
	f.Do(x)
}

// arrive notes a request and returns the first fault that applies to it, or nil.
func (p *Proxy) arrive(r *http.Request) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r.Method+" "+r.URL.Path)
	for i, f := range p.faults {
		switch {
		case f.Match != nil && !f.Match(r):
			continue
		case f.Skip > 0:
			f.Skip--
			continue
		case f.Times == 1:
			p.faults = slices.Delete(p.faults, i, i+1)
		case f.Times > 1:
			f.Times--
		}
		return f
	}
	return nil
}

// exchange is one request and its answer.
type exchange struct {
	p *Proxy
	w http.ResponseWriter
	r *http.Request
}

// forward has the server carry the request out. The caller closes the answer's body.
func (x *exchange) forward() (*http.Response, error) {
	out := x.r.Clone(x.r.Context())
	out.URL.Scheme, out.URL.Host = x.p.Server.scheme(), x.p.Server.Endpoint
	out.RequestURI = ""
	out.Host = x.r.Host
	out.Header.Del("Expect") // this side has answered 100 Continue when it reads the body
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header.Set("User-Agent", "") // or net/http adds its own
	}
	if x.r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return x.p.Server.transport().RoundTrip(out)
}

// head sends the status and headers of an answer.
func (x *exchange) head(resp *http.Response) {
	h := x.w.Header()
	maps.Copy(h, resp.Header)
	if _, ok := resp.Header["Date"]; !ok {
		h["Date"] = nil
	}
	x.w.WriteHeader(resp.StatusCode)
}

// reset ends the connection without another word: the client's kernel reports a reset.
func (x *exchange) reset() {
	conn := x.hijack()
	if conn == nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		awaitSent(tcp)
		_ = tcp.SetLinger(0) // an error says that the client has gone
	}
	conn.Close()
}

// close ends the connection in good order: the client sees that the server has closed.
func (x *exchange) close() {
	if conn := x.hijack(); conn != nil {
		conn.Close()
	}
}

// hijack takes the connection, below TLS, out of the server's hands. It returns nil when the client has gone.
func (x *exchange) hijack() net.Conn {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return nil
	}
	if t, ok := conn.(*tls.Conn); ok {
		return t.NetConn()
	}
	return conn
}

// hang waits until the client gives up or the test ends.
func (x *exchange) hang() {
	select {
	case <-x.r.Context().Done():
	case <-x.p.ended:
	}
}

// pass answers as the server does.
func pass(x *exchange) {
	resp, err := x.forward()
	if err != nil {
		x.reset()
		return
	}
	defer resp.Body.Close()
	x.head(resp)
	if _, err := io.Copy(x.w, resp.Body); err != nil {
		x.reset()
	}
}
