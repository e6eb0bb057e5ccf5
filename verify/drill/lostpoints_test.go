package drill_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/storage/fault"
	"savepoint/verify"
)

// TestLostPoint deletes the newest manifest, which a report tells of: what comes back is right and older, and the drill says so. Nothing of that
// is in the recovery's time.
func TestLostPoint(t *testing.T) {
	w := newWorld(t)
	first := w.backup("world-1")
	w.clock = w.clock.Add(2 * time.Hour)
	between := w.clock
	w.clock = w.clock.Add(time.Hour)
	lost := w.backup("world-1")
	w.clock = w.clock.Add(time.Hour)
	w.run(w.options(), verify.Restored, 0)
	if err := w.st.Delete(t.Context(), lost.Name); err != nil {
		t.Fatal(err)
	}

	o := w.options()
	o.RPO = 90 * time.Minute
	d, err := w.run(o, verify.Damage, 4)
	if d.Snapshot != first.ID() || len(d.LostPoints) != 1 || d.DamagedCnt != 0 || d.Compared.DifferenceCount != 0 || len(d.Older) != 0 || d.Restored.Files == 0 {
		t.Fatalf("%+v", d)
	}
	p := d.LostPoints[0]
	if p.Object != lost.Name || p.Snapshot != lost.ID() || !p.WindowStart.Equal(lost.Start()) || !p.Published.Equal(lost.Stored) {
		t.Errorf("%+v", p)
	}
	if d.RPO.Seconds < (4*time.Hour-time.Second).Seconds() || d.RPO.Judged || d.RTO.Judged {
		t.Errorf("RPO %+v, RTO %+v", d.RPO, d.RTO)
	}
	if !strings.Contains(err.Error(), "A recovery point is lost, snapshot "+lost.Short()) {
		t.Error(err)
	}
	if _, carried := w.report(); len(carried.LostPoints) != 1 {
		t.Errorf("the report carries %+v", carried)
	}

	// Of an incident before it, nothing is lost.
	for at, verdict := range map[time.Time]verify.Verdict{between: verify.Restored, lost.Start().Add(time.Minute): verify.Damage} {
		o := w.options()
		o.At = at
		o.Select = func(snaps []*repo.Snapshot) (repo.Choice, error) { return repo.Select(snaps, repo.Query{At: at}) }
		w.run(o, verdict, map[verify.Verdict]int{verify.Damage: 4}[verdict])
	}
}

// TestPutBackTooLate puts the newest manifest back when it counts no more: what comes back is right and older, which the drill says, and it is no
// damage.
func TestPutBackTooLate(t *testing.T) {
	w := newWorld(t)
	first := w.backup("world-1")
	w.clock = w.clock.Add(time.Hour)
	late := w.backup("world-1")
	w.clock = w.clock.Add(time.Hour)
	back := late.Stored.Add(repo.TTL + time.Minute)
	w.st.SetTime(late.Name, back)
	d, err := w.run(w.options(), verify.Restored, 0)
	if err != nil || d.Snapshot != first.ID() || d.TooLate == nil || d.TooLate.Snapshot != late.ID() || d.TooLate.Object != late.Name || !d.TooLate.Published.Equal(back) {
		t.Fatalf("%v, %+v", err, d)
	}
	if i := slices.IndexFunc(d.Reasons, func(s string) bool {
		return strings.Contains(s, "Snapshot "+late.Short()+" is newer, and is never chosen by time") && strings.Contains(s, "`store restore "+late.Short()+"`")
	}); i < 0 {
		t.Errorf("reasons %q", d.Reasons)
	}
	if _, carried := w.report(); carried.TooLate == nil || len(carried.LostPoints) > 0 {
		t.Errorf("the report carries %+v", carried)
	}
	w.st.SetTime(late.Name, late.Stored.Add(20*time.Minute)) // in time
	if d, _ := w.run(w.options(), verify.Restored, 0); d.Snapshot != late.ID() || d.TooLate != nil {
		t.Errorf("put back in time: %+v", d)
	}
}

// TestEveryPointLost has nothing left to restore, though there was: that is damage and not a drill that could not run.
func TestEveryPointLost(t *testing.T) {
	w := newWorld(t)
	for _, name := range w.st.Objects() {
		if strings.HasPrefix(name, "snapshots/") {
			if err := w.st.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	d, _ := w.run(w.options(), verify.Damage, 4)
	if len(d.LostPoints) != 1 || d.Dataset == "" || d.Host != "world-1" || d.Snapshot != "" {
		t.Errorf("%+v", d)
	}
}

// TestLostUnknown cannot run when nobody can tell whether a recovery point is lost.
func TestLostUnknown(t *testing.T) {
	w := newWorld(t)
	w.faults.Arm(fault.Rule{Op: fault.List, Prefix: "reports/", Do: fault.Fail})
	d, _ := w.run(w.options(), verify.CouldNotRun, 1)
	if !slices.ContainsFunc(d.Reasons, func(r string) bool { return strings.Contains(r, "look for recovery points that are lost") }) {
		t.Errorf("%v", d.Reasons)
	}
}
