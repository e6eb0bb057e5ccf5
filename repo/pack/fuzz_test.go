package pack

import (
	"bytes"
	"encoding/binary"
	"math"
	"runtime"
	"testing"

	"savepoint/repo/seal"
)

// allocated returns how many bytes f allocates; other goroutines of the process count too.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzParseDirectory(f *testing.F) {
	c := newCodec(f)
	f.Add(smallPack(f, c).Directory.append(nil))
	f.Add([]byte{})
	for _, n := range [][2]uint32{{0, 0}, {math.MaxUint32, 0}, {0, math.MaxUint32}, {math.MaxUint32, math.MaxUint32}, {1 << 31, 1 << 30}} {
		f.Add(append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, n[0]), n[1]), make([]byte, 100)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Directory
		var err error
		if taken := allocated(func() { d, err = ParseDirectory(b) }); taken > 1<<16+4*uint64(len(b)) {
			t.Fatalf("%d bytes of directory took %d", len(b), taken)
		}
		if err != nil {
			damaged(t, "fuzzed", err)
			return
		}
		if err := d.Validate(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(d.append(nil), b) {
			t.Fatal("a directory has two encodings")
		}
	})
}

// FuzzScan reads packs that anyone may have written: what opens is what was sealed.
func FuzzScan(f *testing.F) {
	c := newCodec(f)
	p := smallPack(f, c)
	f.Add(p.Bytes)
	f.Add(p.Bytes[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Scan(testRing, c, Data, testKey, b)
		if err != nil {
			damaged(t, "fuzzed", err)
		}
		if len(d.Blocks) > 0 {
			known := false
			for _, e := range p.Entries {
				known = known || e.Chunk == d.Entries[0].Chunk
			}
			if !known {
				t.Fatal("a forged chunk was found")
			}
		}
		if _, err := Check(testRing, c, Data, testKey, b); err != nil {
			damaged(t, "fuzzed", err)
		}
	})
}

// FuzzBlock has a hostile writer with the key seal any bytes as a compressed block.
func FuzzBlock(f *testing.F) {
	f.Add(frame(f, text(1, 1000), false), uint32(1000))
	f.Add(frame(f, text(1, 1000), true), uint32(1000))
	f.Add(random(1, 100), uint32(100))
	c := newCodec(f)
	buf := make([]byte, BufferLen)
	f.Fuzz(func(t *testing.T, packed []byte, plain uint32) {
		if len(packed) == 0 || len(packed) > 1<<20 {
			return
		}
		p, err := NewBuilder(testRing, Data, buf)
		if err != nil {
			t.Fatal(err)
		}
		info := BlockInfo{Stored: uint32(len(packed) + seal.TagLen), Plain: plain, Codec: codecZstd}
		p.place(info, nil, packed)
		info.Offset = seal.HeaderLen
		o, err := NewOpener(testRing, c, Data, p.head.Salt)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		if taken := allocated(func() { got, err = o.Block(nil, info, buf[info.Offset:info.End()]) }); taken > 40<<20 {
			t.Fatalf("%d bytes took %d", len(packed), taken)
		}
		if err != nil {
			damaged(t, "fuzzed", err)
		} else if len(got) != int(plain) {
			t.Fatalf("block of %d bytes, want %d", len(got), plain)
		} else if _, err := tableOf(got); err != nil {
			damaged(t, "table", err)
		}
	})
}
