package repo_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/tree"
)

func minute(n int) time.Time { return time.Date(2026, 3, 1, 0, n, 0, 0, time.UTC) }

// taken makes a snapshot whose window is in minutes. Letters after the ID's first digits say what is wrong with it: l late,
// i interrupted, f faults, s suspect.
func taken(id, dataset, host string, from, to int, what string, roots ...string) *repo.Snapshot {
	m := &tree.Manifest{Dataset: dataset, Host: host, Completeness: tree.Complete, Suspect: strings.Contains(what, "s"),
		Window: [2]int64{minute(from).UnixNano(), minute(to).UnixNano()}}
	if strings.Contains(what, "i") {
		m.Completeness = tree.Interrupted
	}
	if strings.Contains(what, "f") {
		m.Completeness = tree.WithFaults
	}
	for _, p := range roots {
		m.Roots = append(m.Roots, tree.Root{Path: p})
	}
	name := fmt.Sprintf("snapshots/00000000/%s-%s%s", minute(from).Format("20060102T150405Z"), id, strings.Repeat("0", 32-len(id)))
	return &repo.Snapshot{Name: name, Late: strings.Contains(what, "l"), Manifest: m}
}

func short(s *repo.Snapshot) string {
	if s == nil {
		return ""
	}
	return strings.TrimRight(s.Short(), "0")
}

