package s3_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"savepoint/internal/miniotest"
	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

// open opens a store in a new bucket of a server, with the root account's keys.
func open(t testing.TB, srv *miniotest.Server, change func(*s3.Config)) *s3.Store {
	t.Helper()
	return openAt(t, srv, srv.URL(srv.Bucket(t), ""), change)
}

// openAt opens a store at an address.
func openAt(t testing.TB, srv *miniotest.Server, url string, change func(*s3.Config)) *s3.Store {
	t.Helper()
	c := config(t, srv, url)
	if change != nil {
		change(&c)
	}
	s, err := s3.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// config reads an address and adds the root account's keys.
func config(t testing.TB, srv *miniotest.Server, url string) s3.Config {
	t.Helper()
	c, err := s3.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c.Keys = s3.Keys{Access: srv.AccessKey, Secret: srv.SecretKey}
	return c
}

func put(t testing.TB, s *s3.Store, name string, data []byte) {
	t.Helper()
	if err := putErr(t.Context(), s, name, data, storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func putErr(ctx context.Context, s *s3.Store, name string, data []byte, o storage.PutOptions) error {
	return s.Put(ctx, name, bytes.NewReader(data), int64(len(data)), o)
}

// want checks what an object holds.
func want(t testing.TB, s *s3.Store, name string, data []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), name, 0, -1, nil)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("Get(%s) = %d bytes that equal those put: %v, error %v", name, len(got), bytes.Equal(got, data), err)
	}
}

// wantErr checks the kind of an error: its sentinel, if any, and whether it is
// temporary.
func wantErr(t testing.TB, err, sentinel error, temporary bool) {
	t.Helper()
	oe, ok := errors.AsType[*storage.OpError](err)
	if !ok {
		t.Errorf("error is %v (%T), want an *storage.OpError", err, err)
		return
	}
	if sentinel != nil && !errors.Is(err, sentinel) {
		t.Errorf("error is %v, want one that is %v", err, sentinel)
	}
	for _, other := range []error{storage.ErrNotExist, storage.ErrExists, storage.ErrRange, storage.ErrUnsupported, storage.ErrDenied, storage.ErrSlowDown, context.Canceled, context.DeadlineExceeded} {
		if other != sentinel && errors.Is(err, other) {
			t.Errorf("error %v is %v, want it not to be", err, other)
		}
	}
	if oe.Temporary != temporary {
		t.Errorf("error %v has Temporary %v, want %v", err, oe.Temporary, temporary)
	}
}

func isTemporary(err error) bool {
	oe, ok := errors.AsType[*storage.OpError](err)
	return ok && oe.Temporary
}

// pattern is n bytes that differ at all distances.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + i>>16)
	}
	return b
}

// calls are all methods of a store, on one name.
func calls(s *s3.Store, name string) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"put": func(ctx context.Context) error { return putErr(ctx, s, name, []byte("new"), storage.PutOptions{}) },
		"create": func(ctx context.Context) error {
			return putErr(ctx, s, name+"-new", []byte("new"), storage.PutOptions{IfAbsent: true})
		},
		"get":       func(ctx context.Context) error { _, err := s.Get(ctx, name, 0, -1, nil); return err },
		"get range": func(ctx context.Context) error { _, err := s.Get(ctx, name, 1, 1, nil); return err },
		"stat":      func(ctx context.Context) error { _, err := s.Stat(ctx, name); return err },
		"delete":    func(ctx context.Context) error { return s.Delete(ctx, name+"-gone") },
		"delete many": func(ctx context.Context) error {
			return s.Delete(ctx, name+"-gone", name+"-lost")
		},
		"list": func(ctx context.Context) error {
			for _, err := range s.List(ctx, "", "") {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// callAll makes all calls at the same time and returns their errors.
func callAll(ctx context.Context, s *s3.Store, name string) map[string]error {
	var mu sync.Mutex
	errs := make(map[string]error)
	var wg sync.WaitGroup
	for name, do := range calls(s, name) {
		wg.Go(func() {
			err := do(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	wg.Wait()
	return errs
}
