package check

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

func packOf(id byte, size uint32) repo.IndexedPack {
	return repo.IndexedPack{Kind: pack.Data, ID: pack.ID{id}, Size: size}
}

func readAt(id byte, at int64) record.ReadBack {
	return record.ReadBack{PackRef: record.PackRef{Kind: pack.Data, ID: pack.ID{id}}, Time: at}
}

// reportOf is a report that was stored at a time, in nanoseconds.
func reportOf(stored int64, read ...record.ReadBack) *repo.StoredReport {
	return &repo.StoredReport{Stored: time.Unix(0, stored), Report: &record.Report{Kind: record.VerifyReport, ReadBack: read}}
}

func ids(packs []repo.IndexedPack) []byte {
	var out []byte
	for _, p := range packs {
		out = append(out, p.ID[0])
	}
	return out
}

func TestLedger(t *testing.T) {
	l := newLedger([]*repo.StoredReport{
		reportOf(100, readAt(1, 90), readAt(2, 80)),
		reportOf(50, readAt(1, 40), readAt(3, 45)), // another host, and the list is in no order that counts
		reportOf(200, readAt(4, 5000)),             // dated after the store's time of the report
		reportOf(900, readAt(5, 899), readAt(6, 950)),
		reportOf(910),
	}, time.Unix(0, 300))
	want := ledger{{1}: 90, {2}: 80, {3}: 45, {4}: 200, {5}: 300, {6}: 300}
	if len(l) != len(want) {
		t.Errorf("%d packs are known", len(l))
	}
	for id, at := range want {
		if l[id] != at {
			t.Errorf("pack %d at %d, want %d", id[0], l[id], at)
		}
	}
	packs := []repo.IndexedPack{packOf(1, 1), packOf(9, 1), packOf(6, 1), packOf(5, 1), packOf(4, 1), packOf(3, 1), packOf(7, 1), packOf(2, 1)}
	given := slices.Clone(packs)
	if got := ids(l.order(packs)); !slices.Equal(got, []byte{7, 9, 3, 2, 1, 4, 5, 6}) {
		t.Errorf("order %v", got)
	}
	if !slices.Equal(packs, given) {
		t.Error("the caller's packs were changed")
	}
	if got := ids(ledger(nil).order(packs)); !slices.Equal(got, []byte{1, 2, 3, 4, 5, 6, 7, 9}) {
		t.Errorf("order without a ledger %v", got)
	}
}

func TestChoose(t *testing.T) {
	packs := []repo.IndexedPack{packOf(1, 30), packOf(2, 10), packOf(3, 40), packOf(4, 20)} // 100 together
	l := ledger{{1}: 5, {2}: 7}
	for amount, want := range map[string][]byte{
		"all": {3, 4, 1, 2}, "1%": {3}, "40%": {3}, "40.000001%": {3, 4}, "60%": {3, 4}, "61%": {3, 4, 1}, "100%": {3, 4, 1, 2},
		"1B": {3}, "40B": {3}, "59B": {3}, "60B": {3, 4}, "100B": {3, 4, 1, 2}, "99B": {3, 4, 1}, "0.5%": {3}, "10GiB": {3, 4, 1, 2},
	} {
		a, err := ParseAmount(amount)
		if err != nil {
			t.Fatal(err)
		}
		if got := ids(l.choose(packs, a)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", amount, got, want)
		}
		if got := l.choose(nil, a); len(got) != 0 {
			t.Errorf("%s of no pack: %v", amount, got)
		}
	}
	if got := l.choose(packs, Amount{}); len(got) != 0 {
		t.Errorf("nothing: %v", ids(got))
	}
}

// drawPacks draws packs with random IDs.
func drawPacks(t *rapid.T, rng *rand.Rand, label string, most int) []repo.IndexedPack {
	n := rapid.IntRange(0, most).Draw(t, label)
	out := make([]repo.IndexedPack, n)
	for i := range out {
		out[i] = repo.IndexedPack{Kind: pack.Data, Size: 1 + rng.Uint32N(64<<20)}
		for at := 0; at < 32; at += 8 {
			binary.BigEndian.PutUint64(out[i].ID[at:], rng.Uint64())
		}
	}
	return out
}

// TestRunsReadEverything runs P% again and again, on hosts that know one another's reports. Each run reads P% at least, what was never read
// first. So everything there was is read within 100/P runs; those that are added in between put it off by what they have: one run for each P%.
func TestRunsReadEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Amount{share: rapid.Uint32Range(percent/2, 100*percent).Draw(t, "share")}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		packs := drawPacks(t, rng, "packs", 60)
		adds := rapid.Bool().Draw(t, "adds")
		start, added := sizeOf(packs), uint64(0)
		budget := start * uint64(a.share) / (100 * percent) // what may be added if everything is to be read in one run more
		var reports []*repo.StoredReport
		first := slices.Clone(packs)
		runs := int((100*percent+a.share-1)/a.share) + 1
		unread := sizeOf(packs)
		for run := range runs {
			at := int64(run+1) * 1000
			l := newLedger(reports, time.Unix(0, at))
			chosen := l.choose(packs, a)
			if sizeOf(chosen)*(100*percent) < sizeOf(packs)*uint64(a.share) {
				t.Fatalf("%d of %d bytes are read with %s", sizeOf(chosen), sizeOf(packs), a)
			}
			rep := reportOf(at + 999)
			for i, p := range chosen {
				_, known := l[p.ID]
				if !known {
					unread -= uint64(p.Size)
				} else if unread > 0 {
					t.Fatal("a pack is read again while others were never read")
				}
				rep.ReadBack = append(rep.ReadBack, record.ReadBack{PackRef: record.PackRef{Kind: p.Kind, ID: p.ID}, Time: at + int64(i)})
			}
			reports = append(reports, rep)
			if !adds {
				continue
			}
			for _, p := range drawPacks(t, rng, "more", 3) {
				if added+uint64(p.Size) <= budget {
					added += uint64(p.Size)
					unread += uint64(p.Size)
					packs = append(packs, p)
				}
			}
		}
		l := newLedger(reports, time.Unix(0, 1<<40))
		for _, p := range first {
			if _, known := l[p.ID]; !known {
				t.Fatalf("a pack is not read after %d runs of %s", runs, a)
			}
		}
		if !adds && unread > 0 {
			t.Fatalf("%d bytes are not read", unread)
		}
	})
}

// TestTwoHosts has two hosts take turns. Each goes on where the other one stopped.
func TestTwoHosts(t *testing.T) {
	for _, amount := range []string{"10%", "7%", "130B", "1B"} {
		a, err := ParseAmount(amount)
		if err != nil {
			t.Fatal(err)
		}
		var packs []repo.IndexedPack
		for i := range byte(40) {
			packs = append(packs, packOf(i*37, 10))
		}
		var reports []*repo.StoredReport
		count := map[pack.ID]int{}
		for at := int64(0); len(count) < len(packs); at += 100 {
			l := newLedger(reports, time.Unix(0, at)) // what both hosts see
			rep := reportOf(at + 99)
			for i, p := range l.choose(packs, a) {
				if _, known := l[p.ID]; known {
					break // everything was read once: the second turn begins within this run
				}
				count[p.ID]++
				rep.ReadBack = append(rep.ReadBack, readAt(p.ID[0], at+int64(i)))
			}
			if len(rep.ReadBack) == 0 {
				t.Fatalf("%s: a run brings nothing", amount)
			}
			reports = append(reports, rep)
		}
		for id, n := range count {
			if n != 1 {
				t.Errorf("%s: pack %d is read %d times", amount, id[0], n)
			}
		}
	}
}
