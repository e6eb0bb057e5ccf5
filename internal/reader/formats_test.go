package reader_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestReaderReadsFrozenFormats reads the frozen repositories, and finds in each the content that is on record.
func TestReaderReadsFrozenFormats(t *testing.T) {
	needTools(t)
	folders, err := filepath.Glob("../../testdata/formats/v*")
	must(t, err)
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			f := &fixture{dir: filepath.Join(dir, "repository"), identity: filepath.Join(dir, "key")}
			var names []string
			for _, s := range lines[struct{ Name string }](t, f.must(t, "snapshots")) {
				names = append(names, s.Name)
			}
			found := map[string]int{}
			for _, name := range names {
				for _, l := range lines[line](t, f.must(t, "ls", "--sum", name)) {
					if l.SHA256 != "" {
						found[l.SHA256[:16]]++
					}
				}
			}
			listing, err := os.ReadFile(filepath.Join(dir, "listing"))
			must(t, err)
			sums := regexp.MustCompile(`(?m) sha256 ([0-9a-f]{16})$`).FindAllSubmatch(listing, -1)
			for _, m := range sums {
				found[string(m[1])]--
			}
			if len(sums) == 0 || len(names) != 2 {
				t.Errorf("%d snapshots, %d files on record", len(names), len(sums))
			}
			for sum, n := range found {
				if n != 0 {
					t.Errorf("content %s: %d more in the repository than on record", sum, n)
				}
			}
		})
	}
}
