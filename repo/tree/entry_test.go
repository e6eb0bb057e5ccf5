package tree

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"savepoint/chunk"
	"savepoint/internal/wire"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestEntryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genEntry().Draw(t, "entry")
		if rapid.Bool().Draw(t, "named") {
			want.Name = genName().Draw(t, "name")
		}
		if err := want.Validate(); err != nil {
			t.Fatal(err)
		}
		b := AppendEntry([]byte("before"), &want)[len("before"):]
		if err := wire.Check(b); err != nil {
			t.Fatalf("not of the subset: %v", err)
		}
		input := bytes.Clone(b)
		got, err := DecodeEntry(input)
		if err != nil {
			t.Fatal(err)
		}
		clear(input)
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
		if again := AppendEntry(nil, &got); string(again) != string(b) {
			t.Fatalf("encoded again: %x, want %x", again, b)
		}
	})
}

func TestEntryBytes(t *testing.T) {
	e := Entry{
		Name: "a", Type: File, Mode: 0o644, UID: 1, GID: 2, Size: 300, MTime: -1,
		Content: []Element{{Hole: true, Length: 10}, {ID: chunk.ID{0xcc}, Length: 290}}, Link: &Link{Device: 1, Inode: 2},
		Xattrs: []Xattr{{"n", "v"}}, Splitter: 8192, Fault: FaultTorn, Inode: 5, CTime: 6,
		Extra: []ExtraField{{70, []byte{0xf5}}},
	}
	want := "af" + "014161" + "0201" + "031901a4" + "0401" + "0502" + "0619012c" + "0720" +
		"0882" + "810a" + "825820cc" + strings.Repeat("00", 31) + "190122" +
		"0b81" + "82416e4176" + "0c820102" + "0d192000" + "0e01" + "184005" + "184106" + "1846f5"
	if got := hex.EncodeToString(AppendEntry(nil, &e)); got != want {
		t.Errorf("encoding is\n%s, want\n%s", got, want)
	}
	dir := Entry{Type: Directory, Content: []Element{
		{ID: chunk.ID{1}, Length: 3, Count: 2, First: "b"}, {ID: chunk.ID{2}, Length: 1, Count: 1, First: "c"}}}
	want = "a2" + "0202" + "0882" + "84582001" + strings.Repeat("00", 31) + "0302" + "4162" +
		"84582002" + strings.Repeat("00", 31) + "0101" + "4163"
	if got := hex.EncodeToString(AppendEntry(nil, &dir)); got != want {
		t.Errorf("encoding is\n%s, want\n%s", got, want)
	}
}

