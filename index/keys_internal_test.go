package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"savepoint/chunk"
	"savepoint/repo/record"
)

func TestPieces(t *testing.T) {
	for _, n := range []int{1, pieceLen - 2, pieceLen, 3*pieceLen + 5} {
		want := bytes.Repeat([]byte{7}, n)
		var j joiner
		var got, key []byte
		done := 0
		err := pieces([]byte("key"), want, func(k, v []byte) error {
			if done > 0 {
				t.Errorf("%d bytes: a piece after the last", n)
			}
			whole, joined, err := j.add(k, v)
			if joined != nil {
				done++
				key, got = whole, joined
			}
			return err
		})
		if err != nil || done != 1 || string(key) != "key" || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d times %d bytes under %q, %v", n, done, len(got), key, err)
		}
	}
}

// FuzzValues holds that no value makes a decoder panic or return what would not be written that way.
func FuzzValues(f *testing.F) {
	f.Add(appendPlaces(nil, []place{{1, 2, 300, 40000}, {5, 6, 7, 8}}))
	g := &segment{size: 7, session: record.Session{Began: 5, Renewed: 6}, supersedes: []record.ID{{1}, {2}}, packs: []byte{0, 1, 200, 1}}
	f.Add(g.encode())
	f.Add(make([]byte, packFixed+blockLen))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parsePlaces(nil, b); err == nil {
			again, err := parsePlaces(nil, appendPlaces(nil, p))
			if err != nil || len(p) == 0 || len(p) > maxPlaces || !slices.Equal(again, p) {
				t.Errorf("%v becomes %v, %v", p, again, err)
			}
		} else if !errors.Is(err, ErrDamaged) {
			t.Errorf("places: %v", err)
		}
		if g, err := parseSegment(b); err == nil {
			if !bytes.Equal(g.encode(), b) {
				t.Errorf("a segment of %x becomes %x", b, g.encode())
			}
		} else if !errors.Is(err, ErrDamaged) {
			t.Errorf("segment: %v", err)
		}
		if p, err := parsePack(b); err == nil {
			if !bytes.Equal(appendPack(nil, p), b) {
				t.Errorf("a pack of %x becomes %x", b, appendPack(nil, p))
			}
		} else if !errors.Is(err, ErrDamaged) {
			t.Errorf("pack: %v", err)
		}
		var j joiner
		for piece := range slices.Chunk(b, 7) {
			if _, _, err := j.add(piece, piece); err != nil && !errors.Is(err, ErrDamaged) {
				t.Errorf("piece: %v", err)
			}
		}
	})
}

// TestSorter sorts rows whose IDs are spread, and some that are not at all.
func TestSorter(t *testing.T) {
	if testing.Short() {
		t.Skip("sorts a million rows")
	}
	for name, make := range map[string]func(i int) chunk.ID{
		"spread": func(i int) chunk.ID {
			var id chunk.ID
			binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
			return id
		},
		"alike": func(i int) chunk.ID {
			var id chunk.ID
			binary.BigEndian.PutUint64(id[24:], uint64(i)*0x9e3779b97f4a7c15)
			return id
		},
		"equal": func(int) chunk.ID { return chunk.ID{1} },
	} {
		t.Run(name, func(t *testing.T) {
			const n = bucketMost/rowLen + 5000
			s, err := newSorter(t.TempDir(), n/4, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			for i := range n {
				id := make(i)
				if err := s.add(&id, place{uint32(i), 0, 0, 1}); err != nil {
					t.Fatal(err)
				}
			}
			var last []byte
			seen, got := bitmap{}, 0
			err = s.each(func(rows []byte) error {
				for row := range slices.Chunk(rows, rowLen) {
					if bytes.Compare(last, row[:32]) > 0 || rowPlace(row).length != 1 {
						return errors.New("out of order")
					}
					last = append(last[:0], row[:32]...)
					seen.set(rowPlace(row).pack)
					got++
				}
				return nil
			})
			if err != nil || got != n {
				t.Fatalf("%d rows of %d, %v", got, n, err)
			}
			for i := range uint32(n) {
				if !seen.has(i) {
					t.Fatalf("row %d is missing", i)
				}
			}
		})
	}
}
