package check

import (
	"bytes"
	"testing"
	"time"

	"savepoint/repo/storage"
	"savepoint/repo/storage/file"
)

// BenchmarkReadBack reads packs back from a folder, with all cores, and checks the same packs one by one where they lie in memory.
func BenchmarkReadBack(b *testing.B) {
	m, _ := readRepo(b, 0)
	r := openRead(b, m)
	for i := range 32 {
		if err := readFill(b.Context(), r, uint64(i), 8<<20); err != nil {
			b.Fatal(err)
		}
	}
	packs := readIndex(b, m)
	dir := b.TempDir()
	st, err := file.Create(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range m.Objects() {
		body := readObject(b, m, name)
		if err := st.Put(b.Context(), name, bytes.NewReader(body), int64(len(body)), storage.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	r = openRead(b, st)
	b.Run("folder", func(b *testing.B) {
		b.SetBytes(int64(sizeOf(packs)))
		for b.Loop() {
			if res, err := readBack(b.Context(), r, packs, nil, readOptions{Amount: All(), Now: time.Now}); err != nil || len(res.Whole) != len(packs) {
				b.Fatal(len(res.Whole), err)
			}
		}
	})
	b.Run("check alone", func(b *testing.B) {
		b.SetBytes(int64(sizeOf(packs)))
		for b.Loop() {
			for i := range packs {
				body, err := m.Get(b.Context(), packs[i].Name(), 0, -1, nil)
				if err == nil {
					_, err = r.CheckPack(b.Context(), &packs[i], body, nil)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
