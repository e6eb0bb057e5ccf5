package index_test

import (
	"math/rand/v2"
	"testing"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/record"
)

// million makes a warm index with a million entries in its base and, if delta is set, 50,000 in its delta. It returns
// the IDs of some that are there.
func million(b *testing.B, delta bool) (dir string, s shelf, ids []chunk.ID) {
	b.Helper()
	dir, s = b.TempDir(), shelf{}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range uint64(100) {
		s[segmentID(i)] = randomSegment(b, r, 4, 2500)
	}
	x := open(b, dir)
	bring(b, x, s)
	if delta {
		for i := range uint64(5) {
			s[segmentID(100+i)] = randomSegment(b, r, 4, 2500)
		}
		bring(b, x, s)
	}
	for _, p := range s {
		seg, err := record.DecodeSegment(p)
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < seg.Len(); i += 10 {
			ids = append(ids, seg.Chunk(i))
		}
	}
	if st := x.Stats(); st.Base != 1_000_000 || delta != (st.Delta > 0) {
		b.Fatalf("Stats = %+v", st)
	}
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
	r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return dir, s, ids
}

// BenchmarkOpen opens a warm index and brings it to an unchanged listing.
func BenchmarkOpen(b *testing.B) {
	for _, delta := range []bool{false, true} {
		name := map[bool]string{false: "base", true: "base and delta"}[delta]
		b.Run(name, func(b *testing.B) {
			dir, s, _ := million(b, delta)
			listed := s.listed()
			for b.Loop() {
				x, err := index.Open(dir, index.Options{Repo: [16]byte{1}})
				if err != nil {
					b.Fatal(err)
				}
				if err := x.Sync(b.Context(), listed, nil); err != nil {
					b.Fatal(err)
				}
				if err := x.SetLive(index.Judge{}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := x.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

func BenchmarkHas(b *testing.B) {
	for _, delta := range []bool{false, true} {
		dir, s, ids := million(b, delta)
		x := open(b, dir)
		bring(b, x, s)
		name := map[bool]string{false: "base/", true: "base and delta/"}[delta]
		b.Run(name+"hit", func(b *testing.B) {
			i := 0
			for b.Loop() {
				if ok, err := x.Has(&ids[i%len(ids)]); !ok || err != nil {
					b.Fatal(ok, err)
				}
				i++
			}
		})
		b.Run(name+"miss", func(b *testing.B) {
			i := 0
			for b.Loop() {
				id := ids[i%len(ids)]
				id[31] ^= 0xff
				if ok, err := x.Has(&id); ok || err != nil {
					b.Fatal(ok, err)
				}
				i++
			}
		})
		b.Run(name+"lookup all", func(b *testing.B) {
			for b.Loop() {
				n := 0
				if err := x.LookupAll(b.Context(), ids, func(int, index.Location) { n++ }); err != nil || n < len(ids) {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ids)), "ns/chunk")
		})
	}
}
