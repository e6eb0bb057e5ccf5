package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
	"savepoint/verify"
)

const readPassword = "correct horse"

// readRepo makes a repository in which each of n sessions left a pack of data and one of pages, and returns what its index says of them.
func readRepo(t testing.TB, n int) (*mem.Store, []repo.IndexedPack) {
	t.Helper()
	st := mem.New(nil)
	slots := []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: readPassword, WorkFactor: 1}}
	r, err := repo.Init(t.Context(), st, slots, repo.Options{Sealers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := readFill(t.Context(), r, uint64(i), 20_000); err != nil {
			t.Fatal(err)
		}
	}
	return st, readIndex(t, st)
}

// readFill stores one chunk of size bytes, half of them random, and a page that names it.
func readFill(ctx context.Context, r *repo.Repo, seed uint64, size int) error {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b[size/2:])
	for i := range b[:size/2] {
		b[i] = "gold=100name=joelevel=17region=9"[i*i/7%32]
	}
	return r.Write(ctx, "world", "host", func(ctx context.Context, s *repo.Session) error {
		data, meta := s.NewStream(repo.Data), s.NewStream(repo.Meta)
		put, err := data.Put(ctx, b)
		if err != nil {
			return err
		}
		dir := tree.NewDirBuilder(meta, r.Cutter())
		e := &tree.Entry{Name: "a", Type: tree.File, Size: uint64(size), Content: []tree.Element{{ID: put.ID, Length: uint64(size)}}}
		if err := dir.Add(ctx, e); err != nil {
			return err
		}
		content, err := dir.Finish(ctx)
		if err != nil {
			return err
		}
		if err := errors.Join(data.Flush(ctx), meta.Flush(ctx)); err != nil {
			return err
		}
		_, err = s.Commit(ctx, &tree.Manifest{Mode: tree.Incremental, Completeness: tree.Complete,
			Roots: []tree.Root{{Path: "/srv", Entry: tree.Entry{Type: tree.Directory, Content: content}}}})
		return err
	})
}

func readRing(t testing.TB, st *mem.Store) *seal.Ring {
	t.Helper()
	id, err := seal.PassphraseIdentity(readPassword)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range st.Objects() {
		if !strings.HasPrefix(name, "keys/") {
			continue
		}
		slot, err := seal.OpenSlot(readObject(t, st, name), id)
		if err != nil {
			t.Fatal(err)
		}
		key, err := slot.Primary()
		if err != nil {
			t.Fatal(err)
		}
		return seal.NewRing(slot.Repo, key)
	}
	t.Fatal("no key slot")
	return nil
}

