package health_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"savepoint/verify/health"
)

func TestWriteTextfile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "savepoint.prom")
	for _, text := range []string{"first\n", "second\n"} {
		if err := health.WriteTextfile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o644 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if err := health.WriteTextfile(filepath.Join(dir, "gone", "x.prom"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "taken.prom", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := health.WriteTextfile(filepath.Join(dir, "taken.prom"), []byte("x")); err == nil {
		t.Error("in place of a folder")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestTextfileWhole reads a file while it is written over and over: every reader sees one whole text.
func TestTextfileWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "savepoint.prom")
	texts := [][]byte{bytes.Repeat([]byte("a"), 300<<10), bytes.Repeat([]byte("b"), 100<<10)}
	if err := health.WriteTextfile(path, texts[0]); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				b, err := os.ReadFile(path)
				if err != nil || !bytes.Equal(b, texts[0]) && !bytes.Equal(b, texts[1]) {
					t.Errorf("a reader sees %d bytes, %v", len(b), err)
					return
				}
			}
		})
	}
	for i := range 60 {
		if err := health.WriteTextfile(path, texts[i%2]); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}
