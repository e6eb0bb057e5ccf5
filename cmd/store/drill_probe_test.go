package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"savepoint/internal/needtest"
	"savepoint/verify/probe"
)

// usersBegin makes the dataset that the section takes for granted.
const usersBegin = `
mkdir -p users/players/old
for p in 1 2 3; do echo "{\"name\": \"player $p\"}" >users/players/$p.json; done
sqlite3 users/guilds.db "CREATE TABLE guilds (name TEXT); INSERT INTO guilds VALUES ('red'), ('blue')"
date -u +%FT%TZ >users/heartbeat
store init --no-password --machine-key key -q
store backup --dataset users users
`

// TestProbesDocumented runs the sh blocks of the section on probes in docs/operations.md. Each of its commands must pass.
func TestProbesDocumented(t *testing.T) {
	needDisk(t)
	if _, err := exec.LookPath("sqlite3"); err != nil {
		needtest.Without(t, "sqlite3", err.Error())
	}
	if err := probe.Check(t.Context(), probe.Spec{Argv: []string{"sh"}}); err != nil {
		needtest.Without(t, "namespaces", err.Error())
	}
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(b), "\n## Probes\n")
	text, _, _ = strings.Cut(text, "\n## ")
	script, blocks := shellScript("```sh" + usersBegin + "```\n" + text)
	if !found || blocks < 2 {
		t.Fatalf("%d sh blocks", blocks)
	}
	dir := t.TempDir()
	out := runGuide(t, script, dir, "PATH="+os.Getenv("PATH"), "STORE_REPO="+dir+"/r", "STORE_KEY_FILE="+dir+"/key")
	if n, want := strings.Count(out, "\npass: users@"), strings.Count(text, "\nstore drill "); n != want || n == 0 {
		t.Errorf("%d drills of %d passed", n, want)
	}
}

// TestProbeText shows a command as it is configured, and of a long one whole words.
func TestProbeText(t *testing.T) {
	long := strings.Repeat("é", 200)
	for _, tt := range []struct {
		argv []string
		want string
	}{
		{[]string{"/usr/local/bin/check", "{target}", "--at={recovery_point}"}, "/usr/local/bin/check {target} --at={recovery_point}"},
		{[]string{"sh", "-c", "a b"}, "sh -c 'a b'"},
		{[]string{"p", "{a,b}", ""}, "p '{a,b}' ''"},
		{[]string{"p", "a\nb\x1b"}, `p "$(printf 'a\012b\033')"`},
		{[]string{"check", "--first=" + strings.Repeat("a", 70), "--second=" + strings.Repeat("b", 70), "c"}, "check --first=" + strings.Repeat("a", 70) + " … (2 more arguments)"},
		{[]string{"check", long}, "check … (1 more argument)"},
		{[]string{long}, "'" + strings.Repeat("é", probeWidth-2) + "…"},
	} {
		if got := probeText(tt.argv); got != tt.want {
			t.Errorf("%q: %s", tt.argv, got)
		}
	}
}