func readIndex(t testing.TB, st *mem.Store) []repo.IndexedPack {
	t.Helper()
	ring := readRing(t, st)
	var out []repo.IndexedPack
	for _, name := range st.Objects() {
		if !strings.HasPrefix(name, "index/") {
			continue
		}
		b, err := ring.Open(seal.Segment, name, readObject(t, st, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		seg, err := record.DecodeSegment(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range seg.Directories() {
			out = append(out, repo.NewIndexedPack(seg.Kind, &p))
		}
	}
	return out
}

func readObject(t testing.TB, st storage.Store, name string) []byte {
	t.Helper()
	b, err := st.Get(t.Context(), name, 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func openRead(t testing.TB, st storage.Store) *repo.Repo {
	t.Helper()
	r, err := repo.Open(t.Context(), st, repo.Secret{Passphrase: readPassword}, repo.Options{Sealers: 2})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ticks is a clock that goes on by a nanosecond with each look.
func ticks() func() time.Time {
	var n atomic.Int64
	return func() time.Time { return time.Unix(0, 1_000_000+n.Add(1)) }
}

func readWith(a Amount) readOptions {
	return readOptions{Amount: a, Now: ticks(), Fetches: 2, Checkers: 2}
}

func faultNames(faults []packFault) []string {
	out := []string{}
	for i := range faults {
		out = append(out, faults[i].Name())
	}
	slices.Sort(out)
	return out
}

func wholeNames(res *readResult) map[string]int64 {
	out := map[string]int64{}
	for _, b := range res.Whole {
		out[pack.Name(b.Kind, b.ID)] = b.Time
	}
	return out
}

// holdResult holds that each pack is whole or in one of the lists, which are those.
func holdResult(t *testing.T, what string, res *readResult, packs []repo.IndexedPack, damaged, failed []string) {
	t.Helper()
	if diff := cmp.Diff([][]string{damaged, failed}, [][]string{faultNames(res.Damaged), faultNames(res.Failed)}); diff != "" {
		t.Errorf("%s: damaged, failed: -want +got:\n%s", what, diff)
	}
	whole := wholeNames(res)
	for i := range packs {
		name := packs[i].Name()
		if _, ok := whole[name]; ok == (slices.Contains(damaged, name) || slices.Contains(failed, name)) {
			t.Errorf("%s: %s is whole: %v", what, name, ok)
		}
	}
	if want := len(packs) - len(damaged) - len(failed); int(res.Packs) != want || len(res.Whole) != want {
		t.Errorf("%s: %d packs whole, %d in the list, want %d", what, res.Packs, len(res.Whole), want)
	}
}

func TestReadBackWhole(t *testing.T) {
	st, packs := readRepo(t, 5)
	var total, steps atomic.Uint64
	o := readWith(All())
	o.Events = Events{
		Phase: func(name string, n uint64) {
			if name != "data" {
				t.Errorf("phase %s", name)
			}
			total.Add(n)
		},
		Step: func(n uint64) { steps.Add(n) },
	}
	r := openRead(t, st)
	res, err := readBack(t.Context(), r, packs, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	holdResult(t, "whole", &res, packs, []string{}, []string{})
	size := sizeOf(packs)
	if res.Bytes != size || res.Chunks != 10 || total.Load() != size || steps.Load() != size || res.Wanted != "all" || res.Seconds <= 0 {
		t.Errorf("%+v, %d bytes of %d told", res.ReadBack, steps.Load(), total.Load())
	}
	oldest := slices.Min(slices.Collect(maps.Values(wholeNames(&res))))
	if res.Never != 0 || res.Remaining != 0 || res.Oldest == nil || res.Oldest.UnixNano() != oldest || oldest <= 1_000_000 {
		t.Errorf("%+v, oldest %d", res.ReadBack, oldest)
	}
	o.Events = Events{}
	if res, err = readBack(t.Context(), r, nil, nil, o); err != nil || res.Packs != 0 || res.Oldest != nil || res.Never != 0 {
		t.Errorf("no packs: %+v, %v", res, err)
	}
}

func TestReadBackDamage(t *testing.T) {
	st, packs := readRepo(t, 3)
	for i := range packs {
		name := packs[i].Name()
		whole := readObject(t, st, name)
		other := packs[(i+1)%len(packs)].Name()
		flipped := func(at int) []byte {
			b := bytes.Clone(whole)
			b[at] ^= 4
			return b
		}
		for what, b := range map[string][]byte{"header flipped": flipped(30), "block flipped": flipped(90), "directory flipped": flipped(len(whole) - 40),
			"end flipped": flipped(len(whole) - 1), "cut": whole[:len(whole)-1], "longer": append(bytes.Clone(whole), 1), "gone": nil, "swapped": readObject(t, st, other)} {
			m := st.Clone()
			m.Replace(name, b)
			res, err := readBack(t.Context(), openRead(t, m), packs, nil, readWith(All()))
			if err != nil {
				t.Errorf("%s %s: %v", name, what, err)
			}
			holdResult(t, name+" "+what, &res, packs, []string{name}, []string{})
			var c *repo.CorruptError
			if len(res.Damaged) == 1 && (!errors.As(res.Damaged[0].Err, &c) || c.Object != name) {
				t.Errorf("%s %s: %v", name, what, res.Damaged[0].Err)
			}
			if res.Never != 0 || res.Oldest == nil || res.Remaining != 0 {
				t.Errorf("%s %s: %+v", name, what, res.ReadBack)
			}
		}
	}
}

// TestReadBackStoreErrs has the store give an error in place of a pack, or of all.
func TestReadBackStoreErrs(t *testing.T) {
	m, packs := readRepo(t, 8)
	name := packs[3].Name()
	st := fault.New(m)
	r := openRead(t, st)
	st.Arm(fault.Rule{Op: fault.Get, Prefix: name, Do: fault.Fail, Count: fault.Forever})
	res, err := readBack(t.Context(), r, packs, nil, readWith(All()))
	if err != nil || len(res.Failed) != 1 || !errors.Is(res.Failed[0].Err, fault.ErrInjected) || errors.Is(res.Failed[0].Err, repo.ErrCorrupt) {
		t.Errorf("one pack fails: %v, %v", faultNames(res.Failed), err)
	}
	holdResult(t, "one fails", &res, packs, []string{}, []string{name})
	if res.Never != 1 || res.Oldest != nil || res.Remaining != uint64(packs[3].Size) {
		t.Errorf("one pack fails: %+v", res.ReadBack)
	}

	st.Arm(fault.Rule{Op: fault.Get, Prefix: name, Do: fault.Flip, N: 900})
	res, err = readBack(t.Context(), r, packs, nil, readWith(All()))
	if err != nil || len(res.Unsteady) != 1 || res.Unsteady[0].Name() != name {
		t.Errorf("a bit flips once: %v, %v", faultNames(res.Unsteady), err)
	}
	holdResult(t, "a bit flips once", &res, packs, []string{}, []string{})

	st.Arm(fault.Rule{Op: fault.Get, Do: fault.Fail, Count: fault.Forever})
	o := readWith(All())
	o.Fetches, o.Checkers = 1, 1
	res, err = readBack(t.Context(), r, packs, nil, o)
	if !errors.Is(err, fault.ErrInjected) || len(res.Failed) != failuresLeft || len(res.Whole)+len(res.Damaged) != 0 || res.Never != 16 {
		t.Errorf("all fail: %d of %d packs tried, %v", len(res.Failed), len(packs), err)
	}
	st.Arm()
}

// TestReadBackWalk has each storage operation fail in turn, and one read in each place give other bytes.
func TestReadBackWalk(t *testing.T) {
	m, packs := readRepo(t, 2)
	gone := packs[1].Name()
	m.Replace(gone, nil)
	st := fault.New(m)
	r := openRead(t, st)
	for at := 0; ; at++ {
		st.Arm(fault.Rule{At: at, Do: fault.Fail})
		o := readWith(All())
		o.Fetches, o.Checkers = 1, 1
		res, err := readBack(t.Context(), r, packs, nil, o)
		if err != nil {
			t.Fatalf("operation %d fails: %v", at, err)
		}
		if st.Ops() <= at {
			holdResult(t, "no operation fails", &res, packs, []string{gone}, []string{})
			if at < 3*2+2+1 {
				t.Errorf("only %d operations", at)
			}
			break
		}
		if len(res.Failed) == 0 && !res.Unsettled {
			t.Errorf("operation %d fails, and nobody says so", at)
		}
		for _, f := range res.Damaged {
			if f.Name() != gone {
				t.Errorf("operation %d fails: %s is taken for damaged", at, f.Name())
			}
		}
	}
}

func TestReadBackGone(t *testing.T) {
	m, packs := readRepo(t, 3)
	gone, lost := packs[0], packs[1]
	m.Replace(gone.Name(), nil)
	m.Replace(lost.Name(), nil)
	c := record.Condemned{Packs: []record.PackRef{{Kind: gone.Kind, ID: gone.ID}, {Kind: packs[2].Kind, ID: packs[2].ID}}}
	payload, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	name := "condemned/" + fmt.Sprintf("%032x", 1)
	b, err := readRing(t, m).Seal(seal.Condemned, name, payload, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	st := fault.New(m)
	r := openRead(t, st)
	res, err := readBack(t.Context(), r, packs, nil, readWith(All()))
	if err != nil || len(res.Gone) != 1 || !slices.Equal(faultNames(res.Damaged), []string{lost.Name()}) || !errors.Is(res.Damaged[0].Err, storage.ErrNotExist) {
		t.Errorf("%d gone, %v damaged, %v", len(res.Gone), faultNames(res.Damaged), err)
	}
	if len(res.Whole) != len(packs)-2 || res.Never != 0 || res.Remaining != 0 {
		t.Errorf("%+v", res.ReadBack)
	}
	st.Arm(fault.Rule{Op: fault.List, Prefix: "condemned/", Do: fault.Fail})
	res, err = readBack(t.Context(), r, packs, nil, readWith(All()))
	if err != nil || !res.Unsettled || len(res.Damaged) != 2 || len(res.Gone) != 0 || len(res.Whole) != len(packs)-2 {
		t.Errorf("the records cannot be listed: %v damaged, %v", faultNames(res.Damaged), err)
	}
}

// TestReadBackCancel ends the run while the fourth pack is on its way: the three before stay in the result.
func TestReadBackCancel(t *testing.T) {
	m, packs := readRepo(t, 4)
	ordered := ledger(nil).order(packs)
	m.Replace(ordered[1].Name(), []byte("damaged"))
	st := fault.New(m)
	r := openRead(t, st)
	ctx, cancel := context.WithCancel(t.Context())
	st.Arm(fault.Rule{Op: fault.Get, Prefix: ordered[3].Name(), Do: fault.Delay, Wait: func(ctx context.Context, _ fault.Op, _ string) error {
		cancel()
		return ctx.Err()
	}})
	o := readWith(All())
	o.Fetches, o.Checkers = 1, 1
	res, err := readBack(ctx, r, packs, ledger{ordered[7].ID: 77}, o)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if len(res.Whole) != 2 || res.Whole[0].ID != ordered[0].ID || res.Whole[1].ID != ordered[2].ID || len(res.Failed) != 0 {
		t.Errorf("%d packs are whole, %d failed", len(res.Whole), len(res.Failed))
	}
	if !slices.Equal(faultNames(res.Damaged), []string{ordered[1].Name()}) || res.Never != 4 || res.Remaining != sizeOf(ordered[3:]) {
		t.Errorf("%v damaged, %+v", faultNames(res.Damaged), res.ReadBack)
	}
	if res, err = readBack(ctx, r, packs, nil, o); !errors.Is(err, context.Canceled) || len(res.Whole) != 0 {
		t.Errorf("cancelled before it began: %v", err)
	}

	// While the damaged pack is read again.
	ctx, cancel = context.WithCancel(t.Context())
	st.Arm(fault.Rule{Op: fault.Stat, Prefix: ordered[1].Name(), At: 1, Do: fault.Delay, Wait: func(ctx context.Context, _ fault.Op, _ string) error {
		cancel()
		return ctx.Err()
	}})
	res, err = readBack(ctx, r, packs, nil, o)
	if !errors.Is(err, context.Canceled) || len(res.Damaged)+len(res.Failed) != 0 || !slices.ContainsFunc(res.Whole, func(b record.ReadBack) bool { return b.ID == ordered[0].ID }) {
		t.Errorf("cancelled between two readings: %v damaged, %v failed, %v", faultNames(res.Damaged), faultNames(res.Failed), err)
	}
}

// TestReadBackMemory holds up those who check, and then sees how many packs are in memory.
func TestReadBackMemory(t *testing.T) {
	m, packs := readRepo(t, 8)
	st := fault.New(m)
	r := openRead(t, st)
	for _, tt := range [][3]int{{1, 1, 2}, {1, 3, 4}, {2, 1, 3}, {2, 2, 3}} {
		fetches, checkers, most := tt[0], tt[1], tt[2]
		reached, release := make(chan struct{}), make(chan struct{})
		st.Arm(fault.Rule{Op: fault.Get, At: most - 1, Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
			close(reached)
			return nil
		}})
		o := readWith(All()).withDefaults(r)
		o.Fetches, o.Checkers = fetches, checkers
		o.Events.Step = func(uint64) { <-release }
		rb := &reader{r: r, o: o, chosen: packs}
		done := make(chan error)
		go func() { done <- rb.run(t.Context()) }()
		<-reached // as many as there may be
		close(release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := len(rb.buffers.all); n != most || len(rb.buffers.free) != n || len(rb.res.Whole) != len(packs) {
			t.Errorf("%d fetches, %d checkers: %d buffers, %d free", fetches, checkers, n, len(rb.buffers.free))
		}
		rb.buffers.unmap()
	}
}

// TestReadBackCounts says how the packs stand after runs that read some.
func TestReadBackCounts(t *testing.T) {
	st, packs := readRepo(t, 3)
	r := openRead(t, st)
	ordered := ledger(nil).order(packs)
	at := func(n int64) *time.Time {
		t := time.Unix(0, n).UTC()
		return &t
	}
	known := func(n int) ledger {
		l := ledger{{1, 2, 3}: 1} // and a pack that is there no more
		for i := range n {
			l[ordered[i].ID] = int64(10 + i)
		}
		return l
	}
	for what, tt := range map[string]struct {
		l      ledger
		amount Amount
		want   verify.ReadBack
	}{
		"nothing, never":   {nil, Amount{}, verify.ReadBack{Never: 6, Remaining: sizeOf(packs)}},
		"nothing, some":    {known(4), Amount{}, verify.ReadBack{Never: 2, Remaining: sizeOf(packs)}},
		"nothing, all":     {known(6), Amount{}, verify.ReadBack{Oldest: at(10), Remaining: sizeOf(packs)}},
		"one of some":      {known(4), Amount{bytes: 1}, verify.ReadBack{Never: 1, Packs: 1, Remaining: sizeOf(packs) - uint64(ordered[4].Size)}},
		"the last of some": {known(5), Amount{bytes: 1}, verify.ReadBack{Oldest: at(10), Packs: 1, Remaining: sizeOf(packs) - uint64(ordered[5].Size)}},
		"one of all":       {known(6), Amount{bytes: 1}, verify.ReadBack{Oldest: at(11), Packs: 1, Remaining: sizeOf(packs) - uint64(ordered[0].Size)}},
	} {
		res, err := readBack(t.Context(), r, packs, tt.l, readWith(tt.amount))
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		got := verify.ReadBack{Never: res.Never, Oldest: res.Oldest, Packs: res.Packs, Remaining: res.Remaining}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", what, diff)
		}
	}
}
