package s3

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// wires returns the two ends of a TCP connection with small buffers; the first breaks
// off after limit.
func wires(t *testing.T, limit time.Duration) (*idleConn, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := &idleDialer{limit: limit, now: time.Now}
	conn, err := d.dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	p := peer.(*net.TCPConn)
	if err := p.SetReadBuffer(32 << 10); err != nil {
		t.Fatal(err)
	}
	return conn.(*idleConn), p
}

// slowly reads n bytes, a few each tick, and then answers.
func slowly(p *net.TCPConn, n int, tick time.Duration) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	buf := make([]byte, 8192)
	for n > 0 {
		<-ticker.C
		got, err := io.ReadAtLeast(p, buf[:min(n, len(buf))], 1)
		if err != nil {
			return err
		}
		n -= got
	}
	_, err := p.Write([]byte("done"))
	return err
}

// TestSlowIsNotIdle has a peer that takes several times the limit for what lies in the
// kernel's buffer, during a write and while an answer is waited for.
func TestSlowIsNotIdle(t *testing.T) {
	t.Parallel()
	const limit, size = 300 * time.Millisecond, 1 << 20
	for _, buffer := range []int{16 << 10, 4 << 20} {
		c, p := wires(t, limit)
		if err := c.Conn.(*net.TCPConn).SetWriteBuffer(buffer); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- slowly(p, size, 5*time.Millisecond) }()
		start := time.Now()
		if n, err := c.Write(make([]byte, size)); n != size || err != nil {
			t.Fatalf("with a buffer of %d: Write = %d, %v", buffer, n, err)
		}
		answer := make([]byte, 4)
		if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "done" {
			t.Fatalf("with a buffer of %d: Read = %q, %v", buffer, answer, err)
		}
		if took := time.Since(start); took < limit {
			t.Errorf("with a buffer of %d it took %v: the limit was never reached", buffer, took)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestIdleIsBrokenOff(t *testing.T) {
	t.Parallel()
	const limit = 200 * time.Millisecond
	check := func(what string, start time.Time, err error) {
		t.Helper()
		idle, ok := errors.AsType[*idleError](err)
		if took := time.Since(start); !ok || !idle.Timeout() || took < limit {
			t.Errorf("%s = %v after %v, want an idleError after %v", what, err, took, limit)
		}
	}
	c, _ := wires(t, limit)
	start := time.Now()
	_, err := c.Write(make([]byte, 64<<20))
	check("Write to a peer that does not read", start, err)

	c, p := wires(t, limit)
	if _, err := p.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	_, err = io.ReadFull(c, make([]byte, 2))
	check("Read from a peer that stops", start, err)
}

// TestWriteDeadline sees that a deadline of TLS, which ends a connection, is heeded.
func TestWriteDeadline(t *testing.T) {
	t.Parallel()
	c, _ := wires(t, time.Hour)
	if err := c.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Write(make([]byte, 64<<20))
	if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
		t.Errorf("Write = %v, want a timeout", err)
	}
}
