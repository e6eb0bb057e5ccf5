package drill_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/verify"
	"savepoint/verify/drill"
)

// TestNoSource asks for what nobody has: that is no drill, and leaves no report. Where a manifest is gone that a report tells of, it was of that,
// and is one.
func TestNoSource(t *testing.T) {
	w := newWorld(t)
	ask := func(q repo.Query) drill.Options {
		o := w.options()
		o.Dataset, o.Host = q.Dataset, q.Host
		o.Select = func(snaps []*repo.Snapshot) (repo.Choice, error) {
			c, err := repo.Select(snaps, q)
			if err != nil {
				err = fmt.Errorf("%w: %w", drill.ErrNoSource, err)
			}
			return c, err
		}
		return o
	}
	w.backup("world-1")
	lost := w.backup("world-9")
	w.clock = w.clock.Add(time.Hour)
	reports := func() []string {
		return slices.DeleteFunc(w.st.Objects(), func(name string) bool { return !strings.HasPrefix(name, "reports/") })
	}
	before := reports()
	d, err := drill.Run(t.Context(), ask(repo.Query{Dataset: "wrold", Host: "world-9"}))
	if d != nil || !errors.Is(err, drill.ErrNoSource) || !errors.Is(err, repo.ErrNoSnapshot) || !slices.Equal(reports(), before) {
		t.Errorf("%+v, %v; reports before and after: %d, %d", d, err, len(before), len(reports()))
	}
	q := repo.Query{Dataset: lost.Dataset, Host: lost.Host}
	w.run(ask(q), verify.Restored, 0)
	if err := w.st.Delete(t.Context(), lost.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(ask(q), verify.Damage, 4); err == nil || !strings.Contains(err.Error(), "A recovery point is lost") {
		t.Error(err)
	}
}
