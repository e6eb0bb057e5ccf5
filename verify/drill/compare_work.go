package drill

import (
	"context"
	"errors"
	"sync"
)

// task is a piece of the comparison. Exactly one of do and drop is called.
type task interface {
	do(ctx context.Context, w *worker) error
	drop() error // gives back what the task holds
}

// stack holds the tasks that nobody has begun. The one put there last is done first, so that few folders are open at a time.
type stack struct {
	workers int

	mu    sync.Mutex
	free  *sync.Cond // there is a task, or the end
	tasks []task
	idle  int // workers that wait
	over  bool
}

func (s *stack) init(workers int) {
	s.workers = workers
	s.free = sync.NewCond(&s.mu)
}

func (s *stack) put(t task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks = append(s.tasks, t)
	s.free.Signal()
}

// hungry reports whether somebody has nothing to do, or soon will.
func (s *stack) hungry() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tasks) < s.workers
}

// take returns the next task; nil if there is none and the caller does not want to wait, or if there will be none any more.
func (s *stack) take(wait bool) task {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.tasks) == 0 && wait && !s.over {
		if s.idle++; s.idle == s.workers {
			s.over = true
			s.free.Broadcast()
			return nil
		}
		s.free.Wait()
		s.idle--
	}
	if len(s.tasks) == 0 || s.over {
		return nil
	}
	last := len(s.tasks) - 1
	t := s.tasks[last]
	s.tasks[last] = nil
	s.tasks = s.tasks[:last]
	return t
}

// end lets everybody go: after an error nothing is begun any more.
func (s *stack) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.free.Broadcast()
}

// discard drops what nobody began.
func (s *stack) discard() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, t := range s.tasks {
		err = errors.Join(err, t.drop())
	}
	s.tasks = nil
	return err
}

// worker does tasks. One goroutine uses it.
type worker struct {
	c     *comparer
	ahead []*smallFile // open, and being read by the kernel; the oldest first
	bytes int64        // of these
	small []byte
	large buffer
}

// run works until nothing is left, or until the context or something else ends it.
func (w *worker) run(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			w.c.work.end()
			return context.Cause(ctx)
		}
		t := w.c.work.take(len(w.ahead) == 0)
		var err error
		switch {
		case t != nil:
			err = t.do(ctx, w)
		case len(w.ahead) > 0:
			err = w.oldest(ctx)
		default:
			return nil
		}
		if err != nil {
			w.c.work.end()
			return err
		}
	}
}

// close gives back what the worker holds.
func (w *worker) close() error {
	var err error
	for _, f := range w.ahead {
		err = errors.Join(err, f.close())
	}
	w.ahead = nil
	return errors.Join(err, w.large.free())
}
