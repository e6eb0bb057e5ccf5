package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// module parses files that are given as name and source by turns.
func module(t *testing.T, pairs ...string) []*File {
	t.Helper()
	var files []*File
	for i := 0; i < len(pairs); i += 2 {
		f, err := Parse(pairs[i], []byte(pairs[i+1]))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// want compares problems, as text, to those wanted.
func want(t *testing.T, got []Problem, texts ...string) {
	t.Helper()
	var lines []string
	for _, p := range got {
		lines = append(lines, p.String())
	}
	slices.Sort(lines)
	slices.Sort(texts)
	if diff := cmp.Diff(texts, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pkg      string
		patterns []string
		want     bool
	}{
		{"repo", []string{"repo"}, true},
		{"repo/pack", []string{"repo"}, false},
		{"repo/storage/s3", []string{"repo/storage/*"}, true},
		{"repo/storage", []string{"repo/storage/*"}, false},
		{"repo/storage/s3/x", []string{"repo/storage/*"}, false},
		{"repo", []string{"repo/..."}, true},
		{"repo/a/b", []string{"repo/..."}, true},
		{"repository", []string{"repo/..."}, false},
		{"anything/at/all", []string{"..."}, true},
		{"bench", []string{"...", "!bench"}, false},
		{"index", []string{"...", "!bench"}, true},
		{"index", nil, false},
	} {
		if got := Match(tt.pkg, tt.patterns...); got != tt.want {
			t.Errorf("%s in %q: got %v", tt.pkg, tt.patterns, got)
		}
	}
}

func TestCheckDirections(t *testing.T) {
	files := module(t,
		"a/a.go", "package a\nimport (\n_ \"fmt\"\n_ \"savepoint/b\"\n_ \"savepoint/s/x\"\n)",
		"a/a_test.go", "package a\nimport _ \"savepoint/c\"",
		"b/b.go", "package b\nimport _ \"savepoint/a\"",
		"s/x/x.go", "package x\nimport _ \"savepoint/b\"",
		"c/c.go", "package c",
		"c/d.go", "package c")
	want(t, CheckDirections(files, map[string][]string{"a": {"b", "s/*"}, "b": {"gone"}, "s/*": {"b"}, "old": {}, "t/*": {}}),
		"b/b.go:2: b must not import a",
		"b: the import table allows gone, which has no row",
		"c: the package is not in the import table",
		"old: the import table has a row for a package that is not there",
		"t/*: the import table has a row for a package that is not there")
	want(t, CheckDirections(files, map[string][]string{"a": {"..."}, "b": {"...", "!a"}, "c": {}, "s/x": {}}),
		"b/b.go:2: b must not import a",
		"s/x/x.go:2: s/x must not import b")
}

func TestCheckFences(t *testing.T) {
	rules := []fence{
		{Import: "testing", Packages: []string{"kit"}},
		{Import: "example.com/db", Packages: []string{"index"}},
		{Import: "example.com/prom", Packages: []string{"cmd/..."}, Files: []string{"metrics.go"}},
	}
	want(t, CheckFences(module(t,
		"index/i.go", "package index\nimport _ \"example.com/db/v4\"",
		"repo/r.go", "package repo\nimport _ \"example.com/db/v4\"",
		"repo/r_test.go", "package repo\nimport (\n_ \"testing\"\n_ \"example.com/db/v4\"\n)",
		"repo/t.go", "package repo\nimport _ \"testing/synctest\"",
		"repo/metrics.go", "package repo\nimport _ \"example.com/prom\"",
		"repo/m.go", "package repo\nimport _ \"example.com/prom\"",
		"cmd/x/main.go", "package main\nimport _ \"example.com/prom\"",
		"kit/k.go", "package kit\nimport (\n_ \"testing\"\n_ \"savepoint/repo\"\n)",
		"repo/n.go", "package repo\nimport _ \"example.com/new\"",
		"pure/p.go", "package pure\nimport (\n_ \"os\"\n_ \"example.com/prom\"\n)",
		"pure/metrics.go", "package pure\nimport _ \"example.com/prom\"",
	), rules, []string{"pure"}),
		"repo/r.go:2: repo must not import example.com/db/v4; only index may",
		"repo/t.go:2: repo must not import testing/synctest; only kit may",
		"repo/m.go:2: repo must not import example.com/prom; only cmd/..., metrics.go may",
		"repo/n.go:2: example.com/new is in no fence: a new dependency is a decision to record",
		"pure/p.go:4: pure imports the standard library only, not example.com/prom",
		"pure/metrics.go:2: pure imports the standard library only, not example.com/prom")
}

func TestCheckSize(t *testing.T) {
	lines := func(n int, s string) string { return strings.Repeat(s+"\n", n) }
	fn := func(n int) string { return "package a\nfunc f() {\n" + lines(n-2, "_ = 1") + "}\n" }
	want(t, CheckSize(module(t,
		"a/fits.go", "package a\n"+lines(399, "//"),
		"a/warn.go", "package a\n"+lines(400, "//"),
		"a/long.go", "package a\n"+lines(600, "//"),
		"a/ok_test.go", "package a\n"+lines(799, "//"),
		"a/long_test.go", "package a\n"+lines(1200, "//"),
		"a/table.go", "package a\nvar t = []int{\n"+lines(1000, "1,")+"}\n",
		"a/code.go", "package a\nvar t = []func(){\n"+lines(700, "func() {},")+"}\n",
		"a/f100.go", fn(100), "a/f101.go", fn(101),
		"a/f200_test.go", fn(200), "a/f201_test.go", fn(201),
		"a/f_table.go", "package a\nfunc f() {\n_ = map[int]int{\n"+lines(150, "1: 1,")+"}\n}\n",
	)),
		"a/warn.go: the file has 401 lines, of at most 600",
		"a/long.go: the file has 601 lines, of at most 600",
		"a/long_test.go: the file has 1201 lines, of at most 1200",
		"a/code.go: the file has 703 lines, of at most 600",
		"a/f101.go:2: f has 101 lines, of at most 100",
		"a/f201_test.go:2: f has 201 lines, of at most 200")
	for _, p := range CheckSize(module(t, "a/warn.go", "package a\n"+lines(599, "//"), "a/long.go", "package a\n"+lines(600, "//"))) {
		if p.Warn != (p.Path == "a/warn.go") {
			t.Errorf("%s: warning = %v", p, p.Warn)
		}
	}
}

func TestCheckPackages(t *testing.T) {
	want(t, CheckPackages(module(t,
		"a/a.go", "package a", "a/b.go", "// Package a is one.\npackage a",
		"b/a.go", "// not a package comment\n\npackage b", "b/b_test.go", "// Package b is tested.\npackage b",
		"c/util/u.go", "// Package util is vague.\npackage util",
	)),
		"b: the package has no comment",
		"c/util/u.go:2: the name util does not say what the package holds")
}

func TestCheckClock(t *testing.T) {
	source := func(body string) string {
		return "package p\nimport \"time\"\ntype O struct{ Now func() time.Time }\nfunc f(o O) {\n" + body + "\n}\n"
	}
	for body, text := range map[string]string{
		"o.Now = time.Now": "",
		"var now func() time.Time; now = time.Now; _ = now": "",
		"_ = O{Now: time.Now}":                              "",
		"_ = o.Now()":                                       "",
		"_ = time.Second":                                   "",
		"_ = time.Now()":                                    "time.Now: use the Now of the options",
		"now := time.Now; _ = now()":                        "time.Now: use the Now of the options",
		"t := time.Now(); o.Now = func() time.Time { return t }": "time.Now: use the Now of the options",
		"_ = time.Since(time.Time{})":                            "time.Since reads the clock: use the Now of the options",
		"_ = time.Until(time.Time{})":                            "time.Until reads the clock: use the Now of the options",
	} {
		t.Run(body, func(t *testing.T) {
			var texts []string
			if text != "" {
				texts = []string{"repo/x/o.go:5: " + text}
			}
			want(t, CheckClock(module(t, "repo/x/o.go", source(body), "repo/x/o_test.go", source(body), "cmd/store/o.go", source(body))), texts...)
		})
	}
	want(t, CheckClock(module(t, "verify/v.go", "package v\nimport clock \"time\"\nvar x = clock.Now()")),
		"verify/v.go:3: time.Now: use the Now of the options")
}

func TestCheckSleep(t *testing.T) {
	const sleep = "package p\nimport \"time\"\nfunc f() { time.Sleep(1) }\n"
	want(t, CheckSleep(module(t,
		"a/a.go", sleep,
		"a/a_test.go", sleep,
		"kit/k.go", "package kit\nimport (\n\"testing\"\n\"time\"\n)\nfunc F(testing.TB) { time.Sleep(1) }\n",
		"a/bubble_test.go", "package p\nimport (\n\"testing\"\n\"testing/synctest\"\n\"time\"\n)\n"+
			"func TestX(t *testing.T) {\nsynctest.Test(t, func(*testing.T) { time.Sleep(1) })\ntime.Sleep(2)\n}\n",
	)),
		"a/a_test.go:3: a test sleeps: wait for what it waits for, or use synctest",
		"kit/k.go:6: a test sleeps: wait for what it waits for, or use synctest",
		"a/bubble_test.go:9: a test sleeps: wait for what it waits for, or use synctest")
}

func TestCheckInit(t *testing.T) {
	want(t, CheckInit(module(t,
		"a/a.go", "package a\nfunc init() {}\ntype t int\nfunc (t) init() {}\n",
		"a/b_test.go", "package a\nimport . \"fmt\"\nfunc initial() { Println() }\n",
	)),
		"a/a.go:2: func init: say what runs when, in main",
		"a/b_test.go:2: an import of all names")
}

func TestCheckSuppressions(t *testing.T) {
	files := module(t, "a/a.go", "package a\n//lint:ignore SA1019 needed until the format changes\nvar a = 1\n//lint:ignore SA1019 why\nvar b = 2\n"+
		"//lint:file-ignore U1000 x y\n//nolint:all // no\n")
	problems := []string{
		"a/a.go:4: //lint:ignore CHECK needs a reason of at least two words",
		"a/a.go:6: use //lint:ignore CHECK REASON at the line",
		"a/a.go:7: use //lint:ignore CHECK REASON at the line",
	}
	want(t, CheckSuppressions(files, 2), slices.Clone(problems)...)
	for _, ceiling := range []int{1, 3} {
		number := fmt.Sprintf("internal/archtest/table.go: there are 2 //lint:ignore comments, not %d; if they are fewer, lower the number", ceiling)
		want(t, CheckSuppressions(files, ceiling), append(slices.Clone(problems), number)...)
	}
}

func TestCheckTopLevel(t *testing.T) {
	want(t, CheckTopLevel([]string{".ci", "cmd", "pkg", "notes.txt"}, []string{"cmd", "repo"}),
		"notes.txt: not a name for the top of the repository; a new one needs a decision record",
		"pkg: not a name for the top of the repository; a new one needs a decision record")
}

func TestCheckPaths(t *testing.T) {
	tree := fstest.MapFS{"repo/session.go": {}, "repo/pack/builder.go": {}, "docs/format.md": {}, "Makefile": {}}
	const text = "See `repo/session.go`, `repo/pack/`, `repo/{pack,session.go}`, `repo/*.go`, `repo/pack.Builder`, `Makefile`.\n" +
		"Not paths: `go test ./...`, `io/fs`, `store backup PATH`, `repo.Open()`.\n" +
		"```\n`repo/in/code.go`\n```\n" +
		"Gone: `repo/gone.go`, `repo/{pack,gone}`, `docs/*.svg`, `cmd/store`.\n"
	want(t, CheckPaths("docs/a.md", text, tree, []string{"repo", "docs", "cmd", "Makefile"}),
		"docs/a.md:6: `repo/gone.go` does not exist",
		"docs/a.md:6: `repo/{pack,gone}` does not exist",
		"docs/a.md:6: `docs/*.svg` does not exist",
		"docs/a.md:6: `cmd/store` does not exist")
}
