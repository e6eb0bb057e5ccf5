package s3

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	// askFirst is the size of a body from which on the server is asked whether it
	// wants it: one that refuses early resets the connection, and its reason is lost.
	askFirst = 1 << 20
	// askPatience is how long its answer is waited for before the body is sent anyway.
	askPatience = 500 * time.Millisecond
)

// newTransport returns the connections of a store, HTTP/1.1 so that a call has one
// of its own.
func newTransport(c Config) (*http.Transport, error) {
	roots, err := authorities(c.CAFile)
	if err != nil {
		return nil, err
	}
	keepAlive := net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}
	d := &idleDialer{Dialer: net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepAlive}, limit: c.Idle, now: time.Now}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           d.dial,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(64)},
		TLSHandshakeTimeout:   handshakeTimeout,
		MaxIdleConnsPerHost:   c.Connections,
		IdleConnTimeout:       min(30*time.Second, c.Idle/2), // before the connection breaks itself off
		ExpectContinueTimeout: askPatience,
		DisableCompression:    true,
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
	}, nil
}

// authorities returns the system's certificates and those of a PEM file, or nil,
// which stands for the system's, without one.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, marked(fmt.Errorf("read the authorities of ca=: %w", err), ErrTLS)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, marked(errors.New("the file of ca= holds no PEM certificate"), ErrTLS)
	}
	return pool, nil
}

// exchange is what is learnt of a request beside its result. It travels in the
// request's context.
type exchange struct {
	mu     sync.Mutex
	key    keyID     // of the credentials that signed it
	date   time.Time // the server's clock, of its answer; zero without one
	status int       // of the answer; 0 without one
}

type exchangeKey struct{}

// keyID tells credentials apart without being them.
type keyID [sha256.Size]byte

func idOf(access, token string) keyID { return sha256.Sum256([]byte(access + "\x00" + token)) }

// observer is the http.RoundTripper that fills exchanges, and that has large bodies
// asked for. The headers that it adds are not signed.
type observer struct{ inner http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (o observer) RoundTrip(r *http.Request) (*http.Response, error) {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	if x == nil {
		return o.inner.RoundTrip(r)
	}
	if r.Method == http.MethodPut && r.ContentLength >= askFirst {
		r = r.Clone(r.Context())
		r.Header.Set("Expect", "100-continue")
	}
	x.mu.Lock()
	x.key, x.date, x.status = idOf(accessKey(r), r.Header.Get("X-Amz-Security-Token")), time.Time{}, 0
	x.mu.Unlock()
	resp, err := o.inner.RoundTrip(r)
	if err == nil {
		x.mu.Lock()
		x.date, _ = http.ParseTime(resp.Header.Get("Date")) // zero when there is none
		x.status = resp.StatusCode
		x.mu.Unlock()
	}
	return resp, err
}

// accessKey returns whose signature a request has.
func accessKey(r *http.Request) string {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	access, _, _ := strings.Cut(credential, "/")
	return access
}

// at returns a context that carries a new exchange.
func at(ctx context.Context) (context.Context, *exchange) {
	x := &exchange{}
	return context.WithValue(ctx, exchangeKey{}, x), x
}

// read returns what is known so far.
func (x *exchange) read() (key keyID, date time.Time, status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.key, x.date, x.status
}
