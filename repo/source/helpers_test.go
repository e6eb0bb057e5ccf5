package source_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"savepoint/repo/source"
)

func openRoot(t testing.TB, path string) *source.Root {
	t.Helper()
	r, err := source.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// age sets both times that a user can set, so that what happens in this test is later by any clock.
func age(t testing.TB, path string) {
	t.Helper()
	if err := os.Chtimes(path, time.Unix(1e9, 1), time.Unix(1e9, 1)); err != nil {
		t.Fatal(err)
	}
}

func stat(t testing.TB, d *source.Dir, name string) source.Meta {
	t.Helper()
	m, err := d.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// openFile opens a file of a folder that is a root.
func openFile(t testing.TB, path string) *source.File {
	t.Helper()
	d := openRoot(t, filepath.Dir(path)).Dir
	f, err := d.OpenFile(filepath.Base(path), stat(t, d, filepath.Base(path)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// readAll returns the segments of a file and the bytes of those that are data.
func readAll(t testing.TB, f *source.File) (segs []source.Segment, data []byte) {
	t.Helper()
	var buf bytes.Buffer
	for {
		seg, err := f.Next()
		if errors.Is(err, io.EOF) {
			return segs, buf.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
		segs = append(segs, seg)
		if seg.Hole {
			continue
		}
		if _, err := io.Copy(&buf, f); err != nil {
			t.Fatal(err)
		}
	}
}

func wantKind(t testing.TB, err error, kind source.Kind) *source.Error {
	t.Helper()
	var e *source.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a *source.Error", err)
	}
	if e.Kind != kind {
		t.Errorf("kind of %v is %v, want %v", err, e.Kind, kind)
	}
	return e
}
