package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// idleError breaks off a connection over which nothing moves.
type idleError struct{ limit time.Duration }

func (e *idleError) Error() string   { return fmt.Sprintf("no byte has moved for %v", e.limit) }
func (e *idleError) Timeout() bool   { return true }
func (e *idleError) Temporary() bool { return false } // the connection is of no more use

// idleDialer opens connections that are broken off when nothing has moved for limit.
type idleDialer struct {
	net.Dialer
	limit time.Duration
	now   func() time.Time
}

func (d *idleDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &idleConn{Conn: conn, limit: d.limit, now: d.now, last: d.now()}
	if s, ok := conn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn() // without it, bytes in the kernel do not count
	}
	return c, nil
}

// idleConn fails with an idleError when no byte has moved in either direction for
// limit. The deadlines of the connection below come several times within it, so that
// bytes which leave the kernel's buffer are seen: they may be megabytes, and the line
// slow.
type idleConn struct {
	net.Conn
	limit time.Duration
	now   func() time.Time
	raw   syscall.RawConn // nil when there is none

	mu     sync.Mutex
	last   time.Time // when a byte moved
	queued int       // bytes that the peer's kernel had not acknowledged, when last looked
	hard   time.Time // of SetWriteDeadline; closing TLS sets one
}

// Read implements net.Conn.
func (c *idleConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 {
			c.moved()
		}
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := c.wait(false); err != nil {
			return 0, err
		}
	}
}

// Write implements net.Conn.
func (c *idleConn) Write(p []byte) (int, error) {
	c.moved() // what lay in the pool was idle for a reason
	done := 0
	for {
		n, err := c.Conn.Write(p[done:])
		done += n
		if n > 0 {
			c.moved()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
		if err := c.wait(true); err != nil {
			return done, err
		}
	}
}

// SetWriteDeadline implements net.Conn.
func (c *idleConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hard = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *idleConn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.Conn.SetReadDeadline(t)
}

// moved notes that a byte has moved and puts the deadlines off.
func (c *idleConn) moved() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = c.now()
	c.putOff()
}

// putOff sets the deadlines to when the connection is looked at next. The caller
// holds the lock.
func (c *idleConn) putOff() {
	next := c.now().Add(max(c.limit/8, time.Millisecond))
	_ = c.Conn.SetReadDeadline(next) // fails when it is closed, and so does what comes next
	if !c.hard.IsZero() && c.hard.Before(next) {
		next = c.hard
	}
	_ = c.Conn.SetWriteDeadline(next)
}

// wait is called when a deadline has passed. It returns an error when the connection
// is to be given up, and puts the deadline off otherwise.
func (c *idleConn) wait(write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if write && !c.hard.IsZero() && !c.now().Before(c.hard) {
		return os.ErrDeadlineExceeded
	}
	queued := c.unacknowledged()
	if queued < c.queued {
		c.last = c.now()
	}
	c.queued = queued
	if c.now().Sub(c.last) >= c.limit {
		return &idleError{c.limit}
	}
	c.putOff()
	return nil
}

// unacknowledged returns how many bytes wait in the kernel for the peer.
func (c *idleConn) unacknowledged() int {
	queued := 0
	if c.raw != nil {
		_ = c.raw.Control(func(fd uintptr) { queued, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	}
	return max(queued, 0)
}
