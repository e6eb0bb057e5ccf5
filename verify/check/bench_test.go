package check_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"savepoint/repo"
	"savepoint/repo/storage/mem"
	"savepoint/repo/tree"
	"savepoint/verify/check"
)

// BenchmarkMillion looks at the structure of a million small files in folders of a thousand.
func BenchmarkMillion(b *testing.B) {
	const folders, each = 1000, 1000
	st := mem.New(nil)
	initRepo(b, st)
	r := open(b, st)
	err := r.Write(b.Context(), "many", "host", func(ctx context.Context, s *repo.Session) error {
		data, meta := s.NewStream(repo.Data), s.NewStream(repo.Meta)
		top := tree.NewDirBuilder(meta, r.Cutter())
		file := make([]byte, 64)
		for i := range folders {
			dir := tree.NewDirBuilder(meta, r.Cutter())
			for j := range each {
				binary.BigEndian.PutUint64(file, uint64(i*each+j))
				put, err := data.Put(ctx, file)
				if err != nil {
					return err
				}
				e := &tree.Entry{Name: fmt.Sprintf("player-%04d.json", j), Type: tree.File, Mode: 0o644, Size: 64, MTime: int64(i + 1), Inode: uint64(i*each + j + 1),
					CTime: int64(j + 1), User: "game", Group: "game", Content: []tree.Element{{ID: put.ID, Length: 64}}}
				if err := dir.Add(ctx, e); err != nil {
					return err
				}
			}
			content, err := dir.Finish(ctx)
			if err != nil {
				return err
			}
			if err := top.Add(ctx, &tree.Entry{Name: fmt.Sprintf("shard-%04d", i), Type: tree.Directory, Mode: 0o755, Content: content}); err != nil {
				return err
			}
		}
		content, err := top.Finish(ctx)
		if err = errors.Join(err, data.Flush(ctx), meta.Flush(ctx)); err != nil {
			return err
		}
		_, err = s.Commit(ctx, &tree.Manifest{Mode: tree.Full, Completeness: tree.Complete,
			Roots: []tree.Root{{Path: "/srv", Entry: tree.Entry{Type: tree.Directory, Content: content}}}})
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		d, err := check.Run(b.Context(), open(b, st), check.Options{})
		if err != nil || d.ExitCode != 0 || d.Structure.Files != folders*each || d.Structure.Chunks != folders*each {
			b.Fatalf("%+v, %v", d, err)
		}
	}
}
