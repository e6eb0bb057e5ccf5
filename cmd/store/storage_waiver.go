package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"savepoint/repo/storage"
)

const (
	// quiet is how long nothing may move after a signal before a call ends.
	quiet = 5 * time.Second
	// lookEvery is how often that is looked at.
	lookEvery = 250 * time.Millisecond
)

// waiver ends the patience with a storage that fails when a signal has come, or a call was given up. A session outlives that for
// a while to make durable what it has; with a storage that does not answer that would be waiting for nothing.
//
// It stands on both sides of what repeats calls: attempts sees each of them fail, calls ends what waits in between.
type waiver struct {
	interrupt context.Context
	failing   atomic.Bool  // the last attempt that ended got no answer
	gaveUp    atomic.Bool  // a call failed for as long as it may, and no attempt was answered since
	moved     atomic.Int64 // when an attempt ended, or read a part of its body, in Unix nanoseconds
}

// attempts notes what comes of each request, and after the signal, or a call that was given up, makes every failure the last.
func (w *waiver) attempts(st storage.Store) storage.Store {
	return &hooked{inner: st, begin: func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }, end: w.judge, read: w.move}
}

func (w *waiver) move() { w.moved.Store(time.Now().UnixNano()) }

func (w *waiver) judge(err error) error {
	if errors.Is(err, context.Canceled) {
		return err // says nothing of the storage
	}
	w.move()
	var op *storage.OpError
	failed := errors.As(err, &op) && op.Temporary
	w.failing.Store(failed)
	if !failed {
		w.gaveUp.Store(false)
	}
	if one, ok := err.(*storage.OpError); ok && failed && (w.interrupt.Err() != nil || w.gaveUp.Load()) {
		return &storage.OpError{Op: one.Op, Name: one.Name, Err: one.Err}
	}
	return err
}

// calls ends every call that is under way, waiting or begun, when the signal has come and the storage fails, or nothing moves.
func (w *waiver) calls(st storage.Store) storage.Store {
	return &hooked{inner: st, begin: w.bound, end: w.conclude}
}

// conclude notes a call that was given up: its error passes, and was repeated for as long as it may.
func (w *waiver) conclude(err error) error {
	var op *storage.OpError
	if errors.As(err, &op) && op.Temporary {
		w.gaveUp.Store(true)
	}
	return err
}

func (w *waiver) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(w.interrupt, func() { w.watch(ctx, cancel) })
	return ctx, func() { stop(); cancel() }
}

// watch looks after a call from the signal on, until it ends.
func (w *waiver) watch(ctx context.Context, cancel context.CancelFunc) {
	since := time.Now()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if moved := time.Unix(0, w.moved.Load()); moved.After(since) {
			since = moved
		}
		if time.Since(since) > quiet {
			w.failing.Store(true) // what comes next need not find that out for itself
		}
		if w.failing.Load() {
			cancel()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

var _ storage.Store = (*hooked)(nil)

// hooked is a store around whose calls something happens: begin gives a call its context and end judges its error. Errors of
// a listing are judged like others; a name that it yields is judged as success.
type hooked struct {
	inner storage.Store
	begin func(context.Context) (context.Context, context.CancelFunc)
	end   func(error) error
	read  func() // before a body is read; nil: nothing
}

// watched is a body of which somebody wants to know that it is read.
type watched struct {
	io.ReaderAt
	read func()
}

// ReadAt implements io.ReaderAt.
func (b watched) ReadAt(p []byte, off int64) (int, error) {
	b.read()
	return b.ReaderAt.ReadAt(p, off)
}

// Put implements storage.Store.
func (h *hooked) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	ctx, done := h.begin(ctx)
	defer done()
	if h.read != nil {
		body = watched{body, h.read}
	}
	return h.end(h.inner.Put(ctx, name, body, size, o))
}

// Get implements storage.Store.
func (h *hooked) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	ctx, done := h.begin(ctx)
	defer done()
	dst, err := h.inner.Get(ctx, name, off, n, dst)
	return dst, h.end(err)
}

// Stat implements storage.Store.
func (h *hooked) Stat(ctx context.Context, name string) (storage.Info, error) {
	ctx, done := h.begin(ctx)
	defer done()
	info, err := h.inner.Stat(ctx, name)
	return info, h.end(err)
}

// List implements storage.Store.
func (h *hooked) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		ctx, done := h.begin(ctx)
		defer done()
		for info, err := range h.inner.List(ctx, prefix, after) {
			if !yield(info, h.end(err)) {
				return
			}
		}
	}
}

// Delete implements storage.Store.
func (h *hooked) Delete(ctx context.Context, names ...string) error {
	ctx, done := h.begin(ctx)
	defer done()
	return h.end(h.inner.Delete(ctx, names...))
}