func TestSelect(t *testing.T) {
	world := []*repo.Snapshot{
		taken("a1", "world", "h1", 0, 10, "", "/srv"),
		taken("a2", "world", "h1", 20, 30, "f", "/srv"),
		taken("a3", "world", "h1", 40, 50, "i", "/srv"),
		taken("a4", "world", "h1", 60, 70, "l", "/srv"),
		taken("b5", "world", "h1", 80, 90, "s", "/srv", "/srv/inner"),
	}
	overlap := []*repo.Snapshot{ // two runs at once, the first of them longer
		taken("c1", "log", "h1", 0, 50, "f"),
		taken("c2", "log", "h1", 10, 20, ""),
		taken("c3", "log", "h1", 15, 40, "f"),
	}
	twoHosts := append(slices.Clone(world), taken("d1", "world", "h2", 5, 6, "", "/opt"))
	atSign := []*repo.Snapshot{taken("e1", "a@b", "c", 0, 1, ""), taken("e2", "a", "b@c", 2, 3, "")}
	run := []*repo.Snapshot{taken("f1", "world", "h1", 0, 10, "i"), taken("f2", "world", "h1", 0, 20, "i"), taken("f3", "world", "h1", 0, 30, "i"), taken("f4", "world", "h1", 0, 40, "")}
	tests := []struct {
		name                 string
		snaps                []*repo.Snapshot
		q                    repo.Query
		want                 string // short ID; "!" none; several: ambiguous, in order
		before, after, clean string
	}{
		{"newest", world, repo.Query{}, "b5", "a2", "", "a1"},
		{"latest", world, repo.Query{ID: "latest"}, "b5", "a2", "", "a1"},
		{"at its end", world, repo.Query{At: minute(10)}, "a1", "", "a2", ""},
		{"a moment before its end", world, repo.Query{At: minute(10).Add(-1)}, "!", "", "", ""},
		{"between windows", world, repo.Query{At: minute(15)}, "a1", "", "a2", ""},
		{"within a window", world, repo.Query{At: minute(25)}, "a1", "", "a2", ""},
		{"with faults", world, repo.Query{At: minute(30)}, "a2", "a1", "b5", "a1"},
		{"past one interrupted and one late", world, repo.Query{At: minute(75)}, "a2", "a1", "b5", "a1"},
		{"the newest is interrupted", world[:3], repo.Query{}, "a2", "a1", "", "a1"},
		{"several of one run are interrupted", run, repo.Query{At: minute(35)}, "!", "", "", ""},
		{"the end of that run", run, repo.Query{}, "f4", "", "", ""},
		{"by ID, in the middle of a run", run, repo.Query{ID: "f2"}, "f2", "", "f4", ""},
		{"before all", world, repo.Query{At: minute(-1)}, "!", "", "", ""},
		{"any order", []*repo.Snapshot{world[4], world[0], world[3], world[1]}, repo.Query{At: minute(35)}, "a2", "a1", "b5", "a1"},
		{"by ID", world, repo.Query{ID: "a2"}, "a2", "a1", "b5", "a1"},
		{"by ID in capitals", world, repo.Query{ID: "B5"}, "b5", "a2", "", "a1"},
		{"by ID, interrupted", world, repo.Query{ID: "a3"}, "a3", "a2", "b5", "a1"},
		{"by ID, late", world, repo.Query{ID: "a4"}, "a4", "a2", "b5", ""},
		{"an ID wins over a time", world, repo.Query{ID: "b5", At: minute(10)}, "b5", "a2", "", "a1"},
		{"ID of two", world, repo.Query{ID: "a"}, "!", "", "", ""},
		{"ID of none", world, repo.Query{ID: "ff"}, "!", "", "", ""},
		{"ID of another dataset", world, repo.Query{ID: "a1", Dataset: "x"}, "!", "", "", ""},
		{"two sources", twoHosts, repo.Query{}, "b5 d1", "", "", ""},
		{"two sources, one of them then", twoHosts, repo.Query{At: minute(7)}, "d1", "", "", ""},
		{"two sources, host", twoHosts, repo.Query{Host: "h2"}, "d1", "", "", ""},
		{"two sources, path", twoHosts, repo.Query{Path: "/opt/x"}, "d1", "", "", ""},
		{"path of some only", world, repo.Query{Path: "/srv/inner/x", At: minute(60)}, "a2", "a1", "b5", "a1"},
		{"path of none", world, repo.Query{Path: "/srvx"}, "!", "", "", ""},
		{"dataset of none", world, repo.Query{Dataset: "x"}, "!", "", "", ""},
		{"nothing", nil, repo.Query{}, "!", "", "", ""},
		{"sources whose names run into each other", atSign, repo.Query{}, "e2 e1", "", "", ""},
		{"overlapping", overlap, repo.Query{}, "c1", "", "c2", "c2"},
		{"overlapping, at a time", overlap, repo.Query{At: minute(45)}, "c3", "c2", "", "c2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.snaps)
			c, err := repo.Select(tt.snaps, tt.q)
			if !slices.Equal(before, tt.snaps) {
				t.Error("Select changes its argument")
			}
			if ambiguous := (*repo.AmbiguousError)(nil); errors.As(err, &ambiguous) {
				var got []string
				for _, c := range ambiguous.Choices {
					got = append(got, short(c.Snapshot))
				}
				if strings.Join(got, " ") != tt.want {
					t.Errorf("ambiguous: %q, want %q", got, tt.want)
				}
				return
			}
			if tt.want == "!" {
				if !errors.Is(err, repo.ErrNoSnapshot) {
					t.Errorf("chosen %s, %v", short(c.Snapshot), err)
				}
				return
			}
			if err != nil || short(c.Snapshot) != tt.want {
				t.Fatalf("chosen %q, %v, want %s", short(c.Snapshot), err, tt.want)
			}
			if short(c.Before) != tt.before || short(c.After) != tt.after || short(c.Clean) != tt.clean {
				t.Errorf("before %q, after %q, clean %q; want %q, %q, %q", short(c.Before), short(c.After), short(c.Clean), tt.before, tt.after, tt.clean)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	s := taken("a", "d", "h", 0, 1, "", "/", "/srv", "/srv.old", "/srv/game")
	for path, want := range map[string]string{"/": "/ ", "/etc/x": "/ etc/x", "/srv": "/srv ", "/srv/gamex": "/srv gamex", "/srv/game/a/b": "/srv/game a/b", "/srv.old/x": "/srv.old x"} {
		root, rest, ok := s.Split(path)
		if !ok || root.Path+" "+rest != want {
			t.Errorf("Split(%q) = %v, %q, %t, want %q", path, root, rest, ok, want)
		}
	}
	s = taken("a", "d", "h", 0, 1, "", "/srv")
	for _, path := range []string{"/", "/srvx", "srv", ""} {
		if s.HasPath(path) {
			t.Errorf("HasPath(%q)", path)
		}
	}
}

// TestTooLate names a snapshot that would have been chosen had it been stored in time, and none that would not.
func TestTooLate(t *testing.T) {
	snaps := []*repo.Snapshot{
		taken("a1", "world", "h1", 0, 10, "l"), taken("a2", "world", "h1", 20, 30, ""), taken("a3", "world", "h1", 40, 50, "l"), taken("a4", "world", "h1", 60, 70, "l"),
		taken("a5", "world", "h1", 71, 72, "il"), taken("b1", "world", "h2", 80, 90, "l"), taken("b2", "world", "h2", 82, 92, ""),
	}
	for _, tt := range []struct {
		q    repo.Query
		want string
	}{
		{repo.Query{Host: "h1"}, "a4"}, {repo.Query{Host: "h1", ID: "latest"}, "a4"}, {repo.Query{Host: "h1", At: minute(60)}, "a3"}, {repo.Query{Host: "h1", At: minute(49)}, ""},
		{repo.Query{ID: "a2"}, ""}, {repo.Query{Host: "h2"}, ""},
	} {
		if c, err := repo.Select(snaps, tt.q); err != nil || short(c.TooLate) != tt.want {
			t.Errorf("%+v: %q, %v; want %q", tt.q, short(c.TooLate), err, tt.want)
		}
	}
	var several *repo.AmbiguousError
	if _, err := repo.Select(snaps, repo.Query{}); !errors.As(err, &several) || short(several.Choices[0].TooLate) != "" || short(several.Choices[1].TooLate) != "a4" {
		t.Errorf("of several sources: %v", err)
	}
}

// TestNothingFinished says what there is of a source when none of its backups has finished.
func TestNothingFinished(t *testing.T) {
	unfinished := []*repo.Snapshot{taken("a1", "world", "h1", 0, 10, "i"), taken("a2", "world", "h1", 0, 20, "i"), taken("a3", "world", "h1", 0, 30, "l")}
	all := append(slices.Clone(unfinished), taken("b1", "log", "h1", 0, 40, "i"))
	for _, q := range []repo.Query{{Dataset: "world"}, {Dataset: "world", ID: "latest"}, {Dataset: "world", At: minute(25)}} {
		_, err := repo.Select(all, q)
		if !errors.Is(err, repo.ErrNoSnapshot) || !strings.Contains(err.Error(), "2 interrupted, the newest a2000000, which ended at 2026-03-01T00:20:00Z, and 1 stored too late") {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := repo.Select(unfinished, repo.Query{Dataset: "x"}); !errors.Is(err, repo.ErrNoSnapshot) || strings.Contains(err.Error(), "interrupted") {
		t.Errorf("another source: %v", err)
	}
}

// TestSameWindow has snapshots of one source in one second of a bucket's clock: the later one is the newer.
func TestSameWindow(t *testing.T) {
	a, b := taken("ff", "world", "h1", 0, 1, ""), taken("aa", "world", "h1", 0, 1, "")
	a.Seq, b.Seq = 1, 2
	for _, snaps := range [][]*repo.Snapshot{{a, b}, {b, a}} {
		if c, err := repo.Select(snaps, repo.Query{}); err != nil || c.Snapshot != b || c.Before != a {
			t.Errorf("%v before %v, %v; want the second before the first", short(c.Before), short(c.Snapshot), err)
		}
	}
}
