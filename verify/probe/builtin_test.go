package probe_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"savepoint/internal/needtest"
	"savepoint/verify"
	"savepoint/verify/probe"
)

// TestFilesAndCanary runs both on the same folder.
func TestFilesAndCanary(t *testing.T) {
	w := newWorld(t)
	w.file("players/1.json", "{}", 0o644)
	w.file("players/deep/er/2.json", "{}", 0o644)
	w.file("players/deep/empty.json", "", 0o644)
	w.file("heart/old", "2026-11-20T01:00:00Z\n", 0o644)
	w.file("heart/new", "1795141800\n", 0o644) // 2026-11-20T02:30:00Z
	w.file("heart/broken", "soon", 0o644)
	if err := os.Symlink("1.json", filepath.Join(w.target, "players", "link.json")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args    string
		result  string
		says    string
		checked uint64
	}{
		{"files players/*.json", verify.ProbePassed, "", 1},
		{"files players/**/*.json", verify.ProbePassed, "", 3},
		{"files **", verify.ProbePassed, "", 6},
		{"files -least 3 -most 3 -max-size 1KiB players/**/*.json", verify.ProbePassed, "", 3},
		{"files --least 4 players/**/*.json", verify.ProbeFailed, `"players/**/*.json" matches 3 files, at least 4 are wanted`, 0},
		{"files -most 2 players/**/*.json", verify.ProbeFailed, "at most 2", 0},
		{"files -min-size 1 players/**/*.json", verify.ProbeFailed, `1 files are not as large as they should be; the first: "players/deep/empty.json" has 0 bytes`, 0},
		{"files -max-size 1 players/1.json", verify.ProbeFailed, "has 2 bytes", 0},
		{"files players/1.json none", verify.ProbeFailed, `"none" matches 0 files`, 0},
		{"files -least 0 none", verify.ProbeFailed, "checked nothing", 0},
		{"canary heart/old heart/new", verify.ProbePassed, "", 2},
		{"canary -max-age 1h heart/*[dw]", verify.ProbePassed, "", 2},
		{"canary -max-age 5m heart/new", verify.ProbeFailed, "was 10m59s old when the backup began, at most 5m0s is wanted", 0},
		{"canary heart/*", verify.ProbeFailed, `canary "heart/broken": "soon" is no time`, 0},
		{"canary none", verify.ProbeFailed, "no canary", 0},
	} {
		r := w.run(probe.Spec{Argv: strings.Fields(tt.args)})
		want(t, r, tt.result, tt.says)
		if r.Checked != tt.checked || r.Builtin != strings.Fields(tt.args)[0] {
			t.Errorf("%s: %+v", tt.args, r)
		}
		if tt.args == "canary heart/old heart/new" && (r.Canary == nil || !r.Canary.Equal(time.Date(2026, 11, 20, 2, 30, 0, 0, time.UTC))) {
			t.Errorf("canary of %v", r.Canary)
		}
	}
}

func TestArguments(t *testing.T) {
	for args, says := range map[string]string{
		"files":                                   "needs a pattern",
		"files -least x a":                        "invalid value",
		"files -size 1 a":                         "not defined",
		"files -min-size big a":                   "invalid value",
		"files /etc/passwd":                       "does not begin with /",
		"files [":                                 "syntax error",
		"canary -max-age soon a":                  "invalid value",
		"sqlite":                                  "needs a pattern",
		"sqlite -expect 1 a":                      "no --sql before it",
		"sqlite -sql q a":                         "no --expect",
		"postgres data":                           "is no flag",
		"postgres -set a":                         "NAME=VALUE",
		"postgres -sql q -expect x -tolerance 1":  "is no number",
		"postgres -sql q -expect >=x":             "compares with no number",
		"postgres -sql q -expect 1 -tolerance -1": "a number such as",
	} {
		if err := (probe.Spec{Argv: strings.Fields(args)}).Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", args, err, says)
		}
	}
}

func TestSQLite(t *testing.T) {
	sqlite, err := exec.LookPath("sqlite3")
	if err != nil {
		needtest.Without(t, "sqlite3", err.Error())
	}
	w := newWorld(t)
	create := func(name, sql string) {
		t.Helper()
		if out, err := exec.Command(sqlite, filepath.Join(w.target, name), sql).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	const rows = `CREATE TABLE gold (player INTEGER PRIMARY KEY, amount INT, note TEXT); CREATE INDEX i ON gold (amount);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 5000) INSERT INTO gold SELECT i, i, hex(i*7919) FROM n;`
	create("a.db", rows)
	create("b.db", "PRAGMA journal_mode=WAL;"+rows)
	create("child.fk", "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p(id)); INSERT INTO c VALUES (7);")
	w.file("text.txt", "this is no database", 0o644)
	w.file("empty.dat", "", 0o644)
	b, err := os.ReadFile(filepath.Join(w.target, "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	copy(b[len(b)/2:], make([]byte, 8192))
	w.file("broken.bad", string(b), 0o644)
	for _, tt := range []struct {
		args    []string
		result  string
		says    string
		checked uint64
	}{
		{[]string{"*.db"}, verify.ProbePassed, "", 2},
		{[]string{"--quick", "*.db"}, verify.ProbePassed, "", 2},
		{[]string{"-sql", "SELECT count(*) FROM gold", "-expect", "5000", "-sql", "SELECT sum(amount) FROM gold", "-expect", "12500000", "-tolerance", "1%", "*.db"}, verify.ProbePassed, "", 6},
		{[]string{"-sql", "SELECT count(*) FROM gold", "-expect", ">=5001", "*.db"}, verify.ProbeFailed, `answers "5000", >=5001 is wanted`, 0},
		{[]string{"-sql", "SELECT count(*) FROM silver", "-expect", "1", "*.db"}, verify.ProbeFailed, "no such table", 0},
		{[]string{"-canary", "SELECT '2026-11-20 02:40:00'", "a.db"}, verify.ProbePassed, "", 2},
		{[]string{"*.bad"}, verify.ProbeFailed, `"broken.bad": `, 0},
		{[]string{"*.fk"}, verify.ProbeFailed, "foreign_key_check: c|1|p|0", 0},
		{[]string{"*.txt"}, verify.ProbeFailed, "is no SQLite database", 0},
		{[]string{"*.dat"}, verify.ProbeFailed, "is no SQLite database (0 bytes)", 0},
		{[]string{"*.db", "*.none"}, verify.ProbeFailed, "matches no file", 0},
	} {
		r := w.run(probe.Spec{Argv: append([]string{"sqlite"}, tt.args...)})
		want(t, r, tt.result, tt.says)
		if r.Checked != tt.checked {
			t.Errorf("%q: checked %d", tt.args, r.Checked)
		}
	}
	t.Setenv("PATH", t.TempDir())
	s := probe.Spec{Argv: []string{"sqlite", "*.db"}, Isolation: probe.None}
	for _, err := range []error{probe.Check(t.Context(), s), second(probe.Run(t.Context(), s, w.options()))} {
		if err == nil || !strings.Contains(err.Error(), "it needs the program sqlite3, which is not on the PATH: install it") || errors.Is(err, probe.ErrIsolation) {
			t.Error(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
