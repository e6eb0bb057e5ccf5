package tree

import (
	"errors"
	"strings"
	"testing"

	"savepoint/chunk"
	"savepoint/internal/wire"

	"github.com/google/go-cmp/cmp"
)

func fullManifest() *Manifest {
	return &Manifest{
		Seq: 7, Prev: "snapshots/01020304/20260102T150405Z-00", Window: [2]int64{-5, 1_700_000_000_000_000_000},
		HostClock: 1_700_000_000_000_000_000, ClockOffset: -3, Host: "world-1", User: "game", Dataset: "user-data", Class: "user",
		Roots: []Root{
			{Path: "/", Entry: Entry{Type: Directory, Mode: 0o755, Content: []Element{{ID: chunk.ID{1}, Length: 1, First: "a"}}}},
			{Path: "/srv/\xff\n", Entry: Entry{Type: File, Link: &Link{Device: 1, Inode: 3}, Extra: []ExtraField{{90, []byte{0x80}}}}},
		},
		Tags: []string{"nightly", "b"}, Mode: Differential, Parent: "p", Devices: []uint64{2049, 1 << 40},
		Stats:   Stats{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		Version: "v1.2.3", Completeness: WithFaults,
		Faults: []Fault{{"/srv/x\xff", Torn, "changed while it was read"}}, FaultCount: 20_000,
		Policy: []byte(`{"rpo":"1h"}`), Chains: []Chain{{Writer: [16]byte{1}, Seq: 2, Hash: [32]byte{3}}},
		Lease: [16]byte{4}, LeaseBegan: 5, LeaseRenewed: 6, Seen: [][16]byte{{7}, {8}}, Suspect: true,
	}
}

func TestManifestRoundTrip(t *testing.T) {
	for name, want := range map[string]*Manifest{
		"full":  fullManifest(),
		"empty": {Seq: 1, Completeness: Complete},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := EncodeManifest(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeManifest(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
	b, err := EncodeManifest(&Manifest{Seq: 1, Completeness: Complete})
	if err != nil || string(b) != string(unhex(t, "a4 01 01 03 82 00 00 0a 80 11 01")) {
		t.Errorf("empty manifest is %x, %v", b, err)
	}
}

func TestManifestKeys(t *testing.T) {
	b, err := EncodeManifest(fullManifest())
	if err != nil {
		t.Fatal(err)
	}
	r := wire.NewReader(b)
	for want, n := int64(1), r.Map(); n > 0; n-- {
		if key := r.Key(-1); key != want {
			t.Fatalf("key %d, want %d", key, want)
		}
		if want == 15 {
			stats := wire.NewReader(r.Raw())
			if n := stats.Map(); n != 15 {
				t.Errorf("%d counts", n)
			}
			for i := range uint64(15) {
				if key, v := stats.Uint(), stats.Uint(); key != i+1 || v != i+1 {
					t.Errorf("count %d is %d", key, v)
				}
			}
		} else {
			r.Skip()
		}
		want++
	}
	if err := r.Done(); err != nil {
		t.Fatal(err)
	}
}

func TestEncodeManifestReplacesInMessages(t *testing.T) {
	m := fullManifest()
	m.Faults[0].Message = "open /srv/\xff: no"
	b, err := EncodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	if want := "open /srv/\uFFFD: no"; got.Faults[0].Message != want {
		t.Errorf("message is %q, want %q", got.Faults[0].Message, want)
	}
}

func TestManifestRefuses(t *testing.T) {
	for name, spoil := range map[string]func(m *Manifest){
		"no seq":             func(m *Manifest) { m.Seq = 0 },
		"window backwards":   func(m *Manifest) { m.Window = [2]int64{2, 1} },
		"mode 4":             func(m *Manifest) { m.Mode = 4 },
		"completeness 0":     func(m *Manifest) { m.Completeness = 0 },
		"completeness 4":     func(m *Manifest) { m.Completeness = 4 },
		"class":              func(m *Manifest) { m.Class = "users" },
		"host not UTF-8":     func(m *Manifest) { m.Host = "\xff" },
		"tag not UTF-8":      func(m *Manifest) { m.Tags[1] = "\xff" },
		"fewer faults":       func(m *Manifest) { m.FaultCount = 0 },
		"fault code 0":       func(m *Manifest) { m.Faults[0].Code = 0 },
		"fault code 5":       func(m *Manifest) { m.Faults[0].Code = 5 },
		"too many faults":    func(m *Manifest) { m.Faults = make([]Fault, MaxFaults+1) },
		"relative root":      func(m *Manifest) { m.Roots[0].Path = "srv" },
		"unclean root":       func(m *Manifest) { m.Roots[1].Path = "/srv/../x" },
		"root with zero":     func(m *Manifest) { m.Roots[1].Path = "/srv\x00" },
		"roots in disorder":  func(m *Manifest) { m.Roots[0].Path = "/srw" },
		"root twice":         func(m *Manifest) { m.Roots[0].Path = m.Roots[1].Path },
		"root with a name":   func(m *Manifest) { m.Roots[0].Entry.Name = "a" },
		"root invalid":       func(m *Manifest) { m.Roots[0].Entry.Type = 0 },
		"root without table": func(m *Manifest) { m.Devices = m.Devices[:1] },
	} {
		t.Run(name, func(t *testing.T) {
			m := fullManifest()
			spoil(m)
			if _, err := EncodeManifest(m); err == nil {
				t.Error("EncodeManifest: no error")
			}
			w := m.toWire()
			for _, r := range m.Roots {
				w.Roots = append(w.Roots, rootWire{Path: []byte(r.Path), Entry: AppendEntry(nil, &r.Entry)})
			}
			for _, f := range m.Faults {
				w.Faults = append(w.Faults, faultWire{Path: []byte(f.Path), Code: f.Code})
			}
			b, err := wire.Marshal(w)
			if strings.HasSuffix(name, "UTF-8") {
				return // the encoding cannot hold it
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := DecodeManifest(b); !errors.Is(err, ErrCorrupt) {
				t.Errorf("DecodeManifest: %v", err)
			}
		})
	}
}

func TestDecodeManifestRefusesForms(t *testing.T) {
	for name, tt := range map[string]struct {
		hex  string
		want error
	}{
		"fits":                    {"a4 01 01 03 82 00 00 0a 80 11 01", nil},
		"optional field":          {"a5 01 01 03 82 00 00 0a 80 11 01 1840 f5", nil},
		"reserved data key":       {"a5 01 01 03 82 00 00 0a 80 11 01 1828 00", ErrNewer},
		"reserved entity index":   {"a5 01 01 03 82 00 00 0a 80 11 01 182b 00", ErrNewer},
		"unknown 27":              {"a5 01 01 03 82 00 00 0a 80 11 01 181b 00", ErrNewer},
		"unknown in a root":       {"a4 01 01 03 82 00 00 0a 81 84 412f a2 02 02 0f 00 60 60 11 01", ErrNewer},
		"no window":               {"a3 01 01 0a 80 11 01", ErrCorrupt},
		"window of three":         {"a4 01 01 03 83 00 00 00 0a 80 11 01", ErrCorrupt},
		"no roots":                {"a3 01 01 03 82 00 00 11 01", ErrCorrupt},
		"host empty, written":     {"a5 01 01 03 82 00 00 06 60 0a 80 11 01", ErrCorrupt},
		"statistics empty":        {"a5 01 01 03 82 00 00 0a 80 0f a0 11 01", ErrCorrupt},
		"lease of 3 bytes":        {"a5 01 01 03 82 00 00 0a 80 11 01 16 43 010203", ErrCorrupt},
		"not a map":               {"80", ErrCorrupt},
		"empty":                   {"", ErrCorrupt},
		"path of a root as text":  {"a4 01 01 03 82 00 00 0a 81 84 612f a1 02 02 60 60 11 01", ErrCorrupt},
		"root without entry":      {"a4 01 01 03 82 00 00 0a 81 81 412f 11 01", ErrCorrupt},
		"not suspect, written":    {"a5 01 01 03 82 00 00 0a 80 11 01 181a f4", ErrCorrupt},
		"suspect":                 {"a5 01 01 03 82 00 00 0a 80 11 01 181a f5", nil},
		"dataset not UTF-8":       {"a5 01 01 03 82 00 00 08 61 ff 0a 80 11 01", ErrCorrupt},
		"policy empty, written":   {"a5 01 01 03 82 00 00 0a 80 11 01 14 40", ErrCorrupt},
		"unknown count, critical": {"a5 01 01 03 82 00 00 0a 80 0f a1 10 01 11 01", ErrNewer},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := DecodeManifest(unhex(t, tt.hex)); !errors.Is(err, tt.want) {
				t.Errorf("DecodeManifest: %v, want %v", err, tt.want)
			}
		})
	}
}
