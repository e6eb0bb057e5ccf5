package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"savepoint/internal/needtest"
)

// recoveryBegins makes what the page takes for granted: a repository with a password, and a snapshot.
const recoveryBegins = `
mkdir -p /srv/game/world /etc/savepoint
echo level >/srv/game/world/level
store init --generate-password /etc/savepoint/password -q
store backup --dataset world --host world-1 /srv/game/world
`

// recoverySteps are what must be true before the sections of the page begin.
var recoverySteps = []struct{ heading, script string }{
	{"## Prove it", "diff -r restored /srv/game/world\n"},
	{"## Passwords and keys", "test $(stat -c %s keys.cbor) -gt 100\ncp /etc/savepoint/password old.password\n"},
	{"## What is recorded", "store snapshots --password-file /etc/savepoint/password\nstore snapshots --password-file old.password    # exit 12\nstore snapshots --identity safe.key\n"},
}

// TestGuideRecovery runs every sh block of docs/guide/recovery.md, in order and in one shell, on a folder, with stock age and the second reader.
func TestGuideRecovery(t *testing.T) {
	needDisk(t)
	for _, program := range []string{"age", "age-keygen", "python3", "b3sum", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			needtest.Without(t, program, program+" is not installed; `make deps` installs it")
		}
	}
	b, err := os.ReadFile("../../docs/guide/recovery.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, text := t.TempDir(), string(b)
	for _, s := range recoverySteps {
		if strings.Count(text, s.heading+"\n") != 1 {
			t.Fatalf("the page has no heading %q, or several", s.heading)
		}
		text = strings.Replace(text, s.heading+"\n", "```sh\n"+s.script+"```\n", 1)
	}
	script, blocks := shellScript("```sh" + recoveryBegins + "```\n" + text)
	if blocks < 6+len(recoverySteps) {
		t.Fatalf("%d sh blocks", blocks)
	}
	reader, err := filepath.Abs("../../internal/reader/reader.py")
	if err != nil {
		t.Fatal(err)
	}
	script = strings.NewReplacer("/srv/", dir+"/srv/", "/etc/savepoint", dir+"/etc", "reader.py ", reader+" ").Replace(script)
	out := runGuide(t, script, dir, "PATH="+os.Getenv("PATH"), "STORE_REPO="+dir+"/srv/backup", "STORE_PASSWORD_FILE="+dir+"/etc/password")
	for _, said := range []string{"recovery kit: it works", "recovery kit: last proven ", "age key, post-quantum", "SSH key, ed25519", `"source": "world@world-1"`} {
		if !strings.Contains(out, said) {
			t.Errorf("nothing said %q", said)
		}
	}
}

// TestGuideFindsSlot runs the page's way to the ID of a slot on lists in which that is, and is not, the one in use.
func TestGuideFindsSlot(t *testing.T) {
	program, err := exec.LookPath("awk")
	if err != nil {
		needtest.Without(t, "awk", "awk is not installed")
	}
	b, err := os.ReadFile("../../docs/guide/recovery.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`store key list .*\| awk '(.*)'\)`).FindSubmatch(b)
	if found == nil {
		t.Fatal("the page does not look for a slot")
	}
	for _, mark := range []string{" ", "*"} {
		var list strings.Builder
		rows := table{header: []string{"", "KIND", "LABEL", "ID", "CREATED", "OPENS WITH", "ADDED BY"}}
		rows.add(" ", "machine", "kit", "11111111", "2026-11-20 12:00:00 UTC", "age key", "ops@cron")
		rows.add(mark, "machine", "cron", "0a1b2c3d", "2026-11-20 12:00:00 UTC", "age key", "ops@host")
		if err := rows.print(&list); err != nil {
			t.Fatal(err)
		}
		c := exec.Command(program, string(found[1]))
		c.Stdin = strings.NewReader(list.String())
		if out, err := c.Output(); err != nil || string(out) != "0a1b2c3d\n" {
			t.Errorf("of a row marked %q it finds %q, %v", mark, out, err)
		}
	}
}
