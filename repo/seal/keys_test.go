package seal_test

import (
	"errors"
	"fmt"
	"testing"

	"savepoint/repo/seal"
)

// TestKeysAreApart collects every key that one secret leads to: no two are equal, whatever they are for.
func TestKeysAreApart(t *testing.T) {
	r := testRing()
	seen := map[[32]byte]string{}
	add := func(what string, k [32]byte) {
		if other, ok := seen[k]; ok {
			t.Errorf("%s and %s are one key", what, other)
		}
		seen[k] = what
	}
	data, metadata, reports := r.SubKeys()
	for what, k := range map[string][32]byte{"zero": {}, "data": data, "metadata": metadata, "reports": reports,
		"data ID": r.DataID, "tree ID": r.TreeID, "tag": r.SourceTag, "cut": r.PageCut} {
		add(what, k)
	}
	if n := len(seal.Contexts()); n != 10 {
		t.Fatalf("%d kinds have a context, want 10", n)
	}
	for kind := range seal.Contexts() {
		for salt := range byte(3) {
			add(fmt.Sprintf("kind %d, salt %d", kind, salt), r.ObjectKey(kind, [32]byte{salt}))
		}
	}
	other := seal.NewRing(r.Repo, seal.Key{Secret: [32]byte{9, 8, 6}})
	add("other data", other.DataID)
	add("other object", other.ObjectKey(seal.Lease, [32]byte{}))
}

func TestNewKey(t *testing.T) {
	a, b := seal.NewKey(), seal.NewKey()
	if a.Secret == b.Secret || a.Secret == [32]byte{} || a.Epoch != 0 || a.Domain != 0 {
		t.Error("keys are not drawn")
	}
}

// TestPackCipher opens parts of a pack where, as and with what they were not sealed.
func TestPackCipher(t *testing.T) {
	r := testRing()
	h := r.NewHeader(seal.DataPack)
	c := packCipher(t, r, h)
	plain, head := []byte("plain"), []byte("block header 16b")
	sealed := c.Seal(nil, seal.Block, 52, head, plain)
	if got, err := c.Open([]byte("a"), seal.Block, 52, head, sealed); err != nil || string(got) != "aplain" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	salted, meta, version := h, h, h
	salted.Salt[31]++
	meta.Kind = seal.MetaPack
	version.Version++
	for name, open := range map[string]func() ([]byte, error){
		"offset":     func() ([]byte, error) { return c.Open(nil, seal.Block, 53, head, sealed) },
		"far offset": func() ([]byte, error) { return c.Open(nil, seal.Block, 52+1<<32, head, sealed) },
		"part":       func() ([]byte, error) { return c.Open(nil, seal.Directory, 52, head, sealed) },
		"head":       func() ([]byte, error) { return c.Open(nil, seal.Block, 52, head[1:], sealed) },
		"cut short":  func() ([]byte, error) { return c.Open(nil, seal.Block, 52, head, sealed[:15]) },
		"salt":       func() ([]byte, error) { return packCipher(t, r, salted).Open(nil, seal.Block, 52, head, sealed) },
		"kind":       func() ([]byte, error) { return packCipher(t, r, meta).Open(nil, seal.Block, 52, head, sealed) },
		"version":    func() ([]byte, error) { return packCipher(t, r, version).Open(nil, seal.Block, 52, head, sealed) },
		"repository": func() ([]byte, error) {
			return packCipher(t, ringOf(seal.RepoID{}, 0, 0), h).Open(nil, seal.Block, 52, head, sealed)
		},
	} {
		got, err := open()
		refused(t, name, got, err)
	}
	h.Epoch = 1
	if _, err := r.PackCipher(h); !errors.Is(err, seal.ErrNewer) {
		t.Errorf("pack of another epoch: %v, want ErrNewer", err)
	}
}

func packCipher(t testing.TB, r *seal.Ring, h seal.Header) *seal.PackCipher {
	t.Helper()
	c, err := r.PackCipher(h)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
