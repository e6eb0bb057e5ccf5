package seal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"savepoint/repo/seal"
)

var kinds = []seal.Kind{seal.Config, seal.Segment, seal.Manifest, seal.Lease, seal.Condemned, seal.Mark, seal.Report, seal.Gone}

func testRing() *seal.Ring { return ringOf(seal.RepoID{1, 2, 3}, 0, 0) }

func ringOf(repo seal.RepoID, epoch, domain uint32) *seal.Ring {
	return seal.NewRing(repo, seal.Key{Epoch: epoch, Domain: domain, Secret: [32]byte{9, 8, 7}})
}

func random(seed uint64, n int) []byte {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(s).Read(b)
	return b
}

func mustSeal(t testing.TB, r *seal.Ring, kind seal.Kind, name string, payload, extra []byte) []byte {
	t.Helper()
	b, err := r.Seal(kind, name, payload, extra)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEnvelopeRoundTrip(t *testing.T) {
	r := testRing()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		name := rapid.StringMatching(`[a-z0-9/._-]{0,80}`).Draw(t, "name")
		payload := random(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 200_000).Draw(t, "length"))
		extra := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "extra")
		b, err := r.Seal(kind, name, payload, extra)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Open(kind, name, b, extra)
		if err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("Open = %d bytes, %v; want the %d sealed", len(got), err, len(payload))
		}
	})
}

// TestEnvelopeLengths walks the lengths around the ends of pieces: the size is header, payload and one tag a piece, and
// only an empty payload has an empty piece.
func TestEnvelopeLengths(t *testing.T) {
	r := testRing()
	for _, kind := range []seal.Kind{seal.Segment, seal.Manifest} {
		n := seal.PieceLen(kind)
		if want := map[seal.Kind]int{seal.Segment: 64 << 10, seal.Manifest: 1 << 20}[kind]; n != want {
			t.Fatalf("pieces of kind %d have %d bytes, want %d", kind, n, want)
		}
		for _, tt := range []struct{ length, pieces int }{
			{0, 1}, {1, 1}, {n - 1, 1}, {n, 1}, {n + 1, 2}, {2*n - 1, 2}, {2 * n, 2}, {2*n + 1, 3},
		} {
			payload := random(1, tt.length)
			b := mustSeal(t, r, kind, "name", payload, nil)
			if want := seal.HeaderLen + tt.length + 16*tt.pieces; len(b) != want || cap(b) > want+16 {
				t.Errorf("kind %d, %d bytes sealed into %d of %d, want %d", kind, tt.length, len(b), cap(b), want)
			}
			e, err := r.NewEnvelope(kind, "name", b, int64(len(b)), nil)
			if err != nil || e.PayloadLen() != int64(tt.length) {
				t.Errorf("kind %d, %d bytes: NewEnvelope = %v, %v", kind, tt.length, e, err)
			}
			if got, err := r.Open(kind, "name", b, nil); err != nil || !bytes.Equal(got, payload) {
				t.Errorf("kind %d, %d bytes: Open = %d bytes, %v", kind, tt.length, len(got), err)
			}
		}
		// Sizes are judged before anything is opened: a last piece has a tag, and a byte if it is not the only one.
		head := mustSeal(t, r, kind, "name", nil, nil)
		for extra := range int64(20) {
			one, two := seal.HeaderLen+extra, int64(seal.HeaderLen+n+16)+extra
			if _, err := r.NewEnvelope(kind, "name", head, one, nil); (err == nil) != (extra >= 16) {
				t.Errorf("kind %d, object of %d bytes: %v", kind, one, err)
			}
			if _, err := r.NewEnvelope(kind, "name", head, two, nil); (err == nil) != (extra == 0 || extra > 16) {
				t.Errorf("kind %d, object of %d bytes: %v", kind, two, err)
			}
		}
	}
}

