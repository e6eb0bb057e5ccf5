package storetest

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"savepoint/repo/storage"
)

func testRoundTrip(t *testing.T, s storage.Store) {
	sizes := []int{1, 2, 511, 4096, 65537, 256 << 10, 256<<10 + 1, 3<<20 + 17}
	for i, n := range sizes {
		name := "data/0f/" + strings.Repeat("ab", i+1)
		data := body(byte(i), n)
		put(t, s, name, data)
		want(t, s, name, data)
	}
	for _, name := range []string{"config", "a.b", "A-Z_0.9", "...", "d/..e", strings.Repeat("n", 200), "1/2/3/4/5/6/7/8"} {
		put(t, s, name, []byte(name))
		want(t, s, name, []byte(name))
	}
}

func testRanges(t *testing.T, s storage.Store) {
	const size = 1000
	data := body(3, size)
	put(t, s, "o", data)
	tests := []struct {
		name   string
		off, n int64
		beyond bool
	}{
		{"all", 0, size, false},
		{"to the end", 0, -1, false},
		{"any negative length", 10, -77, false},
		{"first byte", 0, 1, false},
		{"last byte", size - 1, 1, false},
		{"last byte to the end", size - 1, -1, false},
		{"middle", 100, 300, false},
		{"exact end", 900, 100, false},
		{"nothing", 5, 0, false},
		{"nothing at the end", size, 0, false},
		{"to the end from the end", size, -1, false},
		{"one too many", 0, size + 1, true},
		{"one beyond the end", size, 1, true},
		{"nothing beyond the end", size + 1, 0, true},
		{"to the end from beyond", size + 1, -1, true},
		{"far beyond", math.MaxInt64, 1, true},
		{"overflow", 1, math.MaxInt64, true},
		{"both far", math.MaxInt64, math.MaxInt64, true},
		{"negative offset", -1, 2, true},
		{"negative offset to the end", -1, -1, true},
		{"most negative offset", math.MinInt64, -1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := s.Get(t.Context(), "o", tt.off, tt.n, nil)
			if tt.beyond {
				if !errors.Is(err, storage.ErrRange) || len(got) != 0 {
					t.Fatalf("Get = %d bytes, %v, want ErrRange", len(got), err)
				}
				wantOpError(t, err, "get")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			end := tt.off + tt.n
			if tt.n < 0 {
				end = size
			}
			if !bytes.Equal(got, data[tt.off:end]) {
				t.Errorf("Get = %d bytes, want bytes %d to %d", len(got), tt.off, end)
			}
		})
	}
}

func testGetAppends(t *testing.T, s storage.Store) {
	data := body(9, 500)
	put(t, s, "o", data)
	for _, spare := range []int{0, 1, 100, 1000} {
		dst := append(make([]byte, 0, 3+spare), "old"...)
		got, err := s.Get(t.Context(), "o", 100, 100, dst)
		if err != nil {
			t.Fatal(err)
		}
		if wantBytes := append([]byte("old"), data[100:200]...); !bytes.Equal(got, wantBytes) {
			t.Errorf("with %d spare bytes: Get does not append the range to what dst holds", spare)
		}
		if spare >= 100 && &got[0] != &dst[0] {
			t.Errorf("with %d spare bytes: Get does not use the memory of dst", spare)
		}
	}
	dst := []byte("kept")
	for _, name := range []string{"o", "missing"} {
		got, err := s.Get(t.Context(), name, 400, 200, dst)
		if err == nil || string(got) != "kept" {
			t.Errorf("Get(%s) beyond = %q, %v, want dst as it was and an error", name, got, err)
		}
	}
	one, err := s.Get(t.Context(), "o", 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	clear(one)
	want(t, s, "o", data) // what Get returned is the caller's
}

func testMissing(t *testing.T, s storage.Store) {
	put(t, s, "dir/sub/o", []byte("x"))
	for _, name := range []string{"o", "dir", "dir/sub", "dir/sub/p", "dir/sub/o/below", "dir/su", "no/such/place"} {
		t.Run(name, func(t *testing.T) {
			wantAbsent(t, s, name)
			_, err := s.Stat(t.Context(), name)
			wantOpError(t, err, "stat")
			_, err = s.Get(t.Context(), name, 0, 0, nil)
			wantOpError(t, err, "get")
		})
	}
	want(t, s, "dir/sub/o", []byte("x"))
}

func testInvalidNames(t *testing.T, s storage.Store) {
	put(t, s, "o", []byte("x"))
	bad := []string{"", "/", "/o", "o/", "a//b", ".", "..", "../o", "a/../o", "./o", "a b", "a\x00b", "ä", "a\\b", strings.Repeat("n", 513)}
	for _, name := range bad {
		err := putErr(t, s, name, strings.NewReader("y"), 1)
		if err == nil {
			t.Errorf("Put(%.20q) is accepted", name)
			continue
		}
		wantOpError(t, err, "put")
		if _, err := s.Stat(t.Context(), name); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Stat(%.20q) = %v, want ErrNotExist", name, err)
		}
		if _, err := s.Get(t.Context(), name, 0, -1, nil); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Get(%.20q) = %v, want ErrNotExist", name, err)
		}
		if err := s.Delete(t.Context(), "o", name); err == nil {
			t.Errorf("Delete(%.20q) is accepted", name)
		}
	}
	want(t, s, "o", []byte("x"))
	if got := names(list(t, s, "", "")); len(got) != 1 {
		t.Errorf("List = %q, want o alone", got)
	}
}

