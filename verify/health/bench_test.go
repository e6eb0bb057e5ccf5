package health_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/storage/file"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/health"
)

// BenchmarkLook looks at 10,000 snapshots of 40 sources and 10,000 reports in a folder, and asks which of them are known to be damaged, which is
// what a listing of snapshots costs more.
func BenchmarkLook(b *testing.B) {
	const sources, each = 40, 250
	dir := b.TempDir()
	st, err := file.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	w := &world{t: b, cache: b.TempDir(), now: time.Now()}
	w.init(st)
	for n := range sources {
		dataset, host := fmt.Sprintf("world-%d", n/8), fmt.Sprintf("host-%d", n)
		var snap *repo.Snapshot
		err := w.repo.Write(b.Context(), dataset, host, func(ctx context.Context, s *repo.Session) error {
			for range each {
				if snap, err = s.Commit(ctx, manifest()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		stats, err := tree.EncodeStats(&snap.Stats)
		if err != nil {
			b.Fatal(err)
		}
		for i := range each {
			switch {
			case i%2 == 0:
				w.put(dataset, host, &record.Report{Kind: record.BackupReport, Ran: [2]int64{snap.Window[0], snap.Stored.UnixNano()}, Manifest: snap.Name,
					Published: snap.Stored.UnixNano(), Stats: stats})
			case i%50 == 1:
				var read []record.ReadBack
				for p := range 200 {
					read = append(read, record.ReadBack{PackRef: record.PackRef{Kind: pack.Data, ID: pack.ID{byte(p), byte(n), byte(i)}}, Time: w.clock().UnixNano()})
				}
				w.check(verify.CheckDocument{Level: "data", Structure: verify.Structure{Packs: 100000}}, read...)
			default:
				w.drill(dataset, host, snap, verify.Restored)
			}
		}
	}
	run := func(b *testing.B, cache func() string) {
		for b.Loop() {
			r, err := repo.Open(b.Context(), st, repo.Secret{Passphrase: password}, repo.Options{Cache: cache()})
			if err != nil {
				b.Fatal(err)
			}
			s, err := health.Look(b.Context(), r, health.Options{})
			if err != nil || len(s.Sources) != sources || len(s.Unreadable) > 0 {
				b.Fatalf("%v, %+v", err, s)
			}
			var text bytes.Buffer
			if err := health.WriteMetrics(&text, s, health.MetricsOptions{Repository: true}); err != nil {
				b.Fatal(err)
			}
		}
	}
	damage := func(b *testing.B, cache func() string) {
		for b.Loop() {
			r, err := repo.Open(b.Context(), st, repo.Secret{Passphrase: password}, repo.Options{Cache: cache()})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			snaps, err := r.Snapshots(b.Context())
			b.StartTimer()
			if err == nil {
				_, err = health.Damage(b.Context(), r, snaps)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	lost := func(b *testing.B, cache func() string, since func([]*repo.Snapshot) time.Time) {
		snaps, err := w.repo.Snapshots(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			r, err := repo.Open(b.Context(), st, repo.Secret{Passphrase: password}, repo.Options{Cache: cache()})
			if err == nil {
				_, err = r.LostSince(b.Context(), snaps, since(snaps))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	newest := func(snaps []*repo.Snapshot) time.Time { return snaps[len(snaps)-1].Start().Add(2 * time.Hour) } // all reports are of now
	ever := func([]*repo.Snapshot) time.Time { return time.Time{} }
	list := func(b *testing.B) {
		for b.Loop() {
			if _, err := w.repo.Snapshots(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("damage, warm", func(b *testing.B) { damage(b, func() string { return w.cache }) })
	b.Run("damage, cold", func(b *testing.B) { damage(b, b.TempDir) })
	b.Run("lost, of the newest", func(b *testing.B) { lost(b, b.TempDir, newest) })
	b.Run("lost, of all time, cold", func(b *testing.B) { lost(b, b.TempDir, ever) })
	b.Run("the listing alone", list)
	b.Run("warm", func(b *testing.B) { run(b, func() string { return w.cache }) })
	b.Run("cold", func(b *testing.B) { run(b, b.TempDir) })
}
