package seal_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/wire"
	"savepoint/repo/seal"
)

func mustConfig(t testing.TB, r *seal.Ring, h seal.Head, payload string) []byte {
	t.Helper()
	b, err := r.SealConfig(h, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConfigRoundTrip(t *testing.T) {
	r := testRing()
	for _, h := range []seal.Head{
		{Version: seal.Version, Repo: r.Repo},
		{Version: seal.Version, Repo: r.Repo, Ignore: []string{"a", "b"}, ReadOnly: []string{"c"}},
	} {
		b := mustConfig(t, r, h, "payload")
		got, err := seal.ParseHead(b)
		if d := cmp.Diff(h, got); err != nil || d != "" {
			t.Errorf("ParseHead: %v, -want +got:\n%s", err, d)
		}
		if p, err := r.OpenConfig(b); err != nil || string(p) != "payload" {
			t.Errorf("OpenConfig = %q, %v", p, err)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	r := testRing()
	head := func(fields string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(fields, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
	}
	const magic = "01 74 73617665706f696e74207265706f7369746f7279"
	const id = "03 50 000102030405060708090a0b0c0d0e0f"
	version := hex.EncodeToString([]byte{seal.Version})
	for name, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"valid":                 {head("a3" + magic + "02" + version + id), nil},
		"field to be ignored":   {head("a4" + magic + "02" + version + id + "1840 00"), nil},
		"flag to be refused":    {head("a4" + magic + "02" + version + id + "06 81 61 78"), seal.ErrNewer},
		"next version":          {head("a3" + magic + "02 02" + id), seal.ErrNewer},
		"critical field":        {head("a4" + magic + "02" + version + id + "07 00"), seal.ErrNewer},
		"version over a byte":   {head("a3" + magic + "02 190100" + id), seal.ErrDamaged},
		"no magic":              {head("a2" + "02" + version + id), seal.ErrDamaged},
		"other magic":           {head("a3" + "01 6172" + "02" + version + id), seal.ErrDamaged},
		"no ID":                 {head("a2" + magic + "02" + version), seal.ErrDamaged},
		"short ID":              {head("a3" + magic + "02" + version + "03 41 00"), seal.ErrDamaged},
		"empty list of flags":   {head("a4" + magic + "02" + version + id + "04 80"), seal.ErrDamaged},
		"nothing":               {nil, seal.ErrDamaged},
		"empty head":            {make([]byte, 4), seal.ErrDamaged},
		"head of 4 GiB":         {[]byte("\xff\xff\xff\xff head"), seal.ErrDamaged},
		"head longer by a byte": {head("a3" + magic + "02" + version + id)[:40], seal.ErrDamaged},
		"too long":              {append(head("a3"+magic+"02"+version+id), make([]byte, 64<<10)...), seal.ErrDamaged},
	} {
		if _, err := seal.ParseHead(tt.b); !errors.Is(err, tt.want) || errors.Is(err, seal.ErrDamaged) != (tt.want == seal.ErrDamaged) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if seal.Version > 0 {
		if _, err := seal.ParseHead(head("a3" + magic + "02 00" + id)); !errors.Is(err, seal.ErrOlder) {
			t.Errorf("version 0: %v, want ErrOlder", err)
		}
	}
	if b, err := r.SealConfig(seal.Head{Repo: r.Repo}, make([]byte, seal.MaxSlot)); err == nil {
		t.Errorf("SealConfig made a config of %d bytes", len(b))
	}
}

// TestConfigEveryBitFlipped opens each flipped config: the head is authentic too.
func TestConfigEveryBitFlipped(t *testing.T) {
	r := testRing()
	b := mustConfig(t, r, seal.Head{Version: seal.Version, Repo: r.Repo, Ignore: []string{"x"}}, "p")
	for i := range len(b) * 8 {
		b[i/8] ^= 1 << (i % 8)
		got, err := r.OpenConfig(b)
		refused(t, "bit flipped", got, err)
		_, _ = seal.ParseHead(b)
		b[i/8] ^= 1 << (i % 8)
	}
	for n := range len(b) {
		got, err := r.OpenConfig(b[:n])
		refused(t, "cut short", got, err)
	}
	// A head of other bytes that is as well formed as the one that was sealed.
	n := 4 + int(binary.BigEndian.Uint32(b))
	other := mustConfig(t, r, seal.Head{Version: seal.Version, Repo: r.Repo, Ignore: []string{"y"}}, "p")
	got, err := r.OpenConfig(slices.Concat(other[:n], b[n:]))
	refused(t, "another head", got, err)
}

func FuzzParseHead(f *testing.F) {
	r := testRing()
	f.Add(mustConfig(f, r, seal.Head{Version: seal.Version, Repo: r.Repo, Ignore: []string{"x"}}, "p"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := seal.ParseHead(b)
		switch {
		case err == nil && (h.Version != seal.Version || len(h.Refuse) > 0):
			t.Fatalf("head %+v was taken", h)
		case err != nil && !errors.Is(err, seal.ErrDamaged) && !errors.Is(err, seal.ErrNewer) && !errors.Is(err, seal.ErrOlder):
			t.Fatalf("error of no kind: %v", err)
		}
		if got, err := r.OpenConfig(b); err == nil && string(got) != "p" {
			t.Fatalf("forged config opened as %q", got)
		}
	})
}

// TestErrNewer holds that one question finds a newer program's objects, whoever decoded them.
func TestErrNewer(t *testing.T) {
	if !errors.Is(wire.ErrNewer, seal.ErrNewer) {
		t.Error("a critical field that is not known is not seal.ErrNewer")
	}
}
