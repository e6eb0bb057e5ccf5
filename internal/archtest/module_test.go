package archtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestModule applies every rule to this module.
func TestModule(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for name, problems := range map[string][]Problem{
		"import directions": CheckDirections(files, allowed),
		"fences":            CheckFences(files, fences, standardOnly),
		"size":              CheckSize(files),
		"packages":          CheckPackages(files),
		"clock":             CheckClock(files),
		"sleep":             CheckSleep(files),
		"init":              CheckInit(files),
		"suppressions":      CheckSuppressions(files, maxSuppressions),
		"top level":         CheckTopLevel(names, topLevel),
	} {
		t.Run(name, func(t *testing.T) { report(t, problems) })
	}
}

// TestArchitecturePaths holds that docs/architecture.md names what is there.
func TestArchitecturePaths(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	const document = "docs/architecture.md"
	text, err := os.ReadFile(filepath.Join(root, document))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no such page yet")
	}
	if err != nil {
		t.Fatal(err)
	}
	report(t, CheckPaths(document, string(text), os.DirFS(root), topLevel))
}

func report(t *testing.T, problems []Problem) {
	t.Helper()
	for _, p := range problems {
		if p.Warn {
			t.Logf("warning: %s", p)
		} else {
			t.Error(p)
		}
	}
}
