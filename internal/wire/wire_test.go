package wire

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func TestCheck(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("81", n) + "00" }
	for name, tt := range map[string]struct {
		hex string
		ok  bool
	}{
		"zero":                     {"00", true},
		"23":                       {"17", true},
		"24":                       {"1818", true},
		"largest":                  {"1bffffffffffffffff", true},
		"least":                    {"3b7fffffffffffffff", true},
		"below 64 bits":            {"3b8000000000000000", false},
		"23 in two bytes":          {"1817", false},
		"255 in three":             {"1900ff", false},
		"65535 in five":            {"1a0000ffff", false},
		"32 bits in nine":          {"1b00000000ffffffff", false},
		"long length of bytes":     {"580100", false},
		"bytes":                    {"43010203", true},
		"bytes cut off":            {"430102", false},
		"bytes of 2^63":            {"5b8000000000000000", false},
		"text":                     {"63e282ac", true},
		"text not UTF-8":           {"62c328", false},
		"text of a surrogate":      {"63eda080", false},
		"array":                    {"820102", true},
		"array too short":          {"8301 02", false},
		"array of 2^32":            {"9b0000000100000000", false},
		"array with a long length": {"98020102", false},
		"map":                      {"a2 01 02 20 03", true},
		"map of too few":           {"a2 01 02 03", false},
		"map keys out of order":    {"a2 02 00 01 00", false},
		"map with equal keys":      {"a2 01 00 01 00", false},
		"map negative before":      {"a2 20 00 01 00", false},
		"map negative order":       {"a2 20 00 21 00", true},
		"map negative disorder":    {"a2 21 00 20 00", false},
		"map with a text key":      {"a1 6161 00", false},
		"map with a bytes key":     {"a1 4161 00", false},
		"map with a bool key":      {"a1 f4 00", false},
		"map of 2^64":              {"bbffffffffffffffff", false},
		"false":                    {"f4", true},
		"true":                     {"f5", true},
		"null":                     {"f6", false},
		"undefined":                {"f7", false},
		"simple value":             {"e0", false},
		"simple value in two":      {"f8ff", false},
		"half float":               {"f90000", false},
		"float":                    {"fa00000000", false},
		"double":                   {"fb0000000000000000", false},
		"tag":                      {"c000", false},
		"indefinite bytes":         {"5fff", false},
		"indefinite text":          {"7fff", false},
		"indefinite array":         {"9fff", false},
		"indefinite map":           {"bfff", false},
		"break":                    {"ff", false},
		"reserved information":     {"1c", false},
		"nothing":                  {"", false},
		"two items":                {"0000", false},
		"nesting of 16":            {nested(16), true},
		"nesting of 17":            {nested(17), false},
		"nesting of 100,000":       {nested(100_000), false},
		"maps nested 17":           {strings.Repeat("a100", 17) + "00", false},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(unhex(t, tt.hex))
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("Check(%.40s) = %v, want ok = %t", tt.hex, err, tt.ok)
			}
		})
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	b := unhex(t, "a3 01 83 01 41 61 61 61 02 a1 20 f4 03 1a00010000")
	if n := testing.AllocsPerRun(100, func() {
		if err := Check(b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Check allocates %v times", n)
	}
}

type inner struct {
	A uint64 `cbor:"1,keyasint,omitempty"`
	B string `cbor:"2,keyasint,omitempty"`
}

type pair struct {
	_    struct{} `cbor:",toarray"`
	Name []byte
	In   inner
}

type object struct {
	Kind  uint8     `cbor:"1,keyasint"`
	Name  string    `cbor:"2,keyasint,omitempty"`
	ID    [4]byte   `cbor:"3,keyasint,omitzero"`
	Bytes []byte    `cbor:"4,keyasint,omitempty"`
	Time  int64     `cbor:"5,keyasint,omitempty"`
	In    inner     `cbor:"6,keyasint,omitzero"`
	Pairs []pair    `cbor:"7,keyasint,omitempty"`
	IDs   [][4]byte `cbor:"8,keyasint,omitempty"`
	Range [2]int64  `cbor:"9,keyasint,omitzero"`
	Flag  bool      `cbor:"10,keyasint,omitempty"`
	Raw   RawItem   `cbor:"11,keyasint,omitempty"`
	Late  uint64    `cbor:"70,keyasint,omitempty"`
}

func TestMarshalBytes(t *testing.T) {
	for want, v := range map[string]object{
		"a10100": {},
		"a801010261780344010203040441ff0523 06a10109 0781 82 41 61 a1 02 61 62 1846 07": {
			Kind: 1, Name: "x", ID: [4]byte{1, 2, 3, 4}, Bytes: []byte{255}, Time: -4, In: inner{A: 9},
			Pairs: []pair{{Name: []byte("a"), In: inner{B: "b"}}}, Late: 7},
	} {
		b, err := Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b); got != strings.ReplaceAll(want, " ", "") {
			t.Errorf("Marshal = %s, want %s", got, want)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"text not UTF-8": object{Name: "a\xff"},
		"float":          1.5,
		"map of text":    map[string]int{"a": 1},
		"raw nonsense":   object{Raw: RawItem{0x18, 0x01}},
		"a function":     func() {},
	} {
		if b, err := Marshal(v); err == nil {
			t.Errorf("%s: Marshal = %x, want an error", name, b)
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		hex  string
		want error
	}{
		"unknown critical":           {"a2 0100 182b 00", ErrNewer},
		"unknown critical, negative": {"a2 0100 20 00", ErrNewer},
		"unknown critical, inner":    {"a2 0100 06 a1 03 01", ErrNewer},
		"unknown critical, in pair":  {"a2 0100 07 81 82 41 61 a1 03 01", ErrNewer},
		"no always":                  {"a0", ErrMalformed},
		"not a map":                  {"80", ErrMalformed},
		"null":                       {"f6", ErrMalformed},
		"zero text":                  {"a2 0100 02 60", ErrMalformed},
		"null text":                  {"a2 0100 02 f6", ErrMalformed},
		"bytes for text":             {"a2 0100 02 41 61", ErrMalformed},
		"array too short":            {"a2 0100 03 43 010203", ErrMalformed},
		"array too long":             {"a2 0100 03 45 0102030405", ErrMalformed},
		"array of zeros":             {"a2 0100 03 44 00000000", ErrMalformed},
		"ID in a list too long":      {"a2 0100 08 81 45 0102030405", ErrMalformed},
		"bytes as an array":          {"a2 0100 04 82 01 02", ErrMalformed},
		"text for bytes":             {"a2 0100 04 61 61", ErrMalformed},
		"range of three":             {"a2 0100 09 83 01 02 03", ErrMalformed},
		"range of one":               {"a2 0100 09 81 01", ErrMalformed},
		"pair of three":              {"a2 0100 07 81 83 41 61 a1 02 61 62 00", ErrMalformed},
		"kind over its type":         {"a1 01 190100", ErrMalformed},
		"time over its type":         {"a2 0100 05 1bffffffffffffffff", ErrMalformed},
		"keys out of order":          {"a2 05 01 01 00", ErrMalformed},
		"bytes after":                {"a1 01 00 00", ErrMalformed},
		"inner of zeros":             {"a2 0100 06 a0", ErrMalformed},
		"flag false":                 {"a2 0100 0a f4", ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			var o object
			if err := Unmarshal(unhex(t, tt.hex), &o); !errors.Is(err, tt.want) {
				t.Errorf("Unmarshal = %v (%+v), want %v", err, o, tt.want)
			}
		})
	}
	if err := Unmarshal([]byte{0xa1, 1, 0}, object{}); err == nil {
		t.Error("Unmarshal into a value: no error")
	}
}

func TestUnmarshalNamesNewerField(t *testing.T) {
	var o object
	err := Unmarshal(unhex(t, "a2 0100 182b 00"), &o)
	if err == nil || !strings.Contains(err.Error(), "field 43 is not known: a newer program wrote this") {
		t.Errorf("error is %v", err)
	}
}

func TestUnmarshalIgnoresOptional(t *testing.T) {
	// Unknown keys 64, 71 and 2^64-1 at the top, 65 within an inner object, 99 in one of a pair.
	b := unhex(t, "a7 01 05 06 a2 01 09 1841 80 07 81 82 41 61 a1 1863 f5"+
		"1840 a1 00 00 1846 07 1847 f5 1bffffffffffffffff 00")
	o := object{Name: "left over", Flag: true}
	if err := Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	want := object{Kind: 5, In: inner{A: 9}, Pairs: []pair{{Name: []byte("a")}}, Late: 7}
	if d := cmp.Diff(want, o, cmp.AllowUnexported(pair{})); d != "" {
		t.Error(d)
	}
}

func TestObjectRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Custom(func(t *rapid.T) (id [4]byte) {
			copy(id[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "id"))
			return id
		})
		in := rapid.Custom(func(t *rapid.T) inner {
			return inner{rapid.Uint64().Draw(t, "a"), rapid.String().Draw(t, "b")}
		})
		want := object{
			Kind: rapid.Uint8().Draw(t, "kind"), Name: rapid.String().Draw(t, "name"), ID: id.Draw(t, "id"),
			Bytes: rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"), Time: rapid.Int64().Draw(t, "time"), In: in.Draw(t, "in"),
			IDs: rapid.SliceOf(id).Draw(t, "ids"), Range: [2]int64{rapid.Int64().Draw(t, "from"), 1},
			Flag: rapid.Bool().Draw(t, "flag"), Late: rapid.Uint64().Draw(t, "late"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "pairs") {
			want.Pairs = append(want.Pairs, pair{Name: []byte{1}, In: in.Draw(t, "in")})
		}
		b, err := Marshal(&want)
		if err != nil {
			t.Fatal(err)
		}
		var got object
		if err := Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		again, err := Marshal(got)
		if err != nil || string(again) != string(b) {
			t.Fatalf("encoded again: %x, %v; want %x", again, err, b)
		}
	})
}

func TestUnmarshalManyElements(t *testing.T) {
	// More than the library takes unless told otherwise.
	in := struct {
		L []uint64 `cbor:"1,keyasint,omitempty"`
	}{make([]uint64, 200_000)}
	b, err := Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out := in
	if err := Unmarshal(b, &out); err != nil || len(out.L) != 200_000 {
		t.Errorf("Unmarshal = %v, %d elements", err, len(out.L))
	}
}

func TestIntRange(t *testing.T) {
	for _, v := range []int64{0, -1, 23, 24, -24, -25, 255, 256, math.MaxInt64, math.MinInt64, 1 << 32, -1 << 32} {
		r := NewReader(AppendInt(nil, v))
		if got := r.Int(); got != v || r.Done() != nil {
			t.Errorf("Int = %d, %v; want %d", got, r.Done(), v)
		}
	}
	r := NewReader(AppendUint(nil, 1<<63))
	if r.Int(); !errors.Is(r.Err(), ErrMalformed) {
		t.Errorf("Int of 2^63: %v", r.Err())
	}
}
