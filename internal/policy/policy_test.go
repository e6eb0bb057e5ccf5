package policy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/policy"
)

func write(t testing.TB, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.yaml")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

const full = `# What this host backs up.
repository: s3://game-backups/prod?endpoint=minio.internal:9000
password_file: /etc/savepoint//password
datasets:
  user-data:
    class: user
    paths: [/srv/game/users/, "/srv/game/avatars"]
  ledger.v2:
    class: transactional
    paths:
      - /srv/game/ledger
`

func TestLoad(t *testing.T) {
	path := write(t, full, 0o640)
	got, err := policy.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	type dataset struct {
		Class policy.Class
		Paths []string
	}
	datasets := map[string]dataset{}
	for name, e := range got.Datasets {
		datasets[name] = dataset{e.Class, e.Paths}
	}
	want := map[string]dataset{
		"user-data": {policy.ClassUser, []string{"/srv/game/users", "/srv/game/avatars"}},
		"ledger.v2": {policy.ClassTransactional, []string{"/srv/game/ledger"}},
	}
	if diff := cmp.Diff(want, datasets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Path != path || got.Repository != "s3://game-backups/prod?endpoint=minio.internal:9000" || got.PasswordFile != "/etc/savepoint/password" {
		t.Errorf("got %+v", got)
	}
}

func TestLoadOfNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing yet\n", "---\n", "datasets:\n"} {
		f, err := policy.Load(write(t, text, 0o600))
		if err != nil || f.Repository != "" || len(f.Datasets) != 0 {
			t.Errorf("%q: got %+v, %v", text, f, err)
		}
	}
}

func TestLoadRefusesText(t *testing.T) {
	set := func(lines string) string { return "datasets:\n  a:\n    class: user\n    paths: [/a]\n" + lines }
	for _, tt := range []struct {
		name, text   string
		line, column int
		msg          string
	}{
		{"unknown key", "repository: /r\nreplicas: []\n", 2, 1, `unknown key "replicas"; here there are datasets, password_file, prices, quota, repository, timezone`},
		{"unknown key of a dataset", "datasets:\n  a:\n    clas: user\n", 3, 5, `unknown key "clas"; did you mean "class"?`},
		{"key twice", "repository: /r\nrepository: /s\n", 2, 1, "already defined"},
		{"dataset twice", set("  a: {class: log, paths: [/b]}\n"), 5, 3, "already defined"},
		{"not YAML", "repository: [/r\n", 1, 13, "not found"},
		{"a list", "- a\n", 1, 1, "mapping"},
		{"two documents", "repository: /r\n---\nrepository: /s\n", 3, 1, "second document"},
		{"relative repository", "\nrepository: backups\n", 2, 1, "absolute"},
		{"relative password file", "password_file: pw\n", 1, 1, "not absolute"},
		{"no class", "datasets:\n  a:\n    paths: [/a]\n", 2, 3, "no class"},
		{"empty dataset", "datasets:\n  a:\n", 2, 3, "no class"},
		{"unknown class", "datasets:\n  a:\n    class: users\n    paths: [/a]\n", 3, 5, "none of user, state"},
		{"no paths", "datasets:\n  a:\n    class: user\n", 2, 3, "no paths"},
		{"paths not a list", "datasets:\n  a:\n    class: user\n    paths: /a\n", 4, 12, "sequence"},
		{"relative path", "datasets:\n  a:\n    class: user\n    paths:\n      - /a\n      - srv\n", 6, 9, "not absolute"},
		{"path with dots", "datasets:\n  a:\n    class: user\n    paths: [/a/../b]\n", 4, 13, ".."},
		{"path with zero", "datasets:\n  a:\n    class: user\n    paths: [\"/a\\0b\"]\n", 4, 13, "zero byte"},
		{"path in two datasets", set("  b:\n    class: log\n    paths: [/b, /a/]\n"), 7, 17, "in dataset a already"},
		{"path twice in one", "datasets:\n  a:\n    class: log\n    paths: [/a, //a]\n", 4, 17, "in dataset a already"},
		{"name in capitals", "datasets:\n  Users: {class: user, paths: [/a]}\n", 2, 3, "dataset name"},
		{"name begins with a dash", "datasets:\n  -a: {class: user, paths: [/a]}\n", 2, 3, "dataset name"},
		{"long name", "datasets:\n  " + strings.Repeat("a", 64) + ": {class: user, paths: [/a]}\n", 2, 3, "dataset name"},
		{"deep brackets", "datasets: " + strings.Repeat("[", 500_000), 0, 0, "brackets"},
		{"deep dashes", strings.Repeat("- ", 500_000), 0, 0, "dashes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.text, 0o600)
			f, err := policy.Load(path)
			var e *policy.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %+v, %v, want an *Error", f, err)
			}
			if e.Path != path || e.Line != tt.line || e.Column != tt.column || !strings.Contains(e.Msg, tt.msg) {
				t.Errorf("got %v, want %d:%d and %q", err, tt.line, tt.column, tt.msg)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the message has several lines:\n%v", err)
			}
		})
	}
	if _, err := policy.Load(write(t, "datasets:\n  "+strings.Repeat("a", 63)+": {class: user, paths: [/]}\n", 0o600)); err != nil {
		t.Errorf("a name of 63 bytes and the path /: %v", err)
	}
}

func TestLoadRefusesFile(t *testing.T) {
	for _, mode := range []os.FileMode{0o620, 0o602, 0o664, 0o666} {
		path := write(t, full, mode)
		_, err := policy.Load(path)
		if err == nil || !strings.Contains(err.Error(), "chmod go-w "+path) {
			t.Errorf("mode %o: %v, want the chmod that helps", mode, err)
		}
	}
	// The link is open to all; what counts is the file.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(write(t, full, 0o600), link); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Load(link); err != nil {
		t.Errorf("through a link: %v", err)
	}
	if _, err := policy.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := policy.Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a folder: %v", err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Load(pipe); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a pipe: %v", err)
	}
	comment := strings.Repeat("#2345678901234567890123456789012\n", 1<<20/32)
	if _, err := policy.Load(write(t, comment, 0o600)); err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("over 1 MiB: %v", err)
	}
}

func TestDataset(t *testing.T) {
	f, err := policy.Load(write(t, full, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/srv/game/users":          "user-data",
		"/srv/game/users/":         "user-data",
		"/srv/game/./avatars":      "user-data",
		"/srv/game/ledger":         "ledger.v2",
		"/srv/game/users/7":        "",
		"/srv/game":                "",
		"srv/game/users":           "",
		"/srv/game/users/../users": "user-data",
	} {
		name, d, ok := f.Dataset(path)
		if name != want || ok != (want != "") || ok != (d != nil) {
			t.Errorf("%s: got %q, %+v, %v, want %q", path, name, d, ok, want)
		}
	}
}
