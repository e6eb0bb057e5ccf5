package archtest

import (
	"os"
	"path/filepath"
	"slices"
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

// TestDocumentPaths holds that the pages which describe the program as it is name what is there. Decisions are of their day.
func TestDocumentPaths(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	top := slices.DeleteFunc(slices.Clone(topLevel), func(name string) bool { return name == "bin" }) // it need not be built
	for _, document := range []string{"README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/format.md", "docs/json.md", "docs/guide/minio.md", "docs/guide/night.md"} {
		text, err := os.ReadFile(filepath.Join(root, document))
		if err != nil {
			t.Fatal(err)
		}
		report(t, CheckPaths(document, string(text), os.DirFS(root), top))
	}
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
