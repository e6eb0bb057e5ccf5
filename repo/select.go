package repo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"savepoint/repo/tree"
)

// ErrNoSnapshot is returned when nothing fits a query.
var ErrNoSnapshot = errors.New("no snapshot fits")

// Query says which snapshot is wanted. Zero fields do not filter.
type Query struct {
	// At wants the newest snapshot whose window ended at or before it; zero is now.
	At time.Time
	// ID is the beginning of a snapshot's ID, or "latest".
	ID            string
	Dataset, Host string
	// Path is an absolute path at or beneath one of the snapshot's roots.
	Path string
}

// Choice is a snapshot with what a user should know of its neighbours.
type Choice struct {
	*Snapshot
	// Before and After are the restorable snapshots of the same source next to it; nil when there is none.
	Before, After *Snapshot
	// Clean is the newest complete one at or before the time wanted, when the chosen one has faults or is suspect; else nil.
	Clean *Snapshot
	// TooLate is the newest finished one of the same source at or before the time wanted that is newer than the chosen one and was stored
	// too late to be chosen by time; nil when there is none, or when the chosen one was named by its ID.
	TooLate *Snapshot
	// Without names the other sources that the query fits and that have nothing at the time wanted.
	Without []string
}

// AmbiguousError is returned when snapshots of several sources fit: one choice for each, newest first.
type AmbiguousError struct {
	Choices []Choice
	Without []string // sources that fit and have nothing at the time wanted
}

// Error names the sources.
func (e *AmbiguousError) Error() string {
	var names []string
	for _, c := range e.Choices {
		names = append(names, c.Source())
	}
	return fmt.Sprintf("%d sources fit: %s", len(names), strings.Join(names, ", "))
}

// Restorable reports whether a snapshot may be chosen by time.
func (s *Snapshot) Restorable() bool { return !s.Late && s.Completeness != tree.Interrupted }

// HasPath reports whether path is at or beneath a root of the snapshot.
func (s *Snapshot) HasPath(path string) bool {
	_, _, ok := s.Split(path)
	return ok
}

// Split returns the innermost root that path is at or beneath and the rest of path below it, without a leading slash.
func (s *Snapshot) Split(path string) (root *tree.Root, rest string, ok bool) {
	for i := range slices.Backward(s.Roots) { // in order of path, so that an inner root comes after those it lies in
		r := &s.Roots[i]
		if path == r.Path {
			return r, "", true
		}
		if after, found := strings.CutPrefix(path, strings.TrimSuffix(r.Path, "/")+"/"); found {
			return r, after, true
		}
	}
	return nil, "", false
}

// Select chooses a snapshot. It returns an *AmbiguousError when several sources fit, and an error that wraps ErrNoSnapshot and
// says what there is when none does. An ID wins over At, and may name a snapshot that is late or interrupted.
func Select(snaps []*Snapshot, q Query) (Choice, error) {
	fit := slices.DeleteFunc(slices.Clone(snaps), func(s *Snapshot) bool {
		return q.Dataset != "" && s.Dataset != q.Dataset || q.Host != "" && s.Host != q.Host || q.Path != "" && !s.HasPath(q.Path)
	})
	slices.SortStableFunc(fit, byWindow)
	if q.ID != "" && q.ID != "latest" {
		return selectID(fit, q)
	}
	bySource := map[[2]string][]*Snapshot{}
	for _, s := range fit {
		list := bySource[s.source()] // also of a source that has nothing restorable
		if s.Restorable() {
			list = append(list, s)
		}
		bySource[s.source()] = list
	}
	var choices []Choice
	var without []string // sources that have nothing at the time
	var earliest *Snapshot
	for source, list := range bySource {
		if c, ok := newestAt(list, q.At); ok {
			c.TooLate = tooLate(fit, c.Snapshot, q.At)
			choices = append(choices, c)
			continue
		}
		without = append(without, source[0]+"@"+source[1])
		for _, s := range list {
			if earliest == nil || s.End().Before(earliest.End()) {
				earliest = s
			}
		}
	}
	slices.Sort(without)
	slices.SortFunc(choices, func(a, b Choice) int { return byWindow(b.Snapshot, a.Snapshot) })
	switch {
	case len(choices) == 1:
		choices[0].Without = without
		return choices[0], nil
	case len(choices) > 1:
		return Choice{}, &AmbiguousError{choices, without}
	case earliest != nil:
		return Choice{}, fmt.Errorf("%w: the first one ended at %s", ErrNoSnapshot, earliest.End().UTC().Format(time.RFC3339Nano))
	case len(snaps) == 0:
		return Choice{}, fmt.Errorf("%w: there is none yet", ErrNoSnapshot)
	}
	if len(fit) > 0 {
		return Choice{}, fmt.Errorf("%w: %s", ErrNoSnapshot, unfinished(fit))
	}
	return Choice{}, fmt.Errorf("%w: none of %d is of this source or path", ErrNoSnapshot, len(snaps))
}

