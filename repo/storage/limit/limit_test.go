package limit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/limit"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/storetest"
)

const mib = 1 << 20

func TestConformance(t *testing.T) {
	for name, o := range map[string]limit.Options{
		"unlimited": {},
		"limited":   {Upload: 1 << 30, Download: 1 << 31},
		"hashing":   {Upload: 1 << 30, Hashing: 1},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(testing.TB) storage.Store { return limit.New(mem.New(nil), o) })
		})
	}
}

// wire is a store whose Put reads the body in small pieces, as a network does, and keeps nothing.
type wire struct {
	*mem.Store
	passes int // how often it reads a body
}

func (w wire) Put(ctx context.Context, name string, body io.ReaderAt, size int64, _ storage.PutOptions) error {
	for range w.passes {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.NewSectionReader(body, 0, size), make([]byte, 32<<10))
		if err != nil || n != size {
			return &storage.OpError{Op: "put", Name: name, Err: fmt.Errorf("%d bytes: %w", n, err)}
		}
	}
	return nil
}

// zeros is a body of any length.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { return len(p), nil }

// within checks a time against another, give or take 5%.
func within(t *testing.T, what string, took, want time.Duration) {
	t.Helper()
	if diff := took - want; diff.Abs() > want/20 {
		t.Errorf("%s takes %v, want %v", what, took, want)
	}
}

// TestRate moves 100 MiB at 10 MiB/s, in different shares and sizes.
func TestRate(t *testing.T) {
	const total, rate = 100 * mib, 10 * mib
	for _, size := range []int64{100, 4 * mib, 25 * mib} {
		for _, workers := range []int{1, 4} {
			moved := int64(total)
			if size == 100 {
				moved = mib // in many calls
			}
			each := moved / size / int64(workers)
			want := time.Duration(float64(each*size*int64(workers)) / rate * float64(time.Second))
			run := func(call func(ctx context.Context, s storage.Store) error) func(*testing.T) {
				return func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						m := mem.New(nil)
						if err := m.Put(t.Context(), "o", zeros{}, size, storage.PutOptions{}); err != nil {
							t.Fatal(err)
						}
						s := limit.New(wire{m, 1}, limit.Options{Upload: rate, Download: rate})
						spend(t, s, 1*mib) // what the buckets hold at first
						began := time.Now()
						var wg sync.WaitGroup
						for range workers {
							wg.Go(func() {
								for range each {
									if err := call(t.Context(), s); err != nil {
										t.Error(err)
										return
									}
								}
							})
						}
						wg.Wait()
						within(t, fmt.Sprint(moved, " bytes"), time.Since(began), want)
					})
				}
			}
			t.Run(fmt.Sprintf("put/%d/%d", size, workers), run(func(ctx context.Context, s storage.Store) error {
				return s.Put(ctx, "x", zeros{}, size, storage.PutOptions{})
			}))
			t.Run(fmt.Sprintf("get/%d/%d", size, workers), run(func(ctx context.Context, s storage.Store) error {
				_, err := s.Get(ctx, "o", 0, size, nil)
				return err
			}))
			t.Run(fmt.Sprintf("get all/%d/%d", size, workers), run(func(ctx context.Context, s storage.Store) error {
				_, err := s.Get(ctx, "o", 0, -1, nil)
				return err
			}))
		}
	}
}

// spend empties both buckets.
func spend(t *testing.T, s storage.Store, burst int64) {
	t.Helper()
	if err := s.Put(t.Context(), "burst", zeros{}, burst, storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "none", 0, burst, nil); !errors.Is(err, storage.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestFull takes the whole of the time from a bucket that is full at first.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := limit.New(wire{mem.New(nil), 1}, limit.Options{Upload: 10 * mib})
		began := time.Now()
		if err := s.Put(t.Context(), "o", zeros{}, 100*mib, storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		within(t, "100 MiB", time.Since(began), 10*time.Second)
	})
}

