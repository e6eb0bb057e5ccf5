package check

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/pack"
)

func TestParseBudget(t *testing.T) {
	for text, want := range map[string]Budget{
		"30m": {time: 30 * time.Minute}, "90s": {time: 90 * time.Second}, "1h30m": {time: 90 * time.Minute}, "2h": {time: 2 * time.Hour}, "1d": {time: 24 * time.Hour},
		"1h0m30s": {time: time.Hour + 30*time.Second}, "1.5h": {time: 90 * time.Minute}, "10GiB": {bytes: 10 << 30}, "500MB": {bytes: 500_000_000}, "1b": {bytes: 1}, "4097B": {bytes: 4097},
	} {
		got, err := ParseBudget(text)
		if err != nil || got != want || got.IsZero() {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if back, err := ParseBudget(got.String()); err != nil || back != want {
			t.Errorf("%s is written %s: %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"": "a time such as 30m", "30": "30m or 30GiB", "1.5": "a time or a size?", "30M": "30 days at most", "10G": "a size such as 10GiB", "0m": "a time", "0B": "a size",
		"-5m": "a time", "31d": "30 days", "9EiB": "no repository has so many", "all": "a time", "1ms": "a time", "5%": "a time"} {
		if got, err := ParseBudget(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	if (Budget{}).String() != "" || !(Budget{}).IsZero() {
		t.Error("no budget is one")
	}
}

func FuzzParseBudget(f *testing.F) {
	for _, s := range []string{"30m", "1h0m0s", "10GiB", "1w", "1.5h", "30M", "0.000001B", "719h59m59.999s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBudget(s)
		if err != nil {
			return
		}
		if back, err := ParseBudget(b.String()); err != nil || back != b || b.IsZero() {
			t.Fatalf("%q is %+v, and comes back from %q as %+v, %v", s, b, b, back, err)
		}
	})
}

// dataPacks returns the packs of data, which are about as large as each other.
func dataPacks(packs []repo.IndexedPack) []repo.IndexedPack {
	return slices.DeleteFunc(slices.Clone(packs), func(p repo.IndexedPack) bool { return p.Kind != pack.Data })
}

// TestBudgetOfBytes reads packs until their sizes pass a budget; the next run goes on with what was left, and all is read once before any is
// read twice.
func TestBudgetOfBytes(t *testing.T) {
	st, packs := readRepo(t, 5)
	packs = dataPacks(packs)
	r := openRead(t, st)
	size := int64(0)
	for i := range packs {
		size = max(size, int64(packs[i].Size))
	}
	l := ledger{}
	var order []pack.ID
	for run := range 3 {
		o := readWith(All())
		o.Fetches, o.Checkers = 1, 1 // they are found whole in the order in which they were chosen
		o.Budget = Budget{bytes: 2 * size}
		res, err := readBack(t.Context(), r, packs, l, o)
		if err != nil {
			t.Fatal(err)
		}
		left := map[int]uint64{0: 3, 1: 3, 2: 3}[run]
		b := res.Budget
		if b == nil || !b.UsedUp || b.LeftPacks != left || res.Packs != 2 || b.LeftBytes == 0 || b.Limit != o.Budget.String() {
			t.Fatalf("run %d: %+v, %+v", run, res.ReadBack, b)
		}
		if never := map[int]uint64{0: 3, 1: 1, 2: 0}[run]; b.LeftNever != never || (b.LeftOldest == nil) != (never > 0) {
			t.Errorf("run %d: %+v", run, b)
		}
		for _, w := range res.Whole {
			l[w.ID] = int64(run*100 + len(order))
			order = append(order, w.ID)
		}
	}
	if slices.SortFunc(order[:5], func(a, b pack.ID) int { return slices.Compare(a[:], b[:]) }); len(slices.Compact(order[:5])) != 5 {
		t.Errorf("read twice before all were read: %x", order)
	}
	o := readWith(All())
	o.Budget = Budget{bytes: 1} // each run gets on
	if res, err := readBack(t.Context(), r, packs, l, o); err != nil || res.Packs != 1 || !res.Budget.UsedUp {
		t.Errorf("%+v, %v", res.ReadBack, err)
	}
	o.Budget = Budget{bytes: 1 << 40}
	if res, err := readBack(t.Context(), r, packs, l, o); err != nil || res.Packs != 5 || res.Budget.UsedUp || res.Budget.LeftPacks != 0 {
		t.Errorf("%+v, %v", res.ReadBack, err)
	}
}

// TestBudgetOfTime has time pass with each pack. What is begun is read, what is not is left, and the run ends well.
func TestBudgetOfTime(t *testing.T) {
	st, packs := readRepo(t, 6)
	packs = dataPacks(packs)
	r := openRead(t, st)
	began := time.Unix(1_700_000_000, 0)
	for _, tt := range []struct {
		past, budget time.Duration
		want         uint64
	}{{0, 3 * time.Minute, 3}, {time.Hour, 3 * time.Minute, 1}, {0, time.Hour, 6}} {
		var minutes atomic.Int64
		o := readWith(All())
		o.Fetches, o.Checkers = 1, 1
		o.Began, o.Budget = began, Budget{time: tt.budget}
		o.Now = func() time.Time { return began.Add(tt.past + time.Duration(minutes.Load())*time.Minute) }
		o.Events.Step = func(uint64) { minutes.Add(1) }
		res, err := readBack(t.Context(), r, packs, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		// one more may be on its way when the budget ends
		if res.Packs < tt.want || res.Packs > min(tt.want+1, 6) || res.Budget.UsedUp != (tt.want < 6) || res.Budget.LeftPacks != 6-res.Packs {
			t.Errorf("%s of %s: %+v, %+v", tt.budget, tt.past, res.ReadBack, res.Budget)
		}
	}
}

// TestCovers reads packs of a part alone; what is said of all packs stays what it is.
func TestCovers(t *testing.T) {
	st, packs := readRepo(t, 6)
	packs = dataPacks(packs)
	r := openRead(t, st)
	some := map[pack.ID]bool{packs[1].ID: true, packs[4].ID: true}
	o := readWith(All())
	o.Covers = func(_ pack.Kind, id pack.ID) bool { return some[id] }
	l := ledger{packs[4].ID: 5, packs[0].ID: 6}
	res, err := readBack(t.Context(), r, packs, l, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range res.Whole {
		if !some[w.ID] {
			t.Errorf("pack %x was read", w.ID)
		}
	}
	rest := sizeOf(packs) - sizeOf([]repo.IndexedPack{packs[1], packs[4]})
	if res.Packs != 2 || res.Never != 3 || res.Remaining != rest || res.Oldest != nil || res.part.Never != 0 || res.part.Remaining != 0 || res.part.Oldest == nil {
		t.Errorf("%+v, of the part %+v", res.ReadBack, res.part)
	}
}
