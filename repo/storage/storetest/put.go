package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"savepoint/repo/storage"
)

func testOverwrite(t *testing.T, s storage.Store) {
	for _, data := range [][]byte{body(1, 5000), body(1, 5000), body(2, 100_000), body(3, 1)} {
		put(t, s, "d/o", data)
		want(t, s, "d/o", data)
	}
	if got := names(list(t, s, "", "")); len(got) != 1 {
		t.Errorf("List = %q, want one object", got)
	}
}

func testEmptyBody(t *testing.T, s storage.Store) {
	put(t, s, "old", []byte("old"))
	for _, size := range []int64{0, -1, -1 << 63} {
		for _, name := range []string{"old", "new"} {
			err := putErr(t, s, name, strings.NewReader("abc"), size)
			if err == nil {
				t.Fatalf("Put(%s) of %d bytes is accepted", name, size)
			}
			wantOpError(t, err, "put")
		}
	}
	wantAbsent(t, s, "new")
	want(t, s, "old", []byte("old"))
}

// testBodyAtEOF has a reader that says EOF along with its last bytes, as io.ReaderAt
// allows.
func testBodyAtEOF(t *testing.T, s storage.Store) {
	data := body(8, 300_000)
	eager := readerFunc(func(p []byte, off int64) (int, error) {
		n := copy(p, data[min(off, int64(len(data))):])
		if off+int64(n) == int64(len(data)) {
			return n, io.EOF
		}
		return n, nil
	})
	if err := putErr(t, s, "o", eager, int64(len(data))); err != nil {
		t.Fatal(err)
	}
	want(t, s, "o", data)
}

func testLongerBody(t *testing.T, s storage.Store) {
	data := body(8, 300_000)
	if err := putErr(t, s, "o", bytes.NewReader(data), 299_999); err != nil {
		t.Fatal(err)
	}
	want(t, s, "o", data[:299_999])
}

func testIfAbsent(t *testing.T, s storage.Store) {
	put1 := func(name, data string) error {
		return s.Put(t.Context(), name, strings.NewReader(data), int64(len(data)), storage.PutOptions{IfAbsent: true})
	}
	for _, name := range []string{"config", "a/b/c"} {
		if err := put1(name, "first"); err != nil {
			t.Fatal(err)
		}
		before := stat(t, s, name)
		for range 2 {
			err := put1(name, "second one")
			if !errors.Is(err, storage.ErrExists) {
				t.Fatalf("Put(%s) again = %v, want ErrExists", name, err)
			}
			wantOpError(t, err, "put")
		}
		want(t, s, name, []byte("first"))
		if after := stat(t, s, name); !after.Time.Equal(before.Time) {
			t.Errorf("a refused Put moves the time from %v to %v", before.Time, after.Time)
		}
		if err := s.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if err := put1(name, "third"); err != nil {
			t.Fatalf("Put(%s) after Delete: %v", name, err)
		}
		want(t, s, name, []byte("third"))
	}
	put(t, s, "config", []byte("replaced"))
	want(t, s, "config", []byte("replaced"))
}

func testIfAbsentRace(t *testing.T, s storage.Store) {
	for round := range 5 {
		name := "race/" + string(rune('a'+round))
		const racers = 8
		start := make(chan struct{})
		errs := make([]error, racers)
		var wg sync.WaitGroup
		for g := range racers {
			wg.Go(func() {
				data := body(byte(g), 1000+g)
				<-start
				errs[g] = s.Put(t.Context(), name, bytes.NewReader(data), int64(len(data)), storage.PutOptions{IfAbsent: true})
			})
		}
		close(start)
		wg.Wait()
		winner := -1
		for g, err := range errs {
			switch {
			case err == nil && winner >= 0:
				t.Fatalf("%d and %d both win", winner, g)
			case err == nil:
				winner = g
			case !errors.Is(err, storage.ErrExists):
				t.Fatalf("racer %d: %v, want ErrExists", g, err)
			}
		}
		if winner < 0 {
			t.Fatal("nobody wins")
		}
		want(t, s, name, body(byte(winner), 1000+winner))
	}
}

// testRetention holds that a promise is given or refused, and never dropped.
func testRetention(t *testing.T, s storage.Store) {
	put(t, s, "probe", []byte("x"))
	until := stat(t, s, "probe").Time.Add(3 * time.Second)
	err := s.Put(t.Context(), "kept", strings.NewReader("x"), 1, storage.PutOptions{RetainUntil: until})
	if err != nil {
		if !errors.Is(err, storage.ErrUnsupported) {
			t.Fatalf("Put with retention = %v, want ErrUnsupported", err)
		}
		wantOpError(t, err, "put")
		wantAbsent(t, s, "kept")
		return
	}
	want(t, s, "kept", []byte("x"))
	_ = s.Delete(t.Context(), "kept") // a bucket may take a Delete and keep the version
}

func testCancelled(t *testing.T, s storage.Store) {
	put(t, s, "o", []byte("old"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(op string, err error) {
		t.Helper()
		if !isContext(err) {
			t.Errorf("%s with a cancelled context = %v, want the context's error", op, err)
		}
		wantOpError(t, err, op)
	}
	for _, name := range []string{"o", "new"} {
		for _, ifAbsent := range []bool{false, true} {
			check("put", s.Put(ctx, name, strings.NewReader("new"), 3, storage.PutOptions{IfAbsent: ifAbsent}))
		}
	}
	check("delete", s.Delete(ctx, "o"))
	_, err := s.Get(ctx, "o", 0, -1, nil)
	check("get", err)
	_, err = s.Stat(ctx, "o")
	check("stat", err)
	wantAbsent(t, s, "new")
	want(t, s, "o", []byte("old"))
}

// testCancelledByBody cancels while the body is read, at its first and at its last
// byte.
func testCancelledByBody(t *testing.T, s storage.Store) {
	const size = 600_000
	data := body(5, size)
	put(t, s, "c/old", []byte("old"))
	for _, at := range []int64{0, size - 1} {
		for _, name := range []string{"c/new", "c/old"} {
			ctx, cancel := context.WithCancel(t.Context())
			r := readerFunc(func(p []byte, off int64) (int, error) {
				if off <= at && at < off+int64(len(p)) {
					cancel()
				}
				return bytes.NewReader(data).ReadAt(p, off)
			})
			if err := s.Put(ctx, name, r, size, storage.PutOptions{}); !isContext(err) {
				t.Errorf("Put(%s) cancelled at byte %d = %v, want the context's error", name, at, err)
			}
			cancel()
		}
		wantAbsent(t, s, "c/new")
		want(t, s, "c/old", []byte("old"))
	}
}

func testCancelledList(t *testing.T, s storage.Store) {
	end := func(ctx context.Context, each func()) (n int, last error) {
		for _, err := range s.List(ctx, "", "") {
			if last != nil {
				t.Fatalf("List goes on after the error %v", last)
			}
			if last = err; err == nil {
				n++
				each()
			}
		}
		return n, last
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := end(ctx, func() {}); !isContext(err) {
		t.Errorf("List of an empty store with a cancelled context ends with %v", err)
	}
	for _, name := range []string{"a", "b/c", "b/d", "e"} {
		put(t, s, name, []byte("x"))
	}
	n, err := end(ctx, func() {})
	if n != 0 || !isContext(err) {
		t.Errorf("List with a cancelled context yields %d and ends with %v", n, err)
	}
	wantOpError(t, err, "list")
}