// TestEnvelopeRanges reads ranges of a payload as a reader of a bucket would: header first, then the pieces.
func TestEnvelopeRanges(t *testing.T) {
	r := testRing()
	payload := random(2, 5*64<<10+777)
	b := mustSeal(t, r, seal.Segment, "index", payload, nil)
	e, err := r.NewEnvelope(seal.Segment, "index", b[:seal.HeaderLen], int64(len(b)), nil)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		off := rapid.IntRange(0, len(payload)).Draw(t, "off")
		n := rapid.IntRange(0, len(payload)-off).Draw(t, "n")
		if off == len(payload) {
			off, n = 0, 0
		}
		from, length, first, skip := e.Range(int64(off), int64(n))
		got, err := e.OpenPieces([]byte("kept"), first, b[from:from+length])
		if err != nil || string(got[:4]) != "kept" || !bytes.Equal(got[4+skip:][:n], payload[off:off+n]) {
			t.Fatalf("range %d+%d: %d bytes, %v", off, n, len(got), err)
		}
		if want := (n + 2*64<<10) / (64 << 10) * (64<<10 + 16); length > int64(want) {
			t.Fatalf("range %d+%d reads %d bytes, want at most %d", off, n, length, want)
		}
	})
	// A piece in another's place, and the last one as one that is not.
	piece := b[seal.HeaderLen:][:64<<10+16]
	for first := 1; first < 7; first++ {
		if _, err := e.OpenPieces(nil, first, piece); !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("piece 0 as piece %d: %v", first, err)
		}
	}
}

// small is an envelope short enough to try every byte.
func small(t testing.TB) (r *seal.Ring, payload, b []byte) {
	r, payload = testRing(), []byte("the payload")
	return r, payload, mustSeal(t, r, seal.Mark, "marks/1", payload, nil)
}

func refused(t testing.TB, what string, got []byte, err error) {
	t.Helper()
	if got != nil || !errors.Is(err, seal.ErrDamaged) && !errors.Is(err, seal.ErrNewer) && !errors.Is(err, seal.ErrOlder) {
		t.Fatalf("%s: %d bytes, %v; want an error", what, len(got), err)
	}
}

func TestEnvelopeEveryBitFlipped(t *testing.T) {
	r, _, b := small(t)
	for i := range len(b) * 8 {
		b[i/8] ^= 1 << (i % 8)
		got, err := r.Open(seal.Mark, "marks/1", b, nil)
		refused(t, "bit flipped", got, err)
		b[i/8] ^= 1 << (i % 8)
	}
}

func TestEnvelopeEveryTruncation(t *testing.T) {
	r, _, b := small(t)
	for n := range len(b) {
		got, err := r.Open(seal.Mark, "marks/1", b[:n], nil)
		refused(t, "cut short", got, err)
	}
	for n := 1; n < 40; n++ {
		got, err := r.Open(seal.Mark, "marks/1", append(slices.Clone(b), make([]byte, n)...), nil)
		refused(t, "too long", got, err)
	}
}

// TestEnvelopePieces cuts, swaps, repeats and drops whole pieces: each is authentic, their sequence is not.
func TestEnvelopePieces(t *testing.T) {
	r := testRing()
	b := mustSeal(t, r, seal.Segment, "index", random(3, 4*64<<10+5), nil)
	head, rest := b[:seal.HeaderLen], b[seal.HeaderLen:]
	var p [][]byte
	for piece := range slices.Chunk(rest, 64<<10+16) {
		p = append(p, piece)
	}
	for name, pieces := range map[string][][]byte{
		"last dropped":   p[:4],
		"first dropped":  p[1:],
		"swapped":        {p[1], p[0], p[2], p[3], p[4]},
		"repeated":       {p[0], p[0], p[1], p[2], p[3], p[4]},
		"one left out":   {p[0], p[2], p[3], p[4]},
		"only the last":  {p[4]},
		"none":           {},
		"last cut short": {p[0], p[1], p[2], p[3], p[4][:20]},
		"last is a tag":  {p[0], p[1], p[2], p[3], p[4][:16]},
	} {
		got, err := r.Open(seal.Segment, "index", append(slices.Clone(head), slices.Concat(pieces...)...), nil)
		refused(t, name, got, err)
	}
}

