package restore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"savepoint/repo/restore"
)

// TestSwappedDirectories exchanges every directory of the target after the plan was made. Nothing may be written through what took
// their place.
func TestSwappedDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "source")
	for i := range 300 { // more than stay open
		write(t, filepath.Join(dir, fmt.Sprintf("d%03d/below/f", i)), noise(uint64(i), 2000))
	}
	_, r, snap := saved(t, dir)
	outside := filepath.Join(t.TempDir(), "outside")
	for name, swap := range map[string]func(string) error{
		"symlink":   func(p string) error { return os.Symlink(outside, p) },
		"directory": func(p string) error { return os.MkdirAll(filepath.Join(p, "below"), 0o777) },
		"nothing":   func(string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(filepath.Join(outside, "below"), 0o777); err != nil {
				t.Fatal(err)
			}
			target := filepath.Join(t.TempDir(), "t")
			_, err := restore.Run(t.Context(), r, snap, restore.Selection{}, restore.Options{Target: target, Workers: 2, Events: restore.Events{
				Planned: func(restore.Plan) {
					for i := range 300 {
						p := filepath.Join(target, fmt.Sprintf("d%03d", i))
						if err := errors.Join(os.Rename(p, p+"-away"), swap(p)); err != nil {
							t.Error(err)
						}
					}
				},
			}})
			if !errors.Is(err, restore.ErrSwapped) {
				t.Errorf("got %v", err)
			}
			if got := names(t, filepath.Join(outside, "below")); len(got) > 0 || len(names(t, outside)) != 1 {
				t.Errorf("outside the target: %q", got)
			}
			for i := range 300 {
				if got, err := os.ReadDir(filepath.Join(target, fmt.Sprintf("d%03d/below", i))); err == nil && len(got) > 0 {
					t.Errorf("written into what took the place of a directory: %v", got)
				}
			}
		})
	}
}
