package file_test

import (
	"testing"

	"savepoint/repo/storage"
	"savepoint/repo/storage/file"
	"savepoint/repo/storage/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storage.Store {
		s, err := file.Create(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