// unfinished says what there is when nothing is restorable. The snapshots are in order of window.
func unfinished(snaps []*Snapshot) string {
	var newest *Snapshot
	n := 0
	for _, s := range snaps {
		if s.Completeness == tree.Interrupted {
			newest = s
			n++
		}
	}
	var what []string
	if n > 0 {
		what = append(what, fmt.Sprintf("%d interrupted, the newest %s, which ended at %s", n, newest.Short(), newest.End().UTC().Format(time.RFC3339Nano)))
	}
	if late := len(snaps) - n; late > 0 {
		what = append(what, fmt.Sprintf("%d stored too late", late))
	}
	return "no backup has finished in time: " + strings.Join(what, ", and ")
}

// newestAt returns the newest of one source's snapshots, which are in order of window, that ended at or before t.
func newestAt(list []*Snapshot, t time.Time) (Choice, bool) {
	best := -1
	for i, s := range list {
		if (t.IsZero() || !s.End().After(t)) && (best < 0 || !s.End().Before(list[best].End())) {
			best = i
		}
	}
	if best < 0 {
		return Choice{}, false
	}
	return choice(list, best, t), true
}

// tooLate returns the newest snapshot, of those in order of window, that would have been chosen instead of another had it been stored in time.
func tooLate(fit []*Snapshot, chosen *Snapshot, t time.Time) *Snapshot {
	for _, s := range slices.Backward(fit) {
		if s.source() == chosen.source() && s.Late && s.Completeness != tree.Interrupted && (t.IsZero() || !s.End().After(t)) && s.End().After(chosen.End()) {
			return s
		}
	}
	return nil
}

// choice adds to one of a source's snapshots what is next to it. t is the time wanted; zero is the end of the one chosen.
func choice(list []*Snapshot, i int, t time.Time) Choice {
	c := Choice{Snapshot: list[i]}
	if i > 0 {
		c.Before = list[i-1]
	}
	if i+1 < len(list) {
		c.After = list[i+1]
	}
	if c.clean() {
		return c
	}
	if t.Before(c.End()) {
		t = c.End()
	}
	for _, s := range list {
		if s.clean() && s.Restorable() && !s.End().After(t) && (c.Clean == nil || !s.End().Before(c.Clean.End())) {
			c.Clean = s
		}
	}
	return c
}

// clean reports whether nothing is known to be wrong with the snapshot.
func (s *Snapshot) clean() bool { return s.Completeness == tree.Complete && !s.Suspect }

func (s *Snapshot) source() [2]string { return [2]string{s.Dataset, s.Host} }

func selectID(fit []*Snapshot, q Query) (Choice, error) {
	var found []*Snapshot
	for _, s := range fit {
		if strings.HasPrefix(s.ID(), strings.ToLower(q.ID)) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return Choice{}, fmt.Errorf("%w: none of %d has an ID that begins with %q", ErrNoSnapshot, len(fit), q.ID)
	case 1:
	default:
		return Choice{}, fmt.Errorf("%w: %d have an ID that begins with %q: give more digits", ErrNoSnapshot, len(found), q.ID)
	}
	list := slices.DeleteFunc(slices.Clone(fit), func(s *Snapshot) bool {
		return s.source() != found[0].source() || s != found[0] && !s.Restorable()
	})
	return choice(list, slices.Index(list, found[0]), time.Time{}), nil
}
