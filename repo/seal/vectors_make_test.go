package seal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/zeebo/blake3"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/tree"
)

// count returns n bytes that count up from first.
func count(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// salts stands in for the source of randomness: everything that is drawn is the salt of the vectors.
type salts struct{}

func (salts) Read(p []byte) (int, error) { return copy(p, count(0x20, 32)), nil }

// vectorRing returns the ring of the vectors. Until the test ends, all salts are theirs.
func vectorRing(t *testing.T) *seal.Ring {
	was := rand.Reader
	rand.Reader = salts{}
	t.Cleanup(func() { rand.Reader = was })
	return seal.NewRing(vectorSlotContent(nil).Repo, vectorSlotContent(nil).Keys[0])
}

func vectorSlotContent(config []byte) seal.Slot {
	return seal.Slot{Keys: []seal.Key{{Secret: [32]byte(count(0, 32))}}, Repo: seal.RepoID(count(0xF0, 16)), Config: config}
}

func hexOf[T ~[32]byte](b T) string { return hex.EncodeToString(b[:]) }

func makeVectors(t *testing.T) *vectors {
	r := vectorRing(t)
	v := &vectors{
		About:   "Test vectors of docs/format.md, section 13. Values are hex unless their name ends in _text; diagnostic_text is CBOR's.",
		Version: seal.Version,
		Inputs: vectorInputs{Key: hex.EncodeToString(count(0, 32)), Repo: hex.EncodeToString(count(0xF0, 16)),
			Salt: hex.EncodeToString(count(0x20, 32))},
		Tag: vectorTag{Dataset: "world", Host: "world-1"},
	}
	addKeys(v, r)
	dataID, treeID := chunk.NewKey(r.DataID), chunk.NewKey(r.TreeID)
	for _, p := range []string{"\x00", "abc", "alpha", "bravo", "charlie"} {
		v.Chunks = append(v.Chunks, vectorChunk{hex.EncodeToString([]byte(p)), dataID.Sum([]byte(p)).String(), treeID.Sum([]byte(p)).String()})
	}
	v.Tag.Tag = chunk.NewKey(r.SourceTag).Sum([]byte(v.Tag.Dataset + "\x00" + v.Tag.Host)).String()[:8]
	for _, x := range []string{"a", "level.dat", "r.0.-1.mca"} {
		v.Cuts = append(v.Cuts, vectorCut{hex.EncodeToString([]byte(x)), chunk.NewKey(r.PageCut).Sum([]byte(x)).String()[62:]})
	}
	addConfig(t, v, r)
	addEnvelope(t, v, r)
	addPage(t, v, dataID, treeID)
	addList(t, v, r)
	addPack(t, v, r)
	return v
}

func addKeys(v *vectors, r *seal.Ring) {
	data, metadata, reports := r.SubKeys()
	v.SubKeys = map[string]string{"data": hexOf(data), "metadata": hexOf(metadata), "reports": hexOf(reports), "data ID": hexOf(r.DataID),
		"tree ID": hexOf(r.TreeID), "tag": hexOf(r.SourceTag), "cut": hexOf(r.PageCut)}
	v.Objects = map[string]string{}
	for kind := range seal.Contexts() {
		v.Objects[fmt.Sprint(kind)] = hexOf(r.ObjectKey(kind, [32]byte(count(0x20, 32))))
	}
}

func addConfig(t *testing.T, v *vectors, r *seal.Ring) {
	payload, err := record.EncodeConfig(chunk.DefaultRabin(0x3DA3358B4DC173))
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.SealConfig(seal.Head{Version: seal.Version, Repo: r.Repo}, payload)
	if err != nil {
		t.Fatal(err)
	}
	v.Config = vectorConfig{hex.EncodeToString(payload), hex.EncodeToString(b)}
}

func addEnvelope(t *testing.T, v *vectors, r *seal.Ring) {
	payload := make([]byte, 65_636)
	for i := range payload {
		payload[i] = byte(i % 251)
	}
	name := "index/00000000/data/" + hex.EncodeToString(count(0x40, 16))
	b := mustSeal(t, r, seal.Segment, name, payload, nil)
	v.Envelope = vectorEnvelope{Kind: int(seal.Segment), Name: name, Payload: "65,636 bytes, byte i is i modulo 251", Length: len(b),
		Head: hex.EncodeToString(b[:100]), Tail: hex.EncodeToString(b[len(b)-132:]), BLAKE3: hexOf(blake3.Sum256(b))}
	if got, err := r.Open(seal.Segment, name, b, nil); err != nil || !bytes.Equal(got, payload) {
		t.Fatalf("the envelope opens as %d bytes, %v", len(got), err)
	}
}

func treeVector(t *testing.T, key *chunk.Key, b []byte) vectorTree {
	t.Helper()
	text, err := cbor.Diagnose(b)
	if err != nil {
		t.Fatal(err)
	}
	return vectorTree{key.Sum(b).String(), hex.EncodeToString(b), text}
}

func addPage(t *testing.T, v *vectors, dataID, treeID *chunk.Key) {
	const at = 1_700_000_000_123_456_789
	b, err := tree.EncodePage(&tree.Page{Entries: []tree.Entry{
		{Name: "level.dat", Type: tree.File, Mode: 0o640, UID: 1000, GID: 100, Size: 4108, MTime: at, CTime: at + 1, Inode: 77,
			Content: []tree.Element{{ID: dataID.Sum([]byte("alpha")), Length: 5}, {Length: 4096, Hole: true}, {ID: dataID.Sum([]byte("charlie")), Length: 7}},
			Xattrs:  []tree.Xattr{{Name: "user.shard", Value: "eu-1"}}, User: "game", Group: "users"},
		{Name: "link", Type: tree.Symlink, Mode: 0o777, UID: 1000, GID: 100, MTime: -1, Target: "level.dat", User: "game", Group: "users"},
		{Name: "region\xff", Type: tree.Directory, Mode: 0o2755, MTime: at, Content: []tree.Element{{ID: treeID.Sum([]byte("abc")), Length: 3, First: "r.0.-1.mca"}},
			User: "root", Group: "root"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	v.Page = treeVector(t, treeID, b)
	if p, err := tree.DecodePage(b); err != nil || len(p.Entries) != 3 {
		t.Fatalf("the page does not decode: %v", err)
	}
}

// sink collects nodes.
type sink struct {
	key   *chunk.Key
	nodes [][]byte
}

func (s *sink) PutTree(_ context.Context, b []byte) (chunk.ID, error) {
	s.nodes = append(s.nodes, slices.Clone(b))
	return s.key.Sum(b), nil
}

func addList(t *testing.T, v *vectors, r *seal.Ring) {
	s := &sink{key: chunk.NewKey(r.TreeID)}
	list := tree.NewListBuilder(s, tree.NewCutter(r.PageCut))
	dataID, size := chunk.NewKey(r.DataID), uint64(0)
	add := func(e tree.Element) {
		size += e.Length
		if err := list.Add(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint32(300) {
		if i%50 == 49 {
			add(tree.Element{Length: 4096, Hole: true})
		}
		add(tree.Element{ID: dataID.Sum(binary.BigEndian.AppendUint32(nil, i)), Length: 4})
	}
	content, err := list.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v.List.Elements = "data chunks of 4 bytes, chunk i of 0 to 299 being i as u32; before chunks 49, 99, … 299 a hole of 4,096 bytes; the entry is a root"
	for _, n := range s.nodes {
		v.List.Nodes = append(v.List.Nodes, treeVector(t, s.key, n))
	}
	v.List.Entry = treeVector(t, s.key, tree.AppendEntry(nil, &tree.Entry{Type: tree.File, Mode: 0o600, Size: size, Content: content}))
	v.List.Entry.ID = "" // an entry is no chunk
}

func addPack(t *testing.T, v *vectors, r *seal.Ring) {
	codec, err := pack.NewCodec(1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pack.NewBuilder(r, pack.Data, make([]byte, pack.BufferLen))
	if err != nil {
		t.Fatal(err)
	}
	key := chunk.NewKey(r.DataID)
	for _, chunks := range [][]string{{"alpha", "bravo"}, {"charlie"}} {
		var b pack.Block
		var plain []string
		for _, c := range chunks {
			b.Add(key.Sum([]byte(c)), []byte(c))
			plain = append(plain, hex.EncodeToString([]byte(c)))
		}
		b.Compress(codec)
		p.Add(&b)
		v.Pack.Blocks = append(v.Pack.Blocks, plain)
	}
	f := p.Finish()
	for _, b := range f.Blocks {
		if b.Codec != 0 {
			t.Fatal("the blocks of the pack are compressed: the vectors would depend on the compressor")
		}
	}
	if _, err := pack.Check(r, codec, pack.Data, key, f.Bytes); err != nil {
		t.Fatal(err)
	}
	v.Pack.ID, v.Pack.Bytes = f.ID.String(), hex.EncodeToString(f.Bytes)
	v.Segment = vectorSegment{Lease: hex.EncodeToString(count(0x50, 16)), Began: 1_700_000_000_000_000_000, Renewed: 1_700_000_600_000_000_000}
	payload, err := record.EncodeSegment(pack.Data, record.Session{Lease: record.ID(count(0x50, 16)), Began: v.Segment.Began, Renewed: v.Segment.Renewed},
		nil, []record.SegmentPack{{ID: f.ID, Size: uint32(len(f.Bytes)), Salt: f.Salt, Directory: f.Directory}})
	if err != nil {
		t.Fatal(err)
	}
	v.Segment.Payload = hex.EncodeToString(payload)
}
