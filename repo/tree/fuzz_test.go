package tree

import (
	"bytes"
	"errors"
	"testing"

	"savepoint/chunk"
	"savepoint/internal/wire"
)

// dropsFields reports whether b, an encoded map, has optional fields that
// decoders drop.
func dropsFields(b []byte) bool {
	r := wire.NewReader(b)
	for n := r.Map(); n > 0; n-- {
		if r.Key(-1) >= wire.FirstOptional {
			return true
		}
		r.Skip()
	}
	return r.Err() != nil
}

func wraps(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrCorrupt) == errors.Is(err, ErrNewer) {
		t.Fatalf("want an error that wraps one of ErrCorrupt and ErrNewer: %v", err)
	}
}

func same(t *testing.T, got []byte, err error, want []byte) {
	t.Helper()
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("encoded again: %x, %v\nwant %x", got, err, want)
	}
}

func seedEntries() []Entry {
	file := plainFile("a", 1)
	file.Xattrs, file.Link, file.Splitter, file.Fault = []Xattr{{"n", "v"}}, &Link{1, 2}, 8192, 1
	file.Extra = []ExtraField{{70, []byte{0x81, 0xf5}}}
	return []Entry{
		file,
		{Name: "b", Type: Directory, Content: []Element{{ID: chunk.ID{1}, Length: 3, Count: 2, First: "b"}}},
		{Name: "c", Type: Symlink, Target: "a"},
		{Name: "d", Type: BlockDevice, Rdev: [2]uint32{8, 1}, MTime: -1},
		{Name: "e", Type: File, Size: 10, Content: []Element{{Hole: true, Length: 10}}},
	}
}

func FuzzDecodeEntry(f *testing.F) {
	for _, e := range seedEntries() {
		f.Add(AppendEntry(nil, &e))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEntry(b)
		if err != nil {
			wraps(t, err)
			return
		}
		if err := wire.Check(b); err != nil {
			t.Fatal(err)
		}
		same(t, AppendEntry(nil, &e), e.Validate(), b)
	})
}

func FuzzDecodePage(f *testing.F) {
	page, err := EncodePage(&Page{seedEntries()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(page)
	f.Add([]byte{0xa2, 1, 0x81, 0xa2, 1, 0x41, 'a', 2, 4, 2, 0x81, 0x82, 0, 0x61, 'r'})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePage(b)
		if err != nil {
			wraps(t, err)
			return
		}
		if again, err := EncodePage(p); err != nil || !dropsFields(b) {
			same(t, again, err, b)
		}
	})
}

func FuzzDecodeNode(f *testing.F) {
	for _, n := range []Node{
		{File, []Element{{ID: chunk.ID{1}, Length: 3}, {Hole: true, Length: 4}}},
		{Directory, []Element{{ID: chunk.ID{1}, Length: 3, First: "a"}, {ID: chunk.ID{2}, Length: 30, First: "b"}}},
		{Directory, []Element{{ID: chunk.ID{1}, Length: 3, Count: 2, First: "a"}}},
	} {
		f.Add(appendNode(nil, &n))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := DecodeNode(b)
		if err != nil {
			wraps(t, err)
			return
		}
		if again, err := EncodeNode(n); err != nil || !dropsFields(b) {
			same(t, again, err, b)
		}
	})
}

func FuzzDecodeManifest(f *testing.F) {
	for _, m := range []*Manifest{fullManifest(), {Seq: 1, Completeness: Complete}} {
		b, err := EncodeManifest(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeManifest(b)
		if err != nil {
			wraps(t, err)
			return
		}
		again, err := EncodeManifest(m)
		if err == nil && len(again) < len(b) {
			// Fields were dropped, in the manifest or its statistics; once.
			m, err = DecodeManifest(again)
			if err != nil {
				t.Fatal(err)
			}
			b = again
			again, err = EncodeManifest(m)
		}
		same(t, again, err, b)
	})
}
