// Package storetest is the conformance suite of storage.Store. Every implementation
// and every decorator runs it.
//
// It has no clock of its own and never sleeps: what it needs to know about time it
// learns from objects that it puts before, meanwhile and afterwards.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"savepoint/repo/storage"
)

// A Flaw is where a real store is known not to keep the contract, now and then. What
// shows it is logged, up to a bound, and does not fail the suite.
type Flaw int

// ForgetsBesideDeletes is that of a store which now and then reports an object as stored,
// and does not have it, when its folder was emptied by a DELETE at the same moment.
const ForgetsBesideDeletes Flaw = iota + 1

// Run runs the suite. open returns an empty store for each test, which lives until
// the test ends, and logs what it is when that is not plain.
func Run(t *testing.T, open func(testing.TB) storage.Store, known ...Flaw) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, storage.Store)
	}{
		{"RoundTrip", testRoundTrip},
		{"Ranges", testRanges},
		{"GetAppends", testGetAppends},
		{"Missing", testMissing},
		{"InvalidNames", testInvalidNames},
		{"Overwrite", testOverwrite},
		{"EmptyBody", testEmptyBody},
		{"BadBody", testBadBody},
		{"BodyAtEOF", testBodyAtEOF},
		{"LongerBody", testLongerBody},
		{"IfAbsent", testIfAbsent},
		{"IfAbsentRace", testIfAbsentRace},
		{"Retention", testRetention},
		{"Cancelled", testCancelled},
		{"CancelledByBody", testCancelledByBody},
		{"CancelledList", testCancelledList},
		{"TimeOrder", testTimeOrder},
		{"TimeOfPublication", testTimeOfPublication},
		{"Delete", testDelete},
		{"ListOrder", testListOrder},
		{"ListBreak", testListBreak},
		{"ListLive", testListLive},
		{"ListLarge", testListLarge},
		{"Concurrent", testConcurrent},
		{"ConcurrentOverwrite", testConcurrentOverwrite},
		{"ConcurrentDelete", func(t *testing.T, s storage.Store) {
			testConcurrentDelete(t, s, slices.Contains(known, ForgetsBesideDeletes))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

// body is n bytes that depend on seed.
func body(seed byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed + byte(i*7) + byte(i>>8)
	}
	return b
}

func put(t testing.TB, s storage.Store, name string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), name, bytes.NewReader(data), int64(len(data)), storage.PutOptions{}); err != nil {
		t.Fatalf("Put(%s): %v", name, err)
	}
}

func putErr(t testing.TB, s storage.Store, name string, r io.ReaderAt, size int64) error {
	t.Helper()
	return s.Put(t.Context(), name, r, size, storage.PutOptions{})
}

func stat(t testing.TB, s storage.Store, name string) storage.Info {
	t.Helper()
	info, err := s.Stat(t.Context(), name)
	if err != nil {
		t.Fatalf("Stat(%s): %v", name, err)
	}
	return info
}

// want checks that the object is there with these bytes, by Stat and by Get.
func want(t testing.TB, s storage.Store, name string, data []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), name, 0, -1, nil)
	if err != nil {
		t.Fatalf("Get(%s): %v", name, err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("Get(%s): %d bytes differ from the %d that were put", name, len(got), len(data))
	}
	if info := stat(t, s, name); info.Size != int64(len(data)) || info.Name != name || info.Time.IsZero() {
		t.Fatalf("Stat(%s) = %+v, want size %d and a time", name, info, len(data))
	}
}

// wantAbsent checks that no method finds the object.
func wantAbsent(t testing.TB, s storage.Store, name string) {
	t.Helper()
	if _, err := s.Stat(t.Context(), name); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Stat(%s) = %v, want ErrNotExist", name, err)
	}
	if _, err := s.Get(t.Context(), name, 0, -1, nil); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Get(%s) = %v, want ErrNotExist", name, err)
	}
	for info, err := range s.List(t.Context(), name, "") {
		if err != nil {
			t.Errorf("List(%s): %v", name, err)
		}
		if info.Name == name {
			t.Errorf("List(%s) yields an object that should be absent", name)
		}
	}
}

// wantOpError checks the shape that every error has.
func wantOpError(t testing.TB, err error, op string) {
	t.Helper()
	oe, ok := errors.AsType[*storage.OpError](err)
	if !ok {
		t.Errorf("error %v (%T) is no *storage.OpError", err, err)
		return
	}
	if oe.Op != op {
		t.Errorf("error %v has operation %q, want %q", err, oe.Op, op)
	}
}

func list(t testing.TB, s storage.Store, prefix, after string) []storage.Info {
	t.Helper()
	var found []storage.Info
	for info, err := range s.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("List(%q, %q): %v", prefix, after, err)
		}
		found = append(found, info)
	}
	return found
}

func names(infos []storage.Info) []string {
	ns := make([]string, len(infos))
	for i, info := range infos {
		ns[i] = info.Name
	}
	return ns
}

// readerFunc is a body that does what a test wants.
type readerFunc func(p []byte, off int64) (int, error)

func (f readerFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// isContext reports whether err is a context's.
func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