func testDelete(t *testing.T, s storage.Store) {
	all := []string{"a", "b", "d/1", "d/2", "d/e/3", "leases/x/0", "leases/x/1"}
	for _, name := range all {
		put(t, s, name, []byte(name))
	}
	del := func(names ...string) {
		t.Helper()
		if err := s.Delete(t.Context(), names...); err != nil {
			t.Fatalf("Delete(%q): %v", names, err)
		}
	}
	del()
	del("missing")
	del("no/such/place", "d", "d/e", "a/below")
	if got := list(t, s, "", ""); len(got) != len(all) {
		t.Fatalf("deleting what is missing leaves %q", names(got))
	}
	del("a")
	wantAbsent(t, s, "a")
	del("d/1", "missing", "d/e/3", "b", "d/1", "leases/x/1", "leases/x/0")
	if got := names(list(t, s, "", "")); len(got) != 1 || got[0] != "d/2" {
		t.Fatalf("List = %q, want d/2", got)
	}
	for _, name := range all { // again, where directories may have gone
		put(t, s, name, []byte("new "+name))
		want(t, s, name, []byte("new "+name))
	}
}

func testConcurrent(t *testing.T, s storage.Store) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 10 {
				name := "shared/" + string(rune('a'+i)) + "/" + string(rune('a'+g))
				data := body(byte(g), 100*i+g+1)
				if err := putErr(t, s, name, bytes.NewReader(data), int64(len(data))); err != nil {
					t.Error(err)
					return
				}
				got, err := s.Get(t.Context(), name, 0, -1, nil)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("Get(%s) after Put: %d bytes, %v", name, len(got), err)
				}
				for _, err := range s.List(t.Context(), "shared/", "") {
					if err != nil {
						t.Error(err)
					}
				}
				if i%2 == 1 {
					if err := s.Delete(t.Context(), name); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if got := len(list(t, s, "shared/", "")); got != 40 {
		t.Errorf("%d objects are left, want 40", got)
	}
}

