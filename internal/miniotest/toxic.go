package miniotest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
)

// Toxic stands between a client and a server and harms connections, without a notion of what passes through them.
// Several harms can be in force at once; each is for the bytes from the server to the client unless it says otherwise,
// and for connections that exist as well as for new ones.
type Toxic struct {
	Endpoint string // host:port, where a client connects to
	Server   *Server

	proxy *toxiproxy.Proxy
}

// Toxi starts a Toxic before the server, which does no harm until it is told to. It ends with the test.
func (s *Server) Toxi(t testing.TB) *Toxic {
	t.Helper()
	endpoint, err := freeEndpoint()
	if err != nil {
		t.Fatalf("start proxy: %v", err)
	}
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), silent(toxiproxy.ApiServer{}.Logger))
	x := &Toxic{Server: s, proxy: toxiproxy.NewProxy(api, "toxic", endpoint, s.Endpoint), Endpoint: endpoint}
	if err := x.proxy.Start(); err != nil {
		t.Fatalf("start proxy: %v", err)
	}
	t.Cleanup(func() {
		x.proxy.Toxics.ResetToxics(context.Background())
		x.proxy.Stop()
	})
	return x
}

// silent returns the zero value of what p points to. The zero value of toxiproxy's logger prints nothing.
func silent[T any](p *T) (zero T) { return zero }

// URL returns the address of a prefix in a bucket through the proxy, as the command line takes it.
func (x *Toxic) URL(bucket, prefix string) string { return x.Server.urlAt(x.Endpoint, bucket, prefix) }

// Down closes the port and all connections.
func (x *Toxic) Down(t testing.TB) { t.Helper(); x.proxy.Stop() }

// Up opens the port again after Down.
func (x *Toxic) Up(t testing.TB) {
	t.Helper()
	if err := x.proxy.Start(); err != nil {
		t.Fatalf("start proxy: %v", err)
	}
}

// Latency delays every answer by d, give or take jitter.
func (x *Toxic) Latency(t testing.TB, d, jitter time.Duration) {
	t.Helper()
	x.add(t, "latency", "downstream", map[string]int64{"latency": d.Milliseconds(), "jitter": jitter.Milliseconds()})
}

// Bandwidth lets through so many KB (1,000 bytes) a second in each direction.
func (x *Toxic) Bandwidth(t testing.TB, rate int64) {
	t.Helper()
	for _, stream := range []string{"downstream", "upstream"} {
		x.add(t, "bandwidth", stream, map[string]int64{"rate": rate})
	}
}

// HalfOpen swallows what either side sends and tells neither, as a router does that has lost its table. Connections
// stay open.
func (x *Toxic) HalfOpen(t testing.TB) {
	t.Helper()
	for _, stream := range []string{"downstream", "upstream"} {
		x.add(t, "timeout", stream, map[string]int64{"timeout": 0})
	}
}

// Heal ends all harms. Connections that were half-open are closed.
func (x *Toxic) Heal(t testing.TB) {
	t.Helper()
	x.proxy.Toxics.ResetToxics(t.Context())
}

func (x *Toxic) add(t testing.TB, kind, stream string, attributes map[string]int64) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "attributes": attributes})
	if err == nil {
		_, err = x.proxy.Toxics.AddToxicJson(strings.NewReader(string(text)))
	}
	if err != nil {
		t.Fatalf("add %s: %v", kind, err)
	}
}
