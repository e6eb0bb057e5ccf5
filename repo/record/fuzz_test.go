package record

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"savepoint/repo/pack"
)

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// fuzzRecord feeds a decoder. The bound has the tables that a first decode of a type makes, and what a byte of CBOR can
// become: an empty byte string is a slice header.
func fuzzRecord(f *testing.F, name string) {
	c := codecs[name]
	for seed := range 8 {
		if b, err := c.encode(rapid.Custom(c.draw).Example(seed)); err == nil {
			f.Add(b)
		}
	}
	f.Add([]byte{})
	f.Add([]byte("\xa2\x01\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x02\x40"))
	f.Add([]byte("\xa1\x02\x9a\xff\xff\xff\xff"))
	f.Add([]byte("\xa1\x02\x5b\x00\x00\x00\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if taken := allocated(func() { _, _ = c.decode(b) }); taken > 1<<20+200*uint64(len(b)) {
			t.Fatalf("%d bytes took %d", len(b), taken)
		}
		canonical(t, c, b)
	})
}

func FuzzDecodeLease(f *testing.F)     { fuzzRecord(f, "lease") }
func FuzzDecodeMark(f *testing.F)      { fuzzRecord(f, "mark") }
func FuzzDecodeCondemned(f *testing.F) { fuzzRecord(f, "condemned") }
func FuzzDecodeGone(f *testing.F)      { fuzzRecord(f, "gone") }
func FuzzDecodeReport(f *testing.F)    { fuzzRecord(f, "report") }
func FuzzDecodeConfig(f *testing.F)    { fuzzRecord(f, "config") }

func FuzzDecodeSegment(f *testing.F) {
	f.Add(mustSegment(f, pack.Data, testSession(), nil, []SegmentPack{packOf(1, 3, 2), packOf(2, 1)}))
	f.Add(mustSegment(f, pack.Meta, testSession(), []ID{{1}}, nil))
	f.Add(mustSegment(f, pack.Meta, testSession(), nil, []SegmentPack{packOf(1, 1500)}))
	huge := fromHex(f, "a6 01 01 02 50 abababababababababababababababab 06 1affffffff 07 1affffffff 08 1affffffff 09 190400")
	f.Add(append(binary.BigEndian.AppendUint32(nil, uint32(len(huge))), huge...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *Segment
		var err error
		if taken := allocated(func() { s, err = DecodeSegment(b) }); taken > 1<<20+200*uint64(len(b)) {
			t.Fatalf("%d bytes took %d", len(b), taken)
		}
		if err != nil {
			ofKind(t, "fuzzed", err)
			return
		}
		for i := range s.Len() {
			if at, ok := s.Find(s.Chunk(i)); !ok || at > i {
				t.Fatalf("entry %d is not found", i)
			}
		}
		again, err := EncodeSegment(s.Kind, s.Session, s.Supersedes, s.Directories())
		if err == nil && len(again) == len(b) && !bytes.Equal(again, b) {
			t.Fatal("a segment has two encodings")
		}
	})
}