// TestEnvelopeElsewhere opens an envelope as something that it is not.
func TestEnvelopeElsewhere(t *testing.T) {
	r, payload, b := small(t)
	open := func(r *seal.Ring, kind seal.Kind, name string, b, extra []byte) ([]byte, error) {
		return r.Open(kind, name, b, extra)
	}
	got, err := open(r, seal.Mark, "marks/1", b, nil)
	if err != nil || !bytes.Equal(got, payload) {
		t.Fatal(err)
	}
	for _, name := range []string{"", "marks/2", "marks/", "marks/11", "mark/1", "condemned/1"} {
		got, err := open(r, seal.Mark, name, b, nil)
		refused(t, "name "+name, got, err)
	}
	for _, kind := range append(slices.Clone(kinds), seal.DataPack, seal.MetaPack) {
		if kind == seal.Mark {
			continue
		}
		got, err := open(r, kind, "marks/1", b, nil)
		refused(t, "asked for another kind", got, err)
		other := slices.Clone(b)
		other[8] = byte(kind)
		got, err = open(r, kind, "marks/1", other, nil)
		refused(t, "made another kind", got, err)
	}
	got, err = open(ringOf(seal.RepoID{1, 2, 4}, 0, 0), seal.Mark, "marks/1", b, nil)
	refused(t, "another repository", got, err)
	got, err = open(seal.NewRing(r.Repo, seal.NewKey()), seal.Mark, "marks/1", b, nil)
	refused(t, "another key", got, err)
	got, err = open(r, seal.Mark, "marks/1", b, []byte{0})
	refused(t, "other additional data", got, err)
	got, err = open(r, seal.Mark, "marks/", mustSeal(t, r, seal.Mark, "marks/1", nil, nil), []byte("2"))
	refused(t, "another name in two parts", got, err)
	for _, at := range []struct{ epoch, domain uint32 }{{1, 0}, {0, 1}, {1 << 31, 0}} {
		got, err := open(ringOf(r.Repo, at.epoch, at.domain), seal.Mark, "marks/1", b, nil)
		if got != nil || !errors.Is(err, seal.ErrNewer) {
			t.Errorf("ring of epoch %d, domain %d: %v, want ErrNewer", at.epoch, at.domain, err)
		}
	}
}

func TestHeader(t *testing.T) {
	r := ringOf(seal.RepoID{}, 0x01020304, 0x05060708)
	h := r.NewHeader(seal.Lease)
	h.Salt = [32]byte(random(4, 32))
	want := append([]byte("SAVEPNT\x00\x04"), seal.Version, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	want = append(want, h.Salt[:]...)
	b := h.Append(nil)
	if !bytes.Equal(b, want) || len(b) != seal.HeaderLen {
		t.Fatalf("header %x, want %x", b, want)
	}
	if got, err := seal.ParseHeader(append(b, 1, 2, 3), seal.Lease); err != nil || got != h {
		t.Errorf("ParseHeader = %+v, %v; want %+v", got, err, h)
	}
	for v := range 256 {
		b[9] = byte(v)
		_, err := seal.ParseHeader(b, seal.Lease)
		want := seal.ErrNewer
		if v == seal.Version {
			want = nil
		} else if v == 0 {
			want = seal.ErrOlder
		}
		if !errors.Is(err, want) {
			t.Errorf("version %d: %v, want %v", v, err, want)
		}
	}
	b[9] = seal.Version
	for i := range len(b) {
		if _, err := seal.ParseHeader(b[:i], seal.Lease); !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
	for _, i := range []int{0, 3, 7, 8, 10, 11} {
		b[i]++
		if _, err := seal.ParseHeader(b, seal.Lease); !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		b[i]--
	}
}

func TestSealsDiffer(t *testing.T) {
	r := testRing()
	a, b := mustSeal(t, r, seal.Lease, "n", []byte("same"), nil), mustSeal(t, r, seal.Lease, "n", []byte("same"), nil)
	if bytes.Equal(a[20:52], b[20:52]) || bytes.Equal(a[52:], b[52:]) {
		t.Error("two seals of the same bytes have equal parts")
	}
}

func FuzzOpen(f *testing.F) {
	r := testRing()
	for _, n := range []int{0, 10, 64 << 10, 64<<10 + 1} {
		f.Add(mustSeal(f, r, seal.Segment, "n", random(5, n), nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := r.Open(seal.Segment, "n", b, nil)
		if err != nil {
			refused(t, "fuzzed", got, err)
			return
		}
		// Only what was sealed opens, and that is one of the seeds.
		if n := len(got); n != 0 && n != 10 && n != 64<<10 && n != 64<<10+1 || !bytes.Equal(got, random(5, n)) {
			t.Fatalf("%d forged bytes opened", n)
		}
	})
}
