package check_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo/seal"
	"savepoint/repo/storage/mem"
	"savepoint/verify"
	"savepoint/verify/check"
)

func machineKey(t testing.TB) (secret, public string) {
	t.Helper()
	secret, public, err := seal.NewMachineKey()
	if err != nil {
		t.Fatal(err)
	}
	return secret, public
}

// TestHealthy has nothing to find in a repository as backups leave it, however little memory there is.
func TestHealthy(t *testing.T) {
	w := newWorld(t)
	d := verified(t, w.st, check.Options{Run: "r", Program: "p"})
	healthy(t, d)
	s := d.Structure
	if s.Snapshots != 4 || s.Packs != 8 || s.Segments != 8 || s.Files < 95 || s.Directories < 5 || s.Chunks < 95 || s.TreeChunks < 5 || s.Orphans != 0 ||
		d.Level != "structure" || d.ReadBack.Packs != 0 || d.ReadBack.Never != 8 || d.Run != "r" || d.Program != "p" || d.Began.IsZero() {
		t.Errorf("document %+v", d)
	}
	small := verified(t, w.st, check.Options{}.WithSet(200))
	if healthy(t, small); small.Structure != s {
		t.Errorf("with little memory %+v, else %+v", small.Structure, s)
	}
	all := verified(t, w.st, wholly)
	if healthy(t, all); all.Level != "data" || all.ReadBack.Packs != 8 || all.ReadBack.Never != 0 || all.ReadBack.Remaining != 0 || all.ReadBack.Chunks < s.Chunks+s.TreeChunks {
		t.Errorf("read back %+v", all.ReadBack)
	}
	next := verified(t, w.st, check.Options{})
	if healthy(t, next); next.ReadBack.Never != 0 || next.ReadBack.Oldest == nil {
		t.Errorf("the next run knows of %+v", next.ReadBack)
	}
}

func TestEmpty(t *testing.T) {
	st := mem.New(nil)
	initRepo(t, st)
	healthy(t, verified(t, st, wholly))
}

// TestDamage harms every object in every way. Verification names it and nothing else, with what it costs, which is what a
// restore misses.
func TestDamage(t *testing.T) {
	w := newWorld(t)
	verified(t, w.st, check.Options{}) // makes a report
	objects := w.st.Objects()
	for n, name := range objects {
		if strings.HasPrefix(name, "keys/") {
			continue // TestKeySlots
		}
		whole := object(t, w.st, name)
		harm := map[string][]byte{"cut": whole[:len(whole)-1], "halved": whole[:len(whole)/2], "longer": append(slices.Clone(whole), 0)}
		for _, at := range []int{0, 9, 40, 70, len(whole) / 2, len(whole) - 40} {
			harm[fmt.Sprint("flipped at ", at)] = flip(whole, at)
		}
		if i := slices.IndexFunc(objects, func(n string) bool { return n != name && kindOf(n) == kindOf(name) }); i >= 0 {
			harm["another"] = object(t, w.st, objects[i])
		}
		for i, how := range slices.Sorted(maps.Keys(harm)) {
			b := harm[how]
			if testing.Short() && (n+i)%4 > 0 {
				continue
			}
			t.Run(name+" "+how, func(t *testing.T) {
				st := w.st.Clone()
				st.Replace(name, b)
				holdDamage(t, st, verified(t, st.Clone(), wholly), name)
			})
		}
	}
}

// TestSwapped exchanges two objects of a kind: both are named.
func TestSwapped(t *testing.T) {
	w := newWorld(t)
	verified(t, w.st, check.Options{})
	verified(t, w.st, check.Options{})
	seen := map[string]string{}
	for _, name := range w.st.Objects() {
		other := seen[kindOf(name)]
		seen[kindOf(name)] = name
		if other == "" || strings.HasPrefix(name, "keys/") {
			continue
		}
		st := w.st.Clone()
		st.Replace(name, object(t, w.st, other))
		st.Replace(other, object(t, w.st, name))
		want := []string{other, name}
		slices.Sort(want)
		if got := objectsOf(verified(t, st, wholly), verify.Loss, verify.Risk, verify.Note); !slices.Equal(got, want) {
			t.Errorf("%q exchanged, found %q", want, got)
		}
	}
}

