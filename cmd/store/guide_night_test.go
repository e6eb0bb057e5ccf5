package main

import (
	"os"
	"strings"
	"testing"
)

// nightBegins makes what the page takes for granted: a shard that was backed up whole, and again after a bug had written into it.
const nightBegins = `
mkdir -p /srv/game/world/region /srv/scratch
echo level >/srv/game/world/level
for r in 0.0 0.1 1.0; do head -c 50000 /dev/urandom >/srv/game/world/region/r.$r; done
store init --generate-password password -q
cat >before.yaml <<EOF
datasets:
  world: {class: state, paths: [/srv/game/world], hosts: [world-1], objectives: {rpo: 90m}}
EOF
chmod 600 before.yaml
store backup --config before.yaml --dataset world --host world-1
store backup --dataset world --host world-2 /srv/game/world
cp -a /srv/game/world evening
moment=$(date -u +%FT%T.%NZ)
head -c 50000 /dev/urandom >/srv/game/world/region/r.0.1
rm /srv/game/world/level
store backup --dataset world --host world-1 /srv/game/world
cp -a /srv/game/world broken
`

// nightSteps are what happens before the sections of the page begin, and what must be true after the ones before them.
var nightSteps = []struct{ heading, script string }{
	{"## One shard's world must go back", ``},
	{"## The host is gone", `
diff -r evening /srv/game/world
diff -r broken /srv/game/world.broken
cmp evening/region/r.0.1 /srv/game/region.0241/r.0.1
[ "$(ls /srv/game/region.0241)" = r.0.1 ]
rm -r /srv/game/world "$HOME/.cache"
`},
	{"## Damage was found", `
store config show --dataset world | grep 'objectives.rpo *1h30m'
diff -r evening /srv/game/world
pack=$(ls -t "$STORE_REPO"/data/*/* | tail -1)
printf 'XXXXXXXX' | dd of="$pack" bs=1 seek=$(($(stat -c %s "$pack") / 3)) conv=notrunc status=none
`},
	{"## The drill failed", `
store restore --dataset world --host world-1 --target healed
diff -r evening healed
`},
}

// TestGuideNight runs every sh block of docs/guide/night.md, in order and in one shell, on a folder. Its paths are moved into
// the folder of the test, and 02:41 is a moment of the test.
func TestGuideNight(t *testing.T) {
	needDisk(t)
	b, err := os.ReadFile("../../docs/guide/night.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, text := t.TempDir(), string(b)
	for _, s := range nightSteps {
		if strings.Count(text, s.heading+"\n") != 1 {
			t.Fatalf("the page has no heading %q, or several", s.heading)
		}
		text = strings.Replace(text, s.heading+"\n", "```sh"+s.script+"\n```\n", 1)
	}
	script, blocks := shellScript("```sh" + nightBegins + "```\n" + text)
	if blocks < 10+len(nightSteps) {
		t.Fatalf("%d sh blocks", blocks)
	}
	script = strings.NewReplacer("/srv/", dir+"/srv/", "--at 02:41", `--at "$moment"`).Replace(script)
	out := runGuide(t, script, dir, "PATH="+os.Getenv("PATH"), "STORE_REPO="+dir+"/srv/backup", "STORE_PASSWORD_FILE="+dir+"/password")
	for _, said := range []string{
		"may be missing", "(incremental to ", "1 dataset\n", "DAMAGED: ", "what its source still has", "ok; a restore was last proven", "restored: world@world-1 of ",
	} {
		if !strings.Contains(out, said) {
			t.Errorf("nothing said %q", said)
		}
	}
}