func TestValidateRefuses(t *testing.T) {
	id := chunk.ID{1}
	for name, spoil := range map[string]func(e *Entry){
		"name with a slash":      func(e *Entry) { e.Name = "a/b" },
		"name with zero":         func(e *Entry) { e.Name = "a\x00" },
		"name .":                 func(e *Entry) { e.Name = "." },
		"name ..":                func(e *Entry) { e.Name = ".." },
		"name of 256":            func(e *Entry) { e.Name = strings.Repeat("n", 256) },
		"type 0":                 func(e *Entry) { *e = Entry{} },
		"type 8":                 func(e *Entry) { *e = Entry{Type: 8} },
		"mode":                   func(e *Entry) { e.Mode = 0o10000 },
		"user not UTF-8":         func(e *Entry) { e.User = "\xff" },
		"group not UTF-8":        func(e *Entry) { e.Group = "\xff" },
		"size of a directory":    func(e *Entry) { *e = Entry{Type: Directory, Size: 1} },
		"content of a fifo":      func(e *Entry) { *e = Entry{Type: Fifo, Content: []Element{{ID: id, Length: 1}}} },
		"target of a file":       func(e *Entry) { e.Target = "t" },
		"symlink without target": func(e *Entry) { *e = Entry{Type: Symlink} },
		"target with zero":       func(e *Entry) { *e = Entry{Type: Symlink, Target: "a\x00b"} },
		"device number":          func(e *Entry) { e.Rdev[1] = 1 },
		"link to a directory":    func(e *Entry) { *e = Entry{Type: Directory, Link: &Link{}} },
		"splitter of a symlink":  func(e *Entry) { *e = Entry{Type: Symlink, Target: "t", Splitter: 4096} },
		"splitter over chunk":    func(e *Entry) { e.Splitter = maxDataChunk + 1 },
		"fault 2":                func(e *Entry) { e.Fault = 2 },
		"fault of a socket":      func(e *Entry) { *e = Entry{Type: Socket, Fault: 1} },
		"size over content":      func(e *Entry) { e.Size++ },
		"size under content":     func(e *Entry) { e.Size-- },
		"lengths wrap around": func(e *Entry) {
			e.Content = []Element{{ID: id, Length: 1 << 63, Count: 1}, {ID: id, Length: 1<<63 + e.Size, Count: 1}}
		},
		"holes touch":       func(e *Entry) { e.Content = []Element{{Hole: true, Length: 50}, {Hole: true, Length: 50}} },
		"empty hole":        func(e *Entry) { e.Content = append(e.Content, Element{Hole: true}) },
		"empty chunk":       func(e *Entry) { e.Content = append(e.Content, Element{ID: id}) },
		"zero ID":           func(e *Entry) { e.Content[0].ID = chunk.ID{} },
		"chunk over 8 MiB":  func(e *Entry) { e.Size = maxDataChunk + 1; e.Content[0].Length = e.Size },
		"node beside chunk": func(e *Entry) { e.Size++; e.Content = append(e.Content, Element{ID: id, Length: 1, Count: 1}) },
		"node of too many":  func(e *Entry) { e.Content[0].Count = e.Content[0].Length + 1 },
		"first in a file":   func(e *Entry) { e.Content[0].First = "f" },
		"33 elements": func(e *Entry) {
			e.Size, e.Content = 33, nil
			for range 33 {
				e.Content = append(e.Content, Element{ID: id, Length: 1})
			}
		},
		"hole in a directory": func(e *Entry) {
			*e = Entry{Type: Directory, Content: []Element{{Hole: true, Length: 1, First: "a"}}}
		},
		"page without first": func(e *Entry) { *e = Entry{Type: Directory, Content: []Element{{ID: id, Length: 1}}} },
		"pages out of order": func(e *Entry) {
			*e = Entry{Type: Directory, Content: []Element{{ID: id, Length: 1, First: "b"}, {ID: id, Length: 1, First: "b"}}}
		},
		"xattr without name":   func(e *Entry) { e.Xattrs = []Xattr{{"", "v"}} },
		"xattr name with zero": func(e *Entry) { e.Xattrs = []Xattr{{"a\x00", "v"}} },
		"xattrs out of order":  func(e *Entry) { e.Xattrs = []Xattr{{"b", ""}, {"a", ""}} },
		"xattrs twice":         func(e *Entry) { e.Xattrs = []Xattr{{"a", ""}, {"a", ""}} },
		"extra critical":       func(e *Entry) { e.Extra = []ExtraField{{63, []byte{0}}} },
		"extra known":          func(e *Entry) { e.Extra = []ExtraField{{keyCTime, []byte{0}}} },
		"extra out of order":   func(e *Entry) { e.Extra = []ExtraField{{67, []byte{0}}, {66, []byte{0}}} },
		"extra malformed":      func(e *Entry) { e.Extra = []ExtraField{{66, []byte{0x18, 0x01}}} },
		"extra of two items":   func(e *Entry) { e.Extra = []ExtraField{{66, []byte{0, 0}}} },
		"extra nested 13":      func(e *Entry) { e.Extra = []ExtraField{{66, []byte(strings.Repeat("\x81", 13) + "\x00")}} },
	} {
		t.Run(name, func(t *testing.T) {
			e := plainFile("file", 100)
			if err := e.Validate(); err != nil {
				t.Fatal(err)
			}
			spoil(&e)
			if err := e.Validate(); err == nil {
				t.Error("Validate: no error")
			}
			if name == "user not UTF-8" || name == "group not UTF-8" || name == "first in a file" {
				return // the encoding does not have these
			}
			if _, err := DecodeEntry(AppendEntry(nil, &e)); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewer) {
				t.Errorf("DecodeEntry: %v", err)
			}
		})
	}
}

