package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/retry"
)

// scripted is a store whose first answers are given.
type scripted struct {
	*mem.Store
	errs    []error
	lists   [][]string
	deleted [][]string // the names of each Delete
}

func (s *scripted) next() error {
	if len(s.errs) == 0 {
		return nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return err
}

func (s *scripted) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	if err := s.next(); err != nil {
		return err
	}
	return s.Store.Put(ctx, name, body, size, o)
}

func (s *scripted) Delete(_ context.Context, names ...string) error {
	s.deleted = append(s.deleted, names)
	return s.next()
}

// List yields the first of its lists, whatever it is asked for, and then its error.
func (s *scripted) List(_ context.Context, prefix, _ string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		names := s.lists[0]
		s.lists = s.lists[1:]
		for _, name := range names {
			if !yield(storage.Info{Name: name, Size: 1}, nil) {
				return
			}
		}
		if err := s.next(); err != nil {
			yield(storage.Info{}, err)
		}
	}
}

var errBoom = errors.New("boom")

func opError(name string, temporary bool) error {
	return &storage.OpError{Op: "delete", Name: name, Temporary: temporary, Err: errBoom}
}

func TestTemporary(t *testing.T) {
	passes, stays := opError("o", true), opError("o", false)
	tests := map[string]struct {
		err  error
		want bool
	}{
		"temporary":                {passes, true},
		"not":                      {stays, false},
		"no OpError":               {errBoom, false},
		"wrapped":                  {fmt.Errorf("x: %w", passes), true},
		"wrapped, not":             {fmt.Errorf("x: %w", stays), false},
		"all joined":               {errors.Join(passes, passes), true},
		"one of the joined is not": {errors.Join(passes, stays), false},
		"joined with another kind": {fmt.Errorf("%w: %w", errBoom, passes), false},
		"the outer decides":        {&storage.OpError{Op: "put", Err: passes}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &scripted{Store: mem.New(nil), errs: []error{tt.err}}
			if err := put(t.Context(), retry.New(s, hasty()), "o", "x"); (err == nil) != tt.want {
				t.Errorf("Put = %v, repeated: want %t", err, tt.want)
			}
		})
	}
}

// TestDeleteErrors has answers that name one, all or none of the objects.
func TestDeleteErrors(t *testing.T) {
	all := []string{"a", "b", "c"}
	tests := map[string]struct {
		errs []error
		want [][]string
		left string // what Delete returns
	}{
		"one for all of a request": {[]error{errors.Join(opError("a", true))}, [][]string{all, all}, ""},
		"alone":                    {[]error{opError("a", true)}, [][]string{all, all}, ""},
		"alone, for good":          {[]error{opError("a", false)}, [][]string{all}, "delete a: boom"},
		"names none":               {[]error{errors.Join(opError("", true))}, [][]string{all, all}, ""},
		"twice":                    {[]error{opError("c", true), opError("b", true)}, [][]string{all, all, all}, ""},
		"one for good":             {[]error{errors.Join(opError("a", false), opError("c", true))}, [][]string{all, {"b", "c"}}, "delete a: boom"},
		"nested": {[]error{errors.Join(errors.Join(opError("a", false), opError("b", false)), opError("c", true))},
			[][]string{all, {"c"}}, "delete a: boom\ndelete b: boom"},
		"for good later": {[]error{errors.Join(opError("a", true), opError("b", true)), errors.Join(opError("b", false))},
			[][]string{all, all}, "delete b: boom"},
		"nothing left": {[]error{errors.Join(opError("a", false), opError("b", false), opError("c", false), opError("", true))},
			[][]string{all}, "delete a: boom\ndelete b: boom\ndelete c: boom\ndelete: boom"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &scripted{errs: tt.errs}
			err := retry.New(s, hasty()).Delete(t.Context(), all...)
			if got := fmt.Sprint(err); got != tt.left && (err != nil || tt.left != "") {
				t.Errorf("Delete = %v, want %q", err, tt.left)
			}
			if !slices.EqualFunc(s.deleted, tt.want, slices.Equal) {
				t.Errorf("names tried are %q, want %q", s.deleted, tt.want)
			}
		})
	}
}

// TestListOutOfOrder ends with an error, and yields nothing twice or out of order.
func TestListOutOfOrder(t *testing.T) {
	passes := &storage.OpError{Op: "list", Temporary: true, Err: errBoom}
	tests := map[string]struct {
		lists [][]string
		want  []string
		ok    bool
	}{
		"in order":          {[][]string{{"b"}, {"c", "d"}}, []string{"b", "c", "d"}, true},
		"backwards":         {[][]string{{"c", "b"}}, []string{"c"}, false},
		"twice":             {[][]string{{"c", "c"}}, []string{"c"}, false},
		"not after":         {[][]string{{"a"}}, nil, false},
		"repeated":          {[][]string{{"b", "c"}, {"c", "d"}}, []string{"b", "c"}, false},
		"begins once again": {[][]string{{"b", "c"}, {"b"}}, []string{"b", "c"}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &scripted{lists: tt.lists}
			if len(tt.lists) > 1 {
				s.errs = []error{passes}
			}
			got, err := list(t.Context(), retry.New(s, hasty()), "", "a")
			if !slices.Equal(got, tt.want) || (err == nil) != tt.ok {
				t.Fatalf("List = %q, %v", got, err)
			}
			if oe, ok := errors.AsType[*storage.OpError](err); !tt.ok && (!ok || oe.Temporary || !strings.Contains(err.Error(), "out of order")) {
				t.Errorf("error is %v", err)
			}
		})
	}
}
