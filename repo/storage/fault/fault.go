// Package fault is a Store that fails as it is told to: a decorator for tests. It
// counts operations, keeps a log of them, and applies rules: an operation fails,
// succeeds with its answer lost, waits, freezes between body and publication, or
// is the last one that the storage saw (a crash); what Get returns is cut short or
// has a bit flipped.
//
// Every call of a method is one operation, but that a Delete of several names is
// one for each name, in order, so that a crash can lie between two of them, and a List
// is one for each iteration. Operations are counted from 0.
//
// A walk over every failure point:
//
//	for i := 0; ; i++ {
//		s := fault.New(mem.New(nil), fault.Rule{At: i})
//		err := scenario(s)
//		if s.Ops() <= i {
//			break // the scenario needs no more operations than i
//		}
//		…
//	}
package fault

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"

	"savepoint/repo/storage"
)

var _ storage.Store = (*Store)(nil)

var (
	// ErrInjected is the error of a rule that names no other.
	ErrInjected = errors.New("injected fault")
	// ErrStopped is the error of every operation of a store that has stopped.
	ErrStopped = errors.New("storage has stopped")
)

// Record is an operation that the store accepted.
type Record struct {
	Op   Op
	Name string // of the object; for List the prefix
}

// Store is safe for concurrent use. With several goroutines the numbers of the
// operations depend on how these are scheduled.
type Store struct {
	inner storage.Store

	mu      sync.Mutex
	rules   []armed
	log     []Record
	stopped bool
}

// armed is a rule with the number of operations it has matched.
type armed struct {
	Rule
	seen int
}

// New returns a store that applies the rules to inner, all of them to each
// operation, each with a count of its own. Without rules it only counts.
func New(inner storage.Store, rules ...Rule) *Store {
	s := &Store{inner: inner}
	s.Arm(rules...)
	return s
}

// Arm replaces the rules, empties the log, counts from 0 again and ends a stop.
func (s *Store) Arm(rules ...Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules, s.log, s.stopped = make([]armed, len(rules)), nil, false
	for i, r := range rules {
		s.rules[i].Rule = r
	}
}

// Ops returns the number of operations accepted so far, those that failed by a
// rule among them.
func (s *Store) Ops() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.log)
}

// Log returns a copy of the operations accepted so far, in the order in which
// they began.
func (s *Store) Log() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Record(nil), s.log...)
}

// Stopped reports whether the store accepts nothing any more.
func (s *Store) Stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	p, err := s.begin(Put, name)
	if err != nil {
		return err
	}
	if p.freezes() && size > 0 {
		if body, err = readAll(body, size); err != nil {
			return p.error(err, false)
		}
	}
	if err := p.before(ctx); err != nil {
		return err
	}
	if err := s.inner.Put(ctx, name, body, size, o); err != nil {
		return err
	}
	return p.after()
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	p, err := s.begin(Get, name)
	if err != nil {
		return dst, err
	}
	if err := p.before(ctx); err != nil {
		return dst, err
	}
	out, err := s.inner.Get(ctx, name, off, n, dst)
	if err != nil {
		return dst, err
	}
	if err := p.after(); err != nil {
		return dst, err
	}
	return p.damage(out, len(dst)), nil
}

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	p, err := s.begin(Stat, name)
	if err != nil {
		return storage.Info{}, err
	}
	if err := p.before(ctx); err != nil {
		return storage.Info{}, err
	}
	info, err := s.inner.Stat(ctx, name)
	if err != nil {
		return storage.Info{}, err
	}
	if err := p.after(); err != nil {
		return storage.Info{}, err
	}
	return info, nil
}

// List implements storage.Store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		p, err := s.begin(List, prefix)
		if err == nil {
			err = p.wait(ctx)
		}
		if err != nil {
			yield(storage.Info{}, err)
			return
		}
		left := p.entries()
		if left == 0 {
			yield(storage.Info{}, p.failure())
			return
		}
		for info, err := range s.inner.List(ctx, prefix, after) {
			if err == nil {
				err = p.overtaken()
			}
			if err != nil {
				yield(storage.Info{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
			if left--; left == 0 {
				break
			}
		}
		if err := p.failure(); err != nil {
			yield(storage.Info{}, err)
		}
	}
}

// Delete implements storage.Store. Names after one that fails are tried still.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	for _, name := range names {
		if storage.CheckName(name) != nil {
			return s.inner.Delete(ctx, names...) // refuses all of them
		}
	}
	if len(names) == 0 {
		return s.inner.Delete(ctx)
	}
	var failed []error
	for _, name := range names {
		failed = append(failed, s.delete(ctx, name))
	}
	return errors.Join(failed...)
}

func (s *Store) delete(ctx context.Context, name string) error {
	p, err := s.begin(Delete, name)
	if err != nil {
		return err
	}
	if err := p.before(ctx); err != nil {
		return err
	}
	if err := s.inner.Delete(ctx, name); err != nil {
		return err
	}
	return p.after()
}

// begin counts an operation and collects the rules that fire for it.
func (s *Store) begin(op Op, name string) (*plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &plan{store: s, op: op, name: name}
	if s.stopped {
		return nil, p.error(ErrStopped, false)
	}
	s.log = append(s.log, Record{op, name})
	for i := range s.rules {
		r := &s.rules[i]
		if r.Op != Any && r.Op != op || !strings.HasPrefix(name, r.Prefix) {
			continue
		}
		n := r.seen
		r.seen++
		if !r.fires(n) {
			continue
		}
		p.rules = append(p.rules, r.Rule)
		if r.Do == Stop || r.Do == StopDone {
			s.stopped, p.stops = true, true
		}
	}
	return p, nil
}