// testConcurrentOverwrite has readers look for a mixture of two bodies.
func testConcurrentOverwrite(t *testing.T, s storage.Store) {
	bodies := [][]byte{bytes.Repeat([]byte{'a'}, 300_000), bytes.Repeat([]byte{'b'}, 300_000)}
	put(t, s, "d/o", bodies[0])
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for _, b := range bodies {
		writers.Go(func() {
			for range 15 {
				if err := putErr(t, s, "d/o", bytes.NewReader(b), int64(len(b))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				got, err := s.Get(t.Context(), "d/o", 0, -1, nil)
				if err != nil || !bytes.Equal(got, bodies[0]) && !bytes.Equal(got, bodies[1]) {
					t.Errorf("Get while it is put again: %d bytes that are neither body, %v", len(got), err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

// testConcurrentDelete lets one goroutine empty the places in which others put. A store
// that is known to forget what was put then may do so for a few.
func testConcurrentDelete(t *testing.T, s storage.Store, forgets bool) {
	const few = 3 // of 90; one of some 20,000 was seen
	var wg sync.WaitGroup
	var forgotten atomic.Int32
	for g := range 6 {
		wg.Go(func() {
			name := "l/x/" + string(rune('0'+g))
			for range 15 {
				if err := putErr(t, s, name, strings.NewReader("lease"), 5); err != nil {
					t.Errorf("Put while neighbours are deleted: %v", err)
				}
				_, err := s.Stat(t.Context(), name)
				if forgets && errors.Is(err, storage.ErrNotExist) && forgotten.Add(1) <= few {
					t.Logf("%s was stored, says the store, and is not there: known of it", name)
				} else if err != nil {
					t.Errorf("Stat while neighbours are deleted: %v", err)
				}
				if err := s.Delete(t.Context(), name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := list(t, s, "", ""); len(got) != 0 {
		t.Errorf("List = %q, want nothing", names(got))
	}
}

// testTimeOrder brackets an object with two others: the only clock is the store's.
func testTimeOrder(t *testing.T, s storage.Store) {
	const slack = time.Second
	var last storage.Info
	for i := range 20 {
		name := "t/" + string(rune('a'+i))
		put(t, s, name, []byte("x"))
		info := stat(t, s, name)
		if info.Time.Before(last.Time.Add(-slack)) {
			t.Errorf("%s was published after %s, and its time is earlier: %v, %v", name, last.Name, info.Time, last.Time)
		}
		last = info
	}
	for _, info := range list(t, s, "t/", "") {
		if st := stat(t, s, info.Name); !st.Time.Equal(info.Time) || st != info {
			t.Errorf("List says %+v, Stat %+v", info, st)
		}
	}
}

// testTimeOfPublication holds a body back until the store's clock has moved on, as
// objects put meanwhile show.
func testTimeOfPublication(t *testing.T, s storage.Store) {
	const size = 300_000
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	held := readerFunc(func(p []byte, off int64) (int, error) {
		once.Do(func() {
			close(reached)
			<-release
		})
		return bytes.NewReader(body(1, size)).ReadAt(p, off)
	})
	done := make(chan error, 1)
	go func() { done <- putErr(t, s, "held", held, size) }()
	select {
	case <-reached:
	case err := <-done:
		t.Fatalf("Put returns before it has read the body: %v", err)
	}
	put(t, s, "probe", []byte("x"))
	first := stat(t, s, "probe")
	now := first
	for !now.Time.After(first.Time) {
		put(t, s, "probe", []byte("x"))
		now = stat(t, s, "probe")
	}
	wantAbsent(t, s, "held")
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want(t, s, "held", body(1, size))
	if got := stat(t, s, "held"); got.Time.Before(now.Time) {
		t.Errorf("time is %v, and at %v the object was not published yet", got.Time, now.Time)
	}
}

var errBody = errors.New("body cannot be read")

func testBadBody(t *testing.T, s storage.Store) {
	const size = 600_000
	data := body(5, size)
	tests := []struct {
		name string
		body io.ReaderAt
		is   error
	}{
		{"no byte", bytes.NewReader(nil), nil},
		{"one byte short", bytes.NewReader(data[:size-1]), nil},
		{"far too short", bytes.NewReader(data[:10]), nil},
		{"fails at once", readerFunc(func([]byte, int64) (int, error) { return 0, errBody }), errBody},
		{"fails in the middle", readerFunc(func(p []byte, off int64) (int, error) {
			if off+int64(len(p)) > size/2 {
				return 0, errBody
			}
			return copy(p, data[off:]), nil
		}), errBody},
		{"fails at the last byte", readerFunc(func(p []byte, off int64) (int, error) {
			n := copy(p, data[off:])
			if off+int64(n) == size {
				return n - 1, errBody
			}
			return n, nil
		}), errBody},
	}
	put(t, s, "b/old", []byte("old"))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"b/new", "b/old"} {
				err := putErr(t, s, name, tt.body, size)
				if err == nil || tt.is != nil && !errors.Is(err, tt.is) {
					t.Fatalf("Put(%s) = %v, want an error (%v)", name, err, tt.is)
				}
				if errors.Is(err, storage.ErrNotExist) {
					t.Errorf("Put(%s) = %v, which is no question of existence", name, err)
				}
				wantOpError(t, err, "put")
			}
			wantAbsent(t, s, "b/new")
			want(t, s, "b/old", []byte("old"))
		})
	}
}