// TestDeleted takes every object away. What nothing names any more cannot be missed.
func TestDeleted(t *testing.T) {
	w := newWorld(t)
	verified(t, w.st, check.Options{})
	verified(t, w.st, check.Options{})
	for _, name := range w.st.Objects() {
		if strings.HasPrefix(name, "keys/") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			st := w.st.Clone()
			remove(t, st, name)
			d := verified(t, st.Clone(), check.Options{})
			var codes []string
			for _, f := range d.Findings {
				codes = append(codes, string(f.Code)+" "+string(f.Harm))
			}
			want, code := []string{}, 0
			switch kindOf(name) {
			case "config":
				want, code = []string{"config-damaged risk"}, 4
			case "data", "meta":
				want, code = []string{"pack-missing loss"}, 4
				if d.Findings[0].Object != name || len(d.Marked) != 1 {
					t.Errorf("finding %+v, marked %q", d.Findings[0], d.Marked)
				}
			case "index/00000000/data", "index/00000000/meta":
				want, code = []string{"index-incomplete loss"}, 4
				if d.Structure.Orphans != 1 || !strings.HasPrefix(name, d.Findings[0].Object) {
					t.Errorf("%d orphans, finding %+v", d.Structure.Orphans, d.Findings[0])
				}
			case "snapshots":
				want, code = []string{"snapshot-gone loss"}, 4 // its backup reported it
			case "reports":
				want = codes
				for _, c := range codes {
					if c != "report-gone note" {
						t.Errorf("finds %q", codes)
					}
				}
			}
			if len(want)+len(codes) > 0 && !slices.Equal(codes, want) || d.ExitCode != code {
				t.Errorf("finds %q, exit %d, want %q, %d", codes, d.ExitCode, want, code)
			}
			sameHits(t, st, d)
		})
	}
}

// kindOf returns the folder that tells what an object is.
func kindOf(name string) string {
	parts := strings.Split(name, "/")
	if parts[0] == "index" {
		return strings.Join(parts[:3], "/")
	}
	return parts[0]
}

func isPack(name string) bool {
	return strings.HasPrefix(name, "data/") || strings.HasPrefix(name, "meta/")
}

// holdDamage holds a document to the damage in one object of st, which is as it was before the run.
func holdDamage(t *testing.T, st *mem.Store, d *verify.CheckDocument, name string) {
	t.Helper()
	want := verify.Risk
	var missed map[string][]string
	switch kindOf(name) {
	case "leases":
		want = verify.Note
	case "snapshots":
		want = verify.Loss
	case "data", "meta", "index/00000000/data", "index/00000000/meta":
		if missed = needed(t, st); len(missed) > 0 {
			want = verify.Loss
		}
		if diff := cmp.Diff(missed, hits(d)); diff != "" {
			t.Errorf("restore misses (-) other than verification says (+):\n%s", diff)
		}
	}
	if got := objectsOf(d, verify.Loss, verify.Risk, verify.Note); !slices.Equal(got, []string{name}) {
		t.Errorf("finds %q; %+v", got, d.Findings)
		return
	}
	f := d.Findings[0]
	if len(d.Findings) != 1 || f.Harm != want || f.Message == "" || f.Next == "" {
		t.Errorf("findings %+v, want harm %s", d.Findings, want)
	}
	for _, c := range f.Commands {
		if !strings.HasPrefix(c, "store ") || !strings.Contains(f.Next, c) {
			t.Errorf("command %q of %q", c, f.Next)
		}
	}
	if f.Commands == nil || strings.Contains(f.Next, "\x00") || strings.Count(f.Next, "store backup") > 0 && !strings.Contains(strings.Join(f.Commands, "; "), "--host ") {
		t.Errorf("commands %q of %q", f.Commands, f.Next)
	}
	if want == verify.Loss && (f.Snapshots == 0 || d.HitCount != f.Snapshots || uint64(len(missed)) != f.Snapshots && kindOf(name) != "snapshots") {
		t.Errorf("finding %+v with %d hits", f, d.HitCount)
	}
	if isPack(name) && (f.Files == 0 || !strings.Contains(f.Next, "back")) {
		t.Errorf("finding %+v", f)
	}
	if code := map[bool]int{true: 0, false: 4}[want == verify.Note]; d.ExitCode != code {
		t.Errorf("exit %d, want %d", d.ExitCode, code)
	}
	if marks := map[bool]int{true: 1}[isPack(name) || strings.HasPrefix(name, "index/")]; len(d.Marked) != marks {
		t.Errorf("marked %q", d.Marked)
	}
}
