package storage_test

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"

	"savepoint/repo/storage"
)

func TestCheckName(t *testing.T) {
	long := strings.Repeat("a", 512)
	tests := []struct {
		name string
		ok   bool
	}{
		{"config", true},
		{"data/0f/00ff", true},
		{"a-b/c.d/_", true},
		{".tmp/x", true},
		{"...", true},
		{"..a", true},
		{long, true},
		{long + "a", false},
		{"", false},
		{"/", false},
		{"/a", false},
		{"a/", false},
		{"a//b", false},
		{".", false},
		{"..", false},
		{"a/../b", false},
		{"a/./b", false},
		{"a b", false},
		{"a\x00", false},
		{"a\n", false},
		{"a\\b", false},
		{"ä", false},
		{"a:b", false},
		{"a*", false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.20q", tt.name), func(t *testing.T) {
			err := storage.CheckName(tt.name)
			if (err == nil) != tt.ok {
				t.Errorf("CheckName = %v, want ok %t", err, tt.ok)
			}
			if got := storage.ValidName(tt.name); got != tt.ok {
				t.Errorf("ValidName = %t, want %t", got, tt.ok)
			}
		})
	}
}

// FuzzCheckName holds that an accepted name stays beneath the directory it is
// joined to, and means the same to every file system.
func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"a", "a/b", "../a", "a/..", "a//b", "/", ".", "a/.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !storage.ValidName(name) {
			return
		}
		if path.Join("/base", name) != "/base/"+name {
			t.Errorf("%q is accepted and is not clean", name)
		}
		if len(name) > 512 || strings.ContainsFunc(name, func(r rune) bool { return r < '-' || r > 'z' }) {
			t.Errorf("%q is accepted", name)
		}
	})
}

func TestOpError(t *testing.T) {
	err := error(&storage.OpError{Op: "get", Name: "data/aa/x", Err: fmt.Errorf("somewhere: %w", storage.ErrRange)})
	if want := "get data/aa/x: somewhere: range lies beyond the object"; err.Error() != want {
		t.Errorf("Error = %q, want %q", err, want)
	}
	if !errors.Is(err, storage.ErrRange) || errors.Is(err, storage.ErrNotExist) {
		t.Errorf("errors.Is does not see through %v", err)
	}
	if got := (&storage.OpError{Op: "list", Err: storage.ErrUnsupported}).Error(); got != "list: not supported by this storage" {
		t.Errorf("Error without a name = %q", got)
	}
}
