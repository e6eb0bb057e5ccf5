package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
			if !namePattern.MatchString(name) || d.Class == "" || len(d.Paths) == 0 {
				t.Fatalf("accepted dataset %q: %+v", name, d)
			}
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
