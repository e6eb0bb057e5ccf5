package world_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/corpus/world"
)

// contents reads a small tree.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func played(t testing.TB, seed uint64, plays int) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "world")
	if err := world.Make(dir, seed, 0.1); err != nil {
		t.Fatal(err)
	}
	for range plays {
		if err := world.Play(dir, seed); err != nil {
			t.Fatal(err)
		}
	}
	return contents(t, dir)
}

func TestDeterministic(t *testing.T) {
	if a, b := played(t, 1, 3), played(t, 1, 3); !maps.Equal(a, b) {
		t.Error("one seed, two worlds")
	}
	if a, b := played(t, 1, 0), played(t, 2, 0); maps.Equal(a, b) {
		t.Error("two seeds, one world")
	}
}

func TestPlay(t *testing.T) {
	before, after := played(t, 1, 1), played(t, 1, 2)
	changed := make(map[string]int)
	for name, data := range after {
		if before[name] != data {
			changed[strings.SplitN(name, "/", 2)[0]]++
		}
	}
	for _, part := range []string{"players", "world", "ledger", "logs"} {
		if changed[part] == 0 {
			t.Errorf("nothing changed in %s", part)
		}
	}
	if n := changed["players"]; n > 30 {
		t.Errorf("%d of 200 players changed in an hour", n)
	}
	if !strings.HasPrefix(after["ledger/trades.csv"], before["ledger/trades.csv"]) {
		t.Error("the ledger was not only appended to")
	}
	if diff := cmp.Diff(before["logs/server.log"], after["logs/server-0002.log"]); diff != "" {
		t.Error("the log of the hour before is not what it was")
	}
}

func TestContents(t *testing.T) {
	files := played(t, 1, 0)
	profiles, bytesOfProfiles := 0, 0
	for name, data := range files {
		switch {
		case strings.HasPrefix(name, "players/"):
			if !json.Valid([]byte(data)) {
				t.Errorf("%s is not JSON", name)
			}
			profiles, bytesOfProfiles = profiles+1, bytesOfProfiles+len(data)
		case strings.HasPrefix(name, "world/regions/"):
			if zero := strings.Count(data, "\x00"); zero < len(data)/4 || zero > len(data)*3/4 {
				t.Errorf("%d of %d bytes of %s are zero", zero, len(data), name)
			}
		}
	}
	if size := bytesOfProfiles / max(profiles, 1); profiles != 200 || size < 800 || size > 1300 {
		t.Errorf("%d profiles of %d bytes on average", profiles, size)
	}
}

func TestMakeRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "world")
	if err := world.Make(dir, 1, 0); err == nil {
		t.Error("made a world of scale 0")
	}
	if err := world.Play(dir, 1); err == nil {
		t.Error("played in no world")
	}
	if err := world.Make(dir, 1, 0.01); err != nil {
		t.Fatal(err)
	}
	if err := world.Make(dir, 1, 0.01); err == nil {
		t.Error("made a world over another")
	}
}

func TestProfiles(t *testing.T) {
	dir := t.TempDir()
	if err := world.Profiles(dir, 1, 1001); err != nil {
		t.Fatal(err)
	}
	files := contents(t, dir)
	if len(files) != 1001 || !bytes.Contains([]byte(files["001/p0001000.json"]), []byte(`"p0001000"`)) {
		t.Errorf("%d files", len(files))
	}
}
