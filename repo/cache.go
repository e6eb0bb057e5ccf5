package repo

import (
	"os"
	"path/filepath"

	"savepoint/repo/seal"
)

// cacheFile returns the path of a file in this repository's cache folder, or "" when there is no cache.
func (r *Repo) cacheFile(id seal.RepoID, name string) string {
	if r.o.Cache == "" || (id == seal.RepoID{}) {
		return ""
	}
	return filepath.Join(r.o.Cache, id.String(), name)
}

// writeCache replaces a cache file as a whole.
func writeCache(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error says more
	}
	return err
}
