package tree

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"savepoint/chunk"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(genName(), 1, 10, rapid.ID).Draw(t, "names")
		slices.Sort(names)
		var want Page
		for _, name := range names {
			e := genEntry().Draw(t, "entry")
			e.Name, e.UID, e.GID = name, e.UID%3, e.GID%3
			e.User, e.Group = []string{"", "game", "wörld"}[e.UID], []string{"wheel", "", "users"}[e.GID]
			want.Entries = append(want.Entries, e)
		}
		b, err := EncodePage(&want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodePage(b)
		if err != nil {
			t.Fatal(err)
		}
		clear(b)
		if d := cmp.Diff(&want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

func TestPageBytes(t *testing.T) {
	p := Page{[]Entry{
		{Name: "a", Type: Fifo, UID: 9, User: "nine", Group: "wheel"},
		{Name: "b", Type: Fifo, UID: 8, User: "eight"}, {Name: "c", Type: Fifo, UID: 7},
	}}
	b, err := EncodePage(&p)
	if err != nil {
		t.Fatal(err)
	}
	want := "a3 01 83 a3 014161 0204 0409  a3 014162 0204 0408  a3 014163 0204 0407" +
		"02 82 82 08 65 6569676874 82 09 64 6e696e65  03 81 82 00 65 776865656c"
	if d := cmp.Diff(hex.EncodeToString(unhex(t, want)), hex.EncodeToString(b)); d != "" {
		t.Error(d)
	}
}

func TestPageNamesOneUserPerNumber(t *testing.T) {
	p := Page{[]Entry{{Name: "a", Type: Fifo, UID: 9}, {Name: "b", Type: Fifo, UID: 9, User: "first"}, {Name: "c", Type: Fifo, UID: 9, User: "second"}}}
	b, err := EncodePage(&p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodePage(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range got.Entries {
		if e.User != "first" {
			t.Errorf("%s belongs to %q", e.Name, e.User)
		}
	}
}

func TestEncodePageRefuses(t *testing.T) {
	big := func(name string) Entry {
		return Entry{Name: name, Type: Fifo, Xattrs: []Xattr{{"user.big", strings.Repeat("x", 40_000)}}}
	}
	for name, p := range map[string]Page{
		"no entries": {},
		"no name":    {[]Entry{{Type: Fifo}}},
		"disorder":   {[]Entry{{Name: "b", Type: Fifo}, {Name: "a", Type: Fifo}}},
		"invalid":    {[]Entry{{Name: "b", Type: 12}}},
		"too long":   {[]Entry{big("a"), big("b")}},
		"long names": {[]Entry{{Name: "a", Type: Fifo, User: strings.Repeat("u", MaxChunk)}}},
	} {
		if _, err := EncodePage(&p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	one := Page{[]Entry{big("a")}}
	one.Entries[0].Xattrs[0].Value += one.Entries[0].Xattrs[0].Value
	b, err := EncodePage(&one)
	if err != nil {
		t.Errorf("one long entry: %v", err)
	}
	if _, err := DecodePage(b); err != nil {
		t.Errorf("one long entry: %v", err)
	}
}

func TestDecodePageRefuses(t *testing.T) {
	const a, b = "a2 014161 0204", "a2 014162 0204"
	long := func(n int) string { // fields with n bytes, 65,536 or more, in an attribute
		return fmt.Sprintf("0204 0b81 82 4178 5a%08x", n) + strings.Repeat("00", n)
	}
	for name, tt := range map[string]struct {
		hex  string
		want error
	}{
		"fits":               {"a1 01 82" + a + b, nil},
		"optional fields":    {"a2 01 81" + a + "1840 a100f5", nil},
		"empty":              {"", ErrCorrupt},
		"no entries":         {"a1 01 80", ErrCorrupt},
		"no field":           {"a0", ErrCorrupt},
		"disorder":           {"a1 01 82" + b + a, ErrCorrupt},
		"twice":              {"a1 01 82" + a + a, ErrCorrupt},
		"no name":            {"a1 01 81 a1 0204", ErrCorrupt},
		"more than there":    {"a1 01 83" + a + b, ErrCorrupt},
		"bytes after":        {"a1 01 81" + a + "00", ErrCorrupt},
		"users empty":        {"a2 01 81" + a + "02 80", ErrCorrupt},
		"user of nobody":     {"a2 01 81" + a + "02 81 82 05 6178", ErrCorrupt},
		"user twice":         {"a2 01 81" + a + "02 82 82 00 6178 82 00 6179", ErrCorrupt},
		"user without name":  {"a2 01 81" + a + "02 81 82 00 60", ErrCorrupt},
		"user as bytes":      {"a2 01 81" + a + "02 81 82 00 4178", ErrCorrupt},
		"user not UTF-8":     {"a2 01 81" + a + "02 81 82 00 61ff", ErrCorrupt},
		"group of nobody":    {"a2 01 81" + a + "03 81 82 05 6178", ErrCorrupt},
		"fields in disorder": {"a2 02 81 82 00 6178 01 81" + a, ErrCorrupt},
		"critical field":     {"a2 01 81" + a + "04 00", ErrNewer},
		"critical in entry":  {"a1 01 81 a3 014161 0204 0f00", ErrNewer},
		"two long entries":   {"a1 01 82 a3 014161" + long(70_000) + "a3 014162" + long(70_000), ErrCorrupt},
		"entry over 1 MiB":   {"a1 01 81 a3 014161" + long(MaxEntry), ErrCorrupt},
		"over 2 MiB":         {"a2 01 81" + a + "1840 5a00200000" + strings.Repeat("00", MaxChunk), ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := DecodePage(unhex(t, tt.hex)); !errors.Is(err, tt.want) {
				t.Errorf("DecodePage: %v, want %v", err, tt.want)
			}
		})
	}
}

func TestNodeBytes(t *testing.T) {
	n := &Node{Kind: File, Elements: []Element{{ID: chunk.ID{0xcc}, Length: 24}, {Hole: true, Length: 1}}}
	b, err := EncodeNode(n)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(hex.EncodeToString(unhex(t, "a2 01 01 02 82 82 5820cc"+strings.Repeat("00", 31)+"1818 8101")), hex.EncodeToString(b)); d != "" {
		t.Error(d)
	}
	got, err := DecodeNode(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(n, got); d != "" {
		t.Error(d)
	}
}

func TestDecodeNodeRefuses(t *testing.T) {
	id := "5820" + strings.Repeat("cc", 32)
	many := func(n int) string { return fmt.Sprintf("a2 01 01 02 99%04x", n) + strings.Repeat("82"+id+"01", n) }
	for name, tt := range map[string]struct {
		hex  string
		want error
	}{
		"fits":               {"a2 01 01 02 81 82" + id + "01", nil},
		"optional fields":    {"a3 01 01 02 81 82" + id + "01 1840 80", nil},
		"256 elements":       {many(256), nil},
		"257 elements":       {many(257), ErrCorrupt},
		"no elements":        {"a2 01 01 02 80", ErrCorrupt},
		"no list":            {"a1 01 01", ErrCorrupt},
		"no kind":            {"a1 02 81 82" + id + "01", ErrCorrupt},
		"kind 3":             {"a2 01 03 02 81 82" + id + "01", ErrCorrupt},
		"kind 0":             {"a2 01 00 02 81 82" + id + "01", ErrCorrupt},
		"a page as a file's": {"a2 01 01 02 81 83" + id + "01 4161", ErrCorrupt},
		"a file's in a dir":  {"a2 01 02 02 81 82" + id + "01", ErrCorrupt},
		"hole in a dir":      {"a2 01 02 02 81 82 01 4161", ErrCorrupt},
		"bad first name":     {"a2 01 02 02 81 83" + id + "01 412f", ErrCorrupt},
		"holes touch":        {"a2 01 01 02 82 8101 8101", ErrCorrupt},
		"node beside chunk":  {"a2 01 01 02 82 82" + id + "01 83" + id + "01 01", ErrCorrupt},
		"critical field":     {"a3 01 01 02 81 82" + id + "01 03 00", ErrNewer},
		"bytes after":        {"a2 01 01 02 81 82" + id + "01 00", ErrCorrupt},
		"empty":              {"", ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := DecodeNode(unhex(t, tt.hex)); !errors.Is(err, tt.want) {
				t.Errorf("DecodeNode: %v, want %v", err, tt.want)
			}
		})
	}
}
