package drill_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/usage"
	"savepoint/repo"
	"savepoint/verify"
	"savepoint/verify/drill"
)

// TestUsage has a clock that goes on whenever it is read, so that only what is timed takes time: the comparison as well.
func TestUsage(t *testing.T) {
	w := newWorld(t)
	var ticks atomic.Int64
	u := usage.New(usage.Options{CPU: func() (time.Duration, time.Duration) { return 0, 0 },
		Now: func() time.Time { return time.Unix(0, ticks.Add(int64(time.Second))) }})
	o := w.options()
	var target time.Duration
	o.Open = func(_ context.Context, cache string) (drill.Opened, error) {
		r, err := repo.Open(t.Context(), w.faults, repo.Secret{Passphrase: password}, repo.Options{Cache: cache, Chains: w.chains, Host: "spare", Version: "v1", Usage: u})
		return drill.Opened{Repo: r, KeyFrom: "password (test)"}, err
	}
	o.Events.Comparing = func(uint64, uint64) { target = u.Usage().Waited.Target }
	d, _ := w.run(o, verify.Restored, 0)
	if d.Usage == nil || target <= 0 || d.Usage.Waited.Target <= target.Seconds() || d.Usage.Waited.Source != 0 {
		t.Fatalf("%+v, before the comparison %v", d.Usage, target)
	}
	rep, inside := w.report()
	if !cmp.Equal(d.Usage, inside.Usage) || rep.Usage == nil || rep.Usage.Waited.Target.Round(time.Microsecond).Seconds() != d.Usage.Waited.Target {
		t.Errorf("the report has %+v and %+v", rep.Usage, inside.Usage)
	}
}