// clocked is a body that notes when it is read.
type clocked struct {
	began time.Time
	most  *float64 // of read bytes above what the rate allows
	rate  float64
	sum   int64
}

func (c *clocked) ReadAt(p []byte, _ int64) (int, error) {
	c.sum += int64(len(p))
	*c.most = max(*c.most, float64(c.sum)-time.Since(c.began).Seconds()*c.rate)
	return len(p), nil
}

// TestEven holds a pack to the rate at every moment.
func TestEven(t *testing.T) {
	for _, rate := range []int64{100, 10_000, mib, 100 * mib} {
		synctest.Test(t, func(t *testing.T) {
			var most float64
			s := limit.New(wire{mem.New(nil), 1}, limit.Options{Upload: rate})
			size := rate * 5
			body := &clocked{began: time.Now(), most: &most, rate: float64(rate)}
			if err := s.Put(t.Context(), "o", body, size, storage.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			if allowed := float64(rate)/10 + 1; most > allowed || body.sum != size {
				t.Errorf("at %d bytes/s: %f bytes ahead of the rate, %f allowed; %d read", rate, most, allowed, body.sum)
			}
		})
	}
}

func TestHashing(t *testing.T) {
	for passes := 1; passes <= 3; passes++ {
		synctest.Test(t, func(t *testing.T) {
			s := limit.New(wire{mem.New(nil), passes}, limit.Options{Upload: mib, Hashing: passes - 1})
			began := time.Now()
			if err := s.Put(t.Context(), "o", zeros{}, 20*mib, storage.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			within(t, fmt.Sprint(passes, " passes"), time.Since(began), 20*time.Second)
		})
	}
}

// TestApart has large ranges arrive one at a time, and small ones beside them.
func TestApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New(nil)
		if err := m.Put(t.Context(), "o", zeros{}, 4*mib, storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		s := limit.New(m, limit.Options{Download: 4 * mib})
		if _, err := s.Get(t.Context(), "o", 0, 400<<10, nil); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var mu sync.Mutex
		var arrived []time.Duration
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := s.Get(t.Context(), "o", 0, 4*mib, nil); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				arrived = append(arrived, time.Since(began))
			})
		}
		synctest.Wait()
		small := time.Now()
		if _, err := s.Get(t.Context(), "o", 0, 1000, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(small); took > 100*time.Millisecond {
			t.Errorf("a small range waits %v", took)
		}
		wg.Wait()
		for i, at := range arrived {
			within(t, fmt.Sprint("range ", i), at, time.Duration(i+1)*time.Second)
		}
	})
}

// TestCancel ends each kind of wait at once.
func TestCancel(t *testing.T) {
	const rate = 1000
	big := int64(1000 * rate)
	calls := map[string]func(ctx context.Context, s storage.Store) error{
		"put": func(ctx context.Context, s storage.Store) error {
			return s.Put(ctx, "x", zeros{}, big, storage.PutOptions{})
		},
		"get": func(ctx context.Context, s storage.Store) error { _, err := s.Get(ctx, "o", 0, big, nil); return err },
		"get behind another": func(ctx context.Context, s storage.Store) error {
			go func() { _, _ = s.Get(ctx, "o", 0, big, nil) }()
			synctest.Wait()
			_, err := s.Get(ctx, "o", 0, big, nil)
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := mem.New(nil)
				f := fault.New(m)
				s := limit.New(f, limit.Options{Upload: rate, Download: rate})
				ctx, cancel := context.WithTimeout(t.Context(), 3333*time.Millisecond)
				defer cancel()
				began := time.Now()
				err := call(ctx, s)
				if took := time.Since(began); took != 3333*time.Millisecond {
					t.Errorf("it ends after %v", took)
				}
				if _, ok := errors.AsType[*storage.OpError](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error is %v", err)
				}
				if len(m.Objects()) != 0 {
					t.Error("the object was published")
				}
				// What was not used is there for others.
				began = time.Now()
				if err := s.Put(t.Context(), "y", zeros{}, rate, storage.PutOptions{}); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("a second's worth takes %v afterwards", took)
				}
			})
		})
	}
}

