package repo

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func FuzzSealedCache(f *testing.F) {
	f.Add([]byte(cacheMagic + "\x00\x01\x00\x00\x00\x02abc"))
	f.Add([]byte(cacheMagic + "\x00\x01\xff\xff\xff\xffabc"))
	f.Add([]byte("other"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, sealed := range parseSealed(b) {
			if !bytes.Contains(b, append([]byte(name), sealed...)) {
				t.Errorf("%q is not what was given", name)
			}
		}
	})
}

func TestSealedCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "manifests")
	listed := func(name string) bool { return name != "gone" }
	write := func(c *sealedCache) {
		t.Helper()
		if err := c.save(listed); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *sealedCache {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return &sealedCache{path: path, have: parseSealed(b)}
	}
	c := &sealedCache{path: path}
	c.use("one", []byte("1"), true)
	c.use("gone", []byte("22"), true)
	write(c)
	c = read()
	if c.get("one", 1) == nil || c.get("one", 2) != nil || c.get("gone", 2) == nil || c.get("other", 1) != nil {
		t.Errorf("have %q", c.have)
	}
	c.use("two", []byte("333"), true)
	write(c)
	c = read()
	if c.get("one", 1) == nil || c.get("two", 3) == nil || c.get("gone", 2) != nil {
		t.Errorf("have %q; want what is listed and what is new", c.have)
	}
	c.size = maxCacheFile - 20
	c.use("large", make([]byte, 20), true)
	if c.used["large"] != nil || c.fresh != 0 {
		t.Error("more is kept than a file may have")
	}
	c.use("one", c.have["one"], false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(c)
	if _, err := os.Stat(path); err == nil {
		t.Error("written though nothing is new")
	}
}