func TestDecodeEntryRefusesForms(t *testing.T) {
	for name, tt := range map[string]struct {
		hex  string
		want error
	}{
		"not a map":             {"80", ErrCorrupt},
		"empty":                 {"", ErrCorrupt},
		"no type":               {"a1 01 41 61", ErrCorrupt},
		"cut off":               {"a2 01 41 61", ErrCorrupt},
		"bytes after":           {"a1 02 01 00", ErrCorrupt},
		"keys out of order":     {"a2 02 03 01 41 61", ErrCorrupt},
		"keys twice":            {"a2 02 04 02 04", ErrCorrupt},
		"mode 0 written":        {"a2 02 04 03 00", ErrCorrupt},
		"name empty, written":   {"a2 01 40 02 04", ErrCorrupt},
		"mtime 0 written":       {"a2 02 04 07 00", ErrCorrupt},
		"inode 0 written":       {"a2 02 04 1840 00", ErrCorrupt},
		"content empty":         {"a2 02 01 08 80", ErrCorrupt},
		"device 0:0 written":    {"a2 02 06 0a 82 00 00", ErrCorrupt},
		"device of three":       {"a2 02 06 0a 83 01 02 03", ErrCorrupt},
		"xattrs empty":          {"a2 02 04 0b 80", ErrCorrupt},
		"user over 32 bits":     {"a2 02 04 04 1b0000000100000000", ErrCorrupt},
		"name as text":          {"a2 01 61 61 02 04", ErrCorrupt},
		"long form":             {"a1 02 1804", ErrCorrupt},
		"ID too short":          {"a3 02 01 06 01 08 81 82 41 cc 01", ErrCorrupt},
		"node of no elements":   {"a3 02 01 06 01 08 81 83 5820" + strings.Repeat("cc", 32) + "01 00", ErrCorrupt},
		"element of four":       {"a3 02 01 06 01 08 81 84 5820" + strings.Repeat("cc", 32) + "01 01 01", ErrCorrupt},
		"element of none":       {"a3 02 01 06 01 08 81 80", ErrCorrupt},
		"critical 15":           {"a2 02 04 0f 00", ErrNewer},
		"critical 0":            {"a2 00 00 02 04", ErrNewer},
		"critical 63":           {"a2 02 04 183f 00", ErrNewer},
		"unknown 99 malformed":  {"a2 02 04 1863 1801", ErrCorrupt},
		"list claims 2^32":      {"a2 02 01 08 9b0000000100000000", ErrCorrupt},
		"unknown 99 is a float": {"a2 02 04 1863 f90000", ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(strings.ReplaceAll(tt.hex, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			e, err := DecodeEntry(b)
			if !errors.Is(err, tt.want) {
				t.Errorf("DecodeEntry = %+v, %v; want %v", e, err, tt.want)
			}
			if errors.Is(err, ErrNewer) && errors.Is(err, ErrCorrupt) {
				t.Errorf("newer is no damage: %v", err)
			}
		})
	}
}

func TestEntryOverLimit(t *testing.T) {
	e := plainFile("big", 0)
	e.Xattrs = []Xattr{{"user.big", strings.Repeat("x", MaxEntry)}}
	if _, err := DecodeEntry(AppendEntry(nil, &e)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("DecodeEntry: %v", err)
	}
	if err := NewDirBuilder(newStore(), testCutter).Add(t.Context(), &e); err == nil {
		t.Error("Add: no error")
	}
}

func BenchmarkEntryEncode(b *testing.B) {
	e := plainFile("player-000123.json", 123)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendEntry(dst[:0], &e)
	}
}

func BenchmarkEntryDecode(b *testing.B) {
	e := plainFile("player-000123.json", 123)
	data := AppendEntry(nil, &e)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeEntry(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEntryValidate(b *testing.B) {
	e := plainFile("player-000123.json", 123)
	for b.Loop() {
		if err := e.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}