// TestPieces has a store that asks for much at a time.
func TestPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var most int
		body := readerFunc(func(p []byte, _ int64) (int, error) {
			most = max(most, len(p))
			return len(p), nil
		})
		s := limit.New(mem.New(nil), limit.Options{Upload: 100 * mib})
		if err := s.Put(t.Context(), "o", body, mib, storage.PutOptions{}); err != nil || most > 64<<10 {
			t.Errorf("Put = %v, reads up to %d bytes at a time", err, most)
		}
	})
}

// eager is a store that reads a body with a buffer that is larger.
type eager struct{ *mem.Store }

func (eager) Put(_ context.Context, _ string, body io.ReaderAt, size int64, _ storage.PutOptions) error {
	n, err := body.ReadAt(make([]byte, size+1000), 0)
	if int64(n) != size || err != io.EOF {
		return fmt.Errorf("%d bytes, %w", n, err)
	}
	return nil
}

func TestEager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := limit.New(eager{mem.New(nil)}, limit.Options{Upload: 100})
		began := time.Now()
		if err := s.Put(t.Context(), "o", bytes.NewReader(make([]byte, 110)), 110, storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		within(t, "110 bytes", time.Since(began), time.Second)
	})
}

type readerFunc func(p []byte, off int64) (int, error)

func (f readerFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// TestRangeThatIsNone must not wait for bytes that cannot exist.
func TestRangeThatIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New(nil)
		if err := m.Put(t.Context(), "o", zeros{}, 10, storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		s := limit.New(m, limit.Options{Download: 32 * mib})
		began := time.Now()
		if _, err := s.Get(t.Context(), "o", 1, math.MaxInt64, nil); !errors.Is(err, storage.ErrRange) {
			t.Errorf("Get = %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("Get takes %v", took)
		}
	})
}

// TestPaidAfter delivers a range whose payment is cancelled after it came.
func TestPaidAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New(nil)
		data := bytes.Repeat([]byte("x"), 100_000)
		if err := m.Put(t.Context(), "o", bytes.NewReader(data), int64(len(data)), storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		got, err := limit.New(m, limit.Options{Download: 1000}).Get(ctx, "o", 0, -1, []byte("kept"))
		if err != nil || len(got) != 4+len(data) || time.Since(began) != time.Second {
			t.Errorf("Get = %d bytes, %v after %v", len(got), err, time.Since(began))
		}
	})
}

// TestFree has nothing but bodies pay.
func TestFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := limit.New(mem.New(nil), limit.Options{Upload: 1, Download: 1})
		if err := s.Put(t.Context(), "o", zeros{}, 1, storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for range 100 {
			if _, err := s.Stat(t.Context(), "o"); err != nil {
				t.Fatal(err)
			}
			for _, err := range s.List(t.Context(), "", "") {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Delete(t.Context(), "o"); err != nil || !time.Now().Equal(began) {
			t.Errorf("Delete = %v, after %v", err, time.Since(began))
		}
	})
}

// TestWaiting tells when calls are held back, whatever ends that.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var waiting, most int
		var since time.Time
		var waited time.Duration
		s := limit.New(wire{mem.New(nil), 1}, limit.Options{Upload: 1000, Download: 1000, Waiting: func(more int) {
			mu.Lock()
			defer mu.Unlock()
			if waiting > 0 {
				waited += time.Since(since)
			}
			since = time.Now()
			waiting += more
			most = max(most, waiting)
		}})
		began := time.Now()
		if err := s.Put(t.Context(), "o", zeros{}, 10_000, storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		within(t, "what was told of a Put", waited, time.Since(began))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		waited = 0
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := s.Get(ctx, "o", 0, 100_000, nil); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		within(t, "what was told of cancelled Gets", waited, 3*time.Second)
		if waiting != 0 || most < 1 {
			t.Errorf("%d wait in the end, %d did at most", waiting, most)
		}
	})
}
