package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	place := func(parts ...string) string {
		t.Helper()
		path := filepath.Join(append([]string{dir}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	xdg := place("xdg", "savepoint", "store.yaml")
	home := place("home", ".config", "savepoint", "store.yaml")
	system := place("etc", "store.yaml")
	none := filepath.Join(dir, "none")
	for _, tt := range []struct {
		name, flag, env string
		vars            map[string]string
		system, want    string
	}{
		{"the flag first", none, xdg, nil, system, none},
		{"then the variable", "", none, map[string]string{"HOME": dir + "/home"}, system, none},
		{"then XDG_CONFIG_HOME", "", "", map[string]string{"XDG_CONFIG_HOME": dir + "/xdg", "HOME": dir + "/home"}, system, xdg},
		{"by default .config", "", "", map[string]string{"HOME": dir + "/home"}, system, home},
		{"XDG_CONFIG_HOME replaces .config", "", "", map[string]string{"XDG_CONFIG_HOME": none, "HOME": dir + "/home"}, system, system},
		{"a relative XDG_CONFIG_HOME is ignored", "", "", map[string]string{"XDG_CONFIG_HOME": "xdg", "HOME": dir + "/home"}, system, home},
		{"no home", "", "", nil, system, system},
		{"a home that is a file", "", "", map[string]string{"HOME": system}, system, system},
		{"none", "", "", map[string]string{"HOME": none}, none, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := find(tt.flag, tt.env, func(k string) string { return tt.vars[k] }, tt.system)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// TestFindStopsAtUnreadable holds that a configuration that cannot be looked
// at is not passed over for that of the host.
func TestFindStopsAtUnreadable(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	got, err := find("", "", func(k string) string { return map[string]string{"XDG_CONFIG_HOME": loop}[k] }, dir)
	if err == nil {
		t.Errorf("got %q, want an error", got)
	}
}

func TestQuote(t *testing.T) {
	for path, want := range map[string]string{
		"/etc/savepoint/store.yaml": "/etc/savepoint/store.yaml",
		"/tmp/a b":                  "'/tmp/a b'",
		"it's":                      `'it'\''s'`,
		"-x":                        "./'-x'",
		"":                          "''",
	} {
		if got := quote(path); got != want {
			t.Errorf("%q: got %s, want %s", path, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"repository: /r\npassword_file: /p\ndatasets:\n  a:\n    class: user\n    paths: [/a, /b]\n",
		"datasets:\n  a: &x {class: log, paths: [/a]}\n  b:\n    <<: *x\n    paths: [/b]\n",
		"datasets: &a\n  x: *a\n", "--- \n# c\n---\nrepository: \"/r\\0\"\n", "datasets:\n  ? a\n  : {class: !!str user}\n",
		"- - - a\n", "{", "\xff\xfe", "datasets:\n\ta:\n", "repository: |\n  s3://b\n",
		"timezone: Asia/Kolkata\nprices: {gb_out: 0.09}\ndatasets:\n  a:\n    class: state\n    hosts: [h]\n    paths: [/a]\n    schedule: '*/5 1-3 * jan sun'\n    full: '@weekly'\n" +
			"    objectives: {rpo: none, rto: 3d12h}\n    keep: {last: 3, yearly: 0}\n    expect: {files: 7, bytes: 1.5 MB}\n    tolerate: [torn, '/a/**', 'vanished:/a/?']\n" +
			"    drill: {probe: [x, '{target}'], timeout: 1.5s, keys_from: /k, isolation: none, scratch: /s}\n    recovery: {detect: 0s, decide: 1m, cutover: 2h}\n",
		"datasets:\n  a: {class: log, paths: [/a], drill: {probe: {postgres: {data: pg, sql: [{query: q, expect: 1, tolerance: 5%}], max_age: 1d}}}}\n",
		"datasets:\n  a: {class: log, paths: [/a], drill: {probe: {files: {match: ['**/b'], least: 2, max_size: 1k}}}}\n  b: {class: log, paths: [/b], drill: {probe: {sqlite: {match: [x], quick: true}}}}\n",
		"datasets:\n  a: {class: log, paths: [/a], drill: {probe: x}}\n", "datasets:\n  a: {drill: {porbe: {sqlite: {mach: 1}}}}\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			t.Skip()
		}
		file, err := decode(data)
		if err != nil {
			return
		}
		owner := make(map[string]string)
		for name, d := range file.Datasets {
			if !namePattern.MatchString(name) || d.Class == "" || len(d.Paths) == 0 || d.Drill.Timeout <= 0 || d.Objectives.RPO < 0 || d.Objectives.RTO < 0 {
				t.Fatalf("accepted dataset %q: %+v", name, d)
			}
			checkStored(t, name, d)
			for _, p := range d.Paths {
				if filepath.Clean(p) != p || !filepath.IsAbs(p) || strings.ContainsRune(p, 0) || owner[p] != "" {
					t.Fatalf("accepted path %q", p)
				}
				owner[p] = name
				if got, _, ok := file.Dataset(p); !ok || got != name {
					t.Fatalf("%q belongs to %q, not to %q", p, got, name)
				}
			}
		}
	})
}

// checkStored holds that a snapshot carries what the file said.
func checkStored(t *testing.T, name string, e *Effective) {
	t.Helper()
	stored, err := e.Encode()
	if err != nil || len(stored) > MaxStored {
		t.Fatalf("encoded %q in %d bytes: %v", name, len(stored), err)
	}
	back, err := Decode(name, stored)
	if err != nil {
		t.Fatalf("%v in %s", err, stored)
	}
	again, err := back.Encode()
	if err != nil || string(again) != string(stored) {
		t.Fatalf("%s became %s: %v", stored, again, err)
	}
	_ = e.Warnings(newYear) // does not panic
}

// FuzzStored holds that what a repository carries is refused or read, and that what
// was read is carried as it was.
func FuzzStored(f *testing.F) {
	for _, s := range []string{
		`{"class":"state","paths":["/a"]}`, `{"class":"log","paths":["/a"],"timezone":"Europe/Berlin","schedule":"@daily","drill":{"probe":["x"]},"defaults":["objectives.rpo","x"]}`,
		`{"class":"user","paths":["/a"],"drill":{"probe":{"canary":{"match":["c"]}}},"prices":{"gb_out":"0.1"}}`, `{"class":1}`, `null`, `{"class":"log","paths":["/a"],"drill":{"probe":7}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		e, err := Decode("d", stored)
		if err != nil {
			return
		}
		first, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(first) > MaxStored {
			return // the defaults were too much
		}
		back, err := Decode("d", first)
		if err != nil {
			t.Fatalf("%v in %s, of %s", err, first, stored)
		}
		if again, err := back.Encode(); err != nil || string(again) != string(first) {
			t.Fatalf("%s became %s: %v", first, again, err)
		}
	})
}

// newYear is when these tests look at schedules from.
var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
