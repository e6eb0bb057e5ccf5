package record

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"savepoint/chunk"
	"savepoint/internal/usage"
	"savepoint/repo/pack"
)

// testPolynomial is irreducible and of degree 53.
const testPolynomial = 0x3DA3358B4DC173

func isNewer(err error) bool { return errors.Is(err, ErrNewer) }

// codec is one kind of record, its types left out.
type codec struct {
	draw   func(*rapid.T) any
	encode func(any) ([]byte, error)
	decode func([]byte) (any, error)
}

func codecOf[T any](draw func(*rapid.T) *T, encode func(*T) ([]byte, error), decode func([]byte) (*T, error)) codec {
	return codec{
		func(t *rapid.T) any { return draw(t) },
		func(v any) ([]byte, error) { return encode(v.(*T)) },
		func(b []byte) (any, error) {
			v, err := decode(b)
			if v == nil {
				return nil, err
			}
			return v, err
		},
	}
}

var codecs = map[string]codec{
	"lease":     codecOf(drawLease, (*Lease).Encode, DecodeLease),
	"mark":      codecOf(drawMark, (*Mark).Encode, DecodeMark),
	"condemned": codecOf(drawCondemned, (*Condemned).Encode, DecodeCondemned),
	"gone":      codecOf(drawGone, (*Gone).Encode, DecodeGone),
	"report":    codecOf(drawReport, (*Report).Encode, DecodeReport),
	"config":    codecOf(drawConfig, func(p *chunk.Params) ([]byte, error) { return EncodeConfig(*p) }, decodeConfig),
}

func decodeConfig(b []byte) (*chunk.Params, error) {
	p, err := DecodeConfig(b)
	if err != nil {
		return nil, err
	}
	return &p, nil
}

func drawID(t *rapid.T) ID { return ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ID")) }

func drawOptional(t *rapid.T) []byte {
	if rapid.Bool().Draw(t, "none") {
		return nil
	}
	id := drawID(t)
	return id[:]
}

func drawText(t *rapid.T) string { return rapid.StringN(0, 20, 40).Draw(t, "text") }

func drawTexts(t *rapid.T) []string {
	var out []string
	for range rapid.IntRange(0, 3).Draw(t, "texts") {
		out = append(out, drawText(t))
	}
	return out
}

func drawSession(t *rapid.T) Session {
	return Session{drawID(t), rapid.Int64().Draw(t, "began"), rapid.Int64().Draw(t, "renewed")}
}

func drawRef(t *rapid.T) PackRef {
	return PackRef{rapid.SampledFrom([]pack.Kind{pack.Data, pack.Meta}).Draw(t, "kind"), pack.ID(random(rapid.Uint64().Draw(t, "pack"), 32))}
}

func drawLease(t *rapid.T) *Lease {
	return &Lease{Role: Role(rapid.Uint8Range(1, 5).Draw(t, "role")), Host: drawText(t), Dataset: drawText(t),
		Process: rapid.Uint64().Draw(t, "process"), Version: drawText(t), HostClock: rapid.Int64().Draw(t, "clock"), Replaces: drawOptional(t)}
}

func drawMark(t *rapid.T) *Mark {
	return &Mark{Kind: MarkKind(rapid.Uint8Range(1, 12).Draw(t, "kind")), Objects: drawTexts(t), Reason: drawText(t), Owner: drawText(t),
		Expiry: rapid.Int64().Draw(t, "expiry"), Words: drawTexts(t), HostClock: rapid.Int64().Draw(t, "clock"), Ends: drawOptional(t)}
}

func drawCondemned(t *rapid.T) *Condemned {
	c := &Condemned{Session: drawSession(t), HostClock: rapid.Int64().Draw(t, "clock")}
	for range rapid.IntRange(0, 4).Draw(t, "packs") {
		c.Packs = append(c.Packs, drawRef(t))
	}
	return c
}

func drawGone(t *rapid.T) *Gone {
	return &Gone{Record: drawID(t), Session: drawSession(t), HostClock: rapid.Int64().Draw(t, "clock")}
}

func drawReport(t *rapid.T) *Report {
	r := &Report{Writer: drawID(t), Seq: rapid.Uint64Min(1).Draw(t, "seq"), Previous: [32]byte(random(rapid.Uint64().Draw(t, "hash"), 32)),
		Kind: ReportKind(rapid.Uint8Range(1, 9).Draw(t, "kind")), Dataset: drawText(t), Host: drawText(t),
		Ran: [2]int64{rapid.Int64().Draw(t, "from"), rapid.Int64().Draw(t, "to")}, Manifest: drawText(t),
		Published: rapid.Int64().Draw(t, "published"), Exit: rapid.Uint8().Draw(t, "exit"), Message: drawText(t), Version: drawText(t)}
	if rapid.Bool().Draw(t, "document") {
		r.Document = []byte(`{"verdict":"restored"}`)
	}
	if rapid.Bool().Draw(t, "usage") {
		r.Usage = drawUsage(t)
	}
	if rapid.Bool().Draw(t, "stats") {
		r.Stats = []byte{0xa2, 1, 2, 3, 4}
	}
	for range rapid.IntRange(0, 3).Draw(t, "phases") {
		r.Phases = append(r.Phases, Phase{Name: drawText(t), Nanos: rapid.Uint64().Draw(t, "nanos")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "read back") {
		r.ReadBack = append(r.ReadBack, ReadBack{drawRef(t), rapid.Int64().Draw(t, "time")})
	}
	return r
}

func drawUsage(t *rapid.T) *usage.Usage {
	long := func(name string) time.Duration { return time.Duration(rapid.Int64Min(0).Draw(t, name)) }
	u := &usage.Usage{Wall: long("wall"), User: long("user"), System: long("system"), Cores: rapid.IntRange(0, math.MaxInt32).Draw(t, "cores"),
		PeakMemory: rapid.Uint64().Draw(t, "memory"), Limit: usage.Resource(drawText(t)),
		Waited: usage.Waits{Storage: long("storage"), Source: long("source"), Target: long("target"), Limit: long("limit")}}
	for range rapid.IntRange(0, 3).Draw(t, "requests") {
		u.Requests = append(u.Requests, usage.Requests{Op: drawText(t), Count: rapid.Uint64().Draw(t, "count"), Retries: rapid.Uint64().Draw(t, "retries"),
			P50: long("p50"), P99: long("p99"), Max: long("max")})
	}
	return u
}

func drawConfig(t *rapid.T) *chunk.Params {
	low := rapid.Uint32Range(65, 1<<20).Draw(t, "min")
	return &chunk.Params{Kind: chunk.Rabin, Min: low, Max: low + rapid.Uint32Range(0, 1<<20).Draw(t, "above"),
		Bits: rapid.Uint8Range(8, 24).Draw(t, "bits"), Polynomial: testPolynomial}
}

func TestRecordsRoundTrip(t *testing.T) {
	for name, c := range codecs {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				want := c.draw(t)
				b, err := c.encode(want)
				if err != nil {
					t.Fatal(err)
				}
				got, err := c.decode(b)
				if d := cmp.Diff(want, got); err != nil || d != "" {
					t.Fatalf("decoded: %v, -want +got:\n%s", err, d)
				}
				if again, err := c.encode(got); err != nil || !bytes.Equal(again, b) {
					t.Fatalf("encoded again: %x, %v; want %x", again, err, b)
				}
			})
		})
	}
}

// TestRecordsDamaged cuts records at every byte, flips every bit and adds to them: no panic, and what decodes is encoded as
// it was.
func TestRecordsDamaged(t *testing.T) {
	for name, c := range codecs {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				b, err := c.encode(c.draw(t))
				if err != nil {
					t.Fatal(err)
				}
				i := rapid.IntRange(0, len(b)-1).Draw(t, "at")
				if _, err := c.decode(b[:i]); !errors.Is(err, ErrMalformed) {
					t.Fatalf("first %d of %d bytes: %v", i, len(b), err)
				}
				if _, err := c.decode(append(bytes.Clone(b), 0)); !errors.Is(err, ErrMalformed) {
					t.Fatalf("one byte more: %v", err)
				}
				b[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
				canonical(t, c, b)
			})
		})
	}
}

// canonical fails unless b is refused, or decodes into something that has no other encoding but for fields to be ignored.
func canonical(t rapid.TB, c codec, b []byte) {
	v, err := c.decode(b)
	if err != nil {
		if errors.Is(err, ErrMalformed) == errors.Is(err, ErrNewer) || v != nil {
			t.Fatalf("%x: %v, %v; want an error of one kind alone", b, v, err)
		}
		return
	}
	again, err := c.encode(v)
	if err != nil || len(again) > len(b) {
		t.Fatalf("%x: encoded again as %x, %v", b, again, err)
	}
	if twice, err := c.decode(again); err != nil || cmp.Diff(v, twice) != "" {
		t.Fatalf("%x: means something else when encoded again: %v", b, err)
	}
}

// TestRecordsRules holds sections 3, 4 and 9 by the bytes.
func TestRecordsRules(t *testing.T) {
	id, hash := "50"+strings.Repeat("ab", 16), "5820"+strings.Repeat("cd", 32)
	report := "01" + id + "02 01 03" + hash + "04 01 07 82 00 00"
	config := "01 01 02 1a00018000 03 1a00100000 04 0f"
	polynomial := "05 1b003da3358b4dc173"
	for _, tt := range []struct {
		codec, name, b string
		want           error
	}{
		{"lease", "least", "a1 01 01", nil},
		{"lease", "optional field", "a2 01 01 1840 f5", nil},
		{"lease", "critical field", "a2 01 01 08 00", ErrNewer},
		{"lease", "critical field in front", "a2 00 00 01 01", ErrNewer},
		{"lease", "no role", "a0", ErrMalformed},
		{"lease", "role 0", "a1 01 00", ErrMalformed},
		{"lease", "empty host", "a2 01 01 02 60", ErrMalformed},
		{"lease", "host as bytes", "a2 01 01 02 41 61", ErrMalformed},
		{"lease", "host not UTF-8", "a2 01 01 02 61 ff", ErrMalformed},
		{"lease", "short ID", "a2 01 01 07 42 0102", ErrMalformed},
		{"lease", "keys out of order", "a2 06 01 01 01", ErrMalformed},
		{"lease", "key twice", "a2 01 01 01 01", ErrMalformed},
		{"lease", "long number", "a1 01 18 01", ErrMalformed},
		{"lease", "float", "a2 01 01 06 f93c00", ErrMalformed},
		{"lease", "tag", "a2 01 01 06 c101", ErrMalformed},
		{"lease", "indefinite", "bf 01 01 ff", ErrMalformed},
		{"lease", "array", "81 01", ErrMalformed},
		{"mark", "least", "a1 01 09", nil},
		{"mark", "kind to come", "a1 01 0a", nil},
		{"mark", "kind 0", "a1 01 00", ErrMalformed},
		{"mark", "kind over a byte", "a1 01 190100", ErrMalformed},
		{"mark", "short ID", "a2 01 05 08 41 00", ErrMalformed},
		{"mark", "ID", "a2 01 05 08" + id, nil},
		{"mark", "critical field", "a2 01 05 09 00", ErrNewer},
		{"condemned", "least", "a1 02" + id, nil},
		{"condemned", "no lease", "a0", ErrMalformed},
		{"condemned", "a pack", "a2 01 81 82 01" + hash + "02" + id, nil},
		{"condemned", "pack of kind 3", "a2 01 81 82 03" + hash + "02" + id, ErrMalformed},
		{"condemned", "short pack", "a2 01 81 82 01" + id + "02" + id, ErrMalformed},
		{"condemned", "pack of three", "a2 01 81 83 01" + hash + "00 02" + id, ErrMalformed},
		{"condemned", "critical field", "a2 02" + id + "06 00", ErrNewer},
		{"gone", "least", "a2 01" + id + "02" + id, nil},
		{"gone", "no record", "a1 02" + id, ErrMalformed},
		{"gone", "short record", "a2 01 41 00 02" + id, ErrMalformed},
		{"gone", "no lease", "a1 01" + id, ErrMalformed},
		{"gone", "critical field", "a3 01" + id + "02" + id + "06 00", ErrNewer},
		{"report", "least", "a5" + report, nil},
		{"report", "seq 0", "a5" + strings.Replace(report, "02 01", "02 00", 1), ErrMalformed},
		{"report", "kind 0", "a5" + strings.Replace(report, "04 01", "04 00", 1), ErrMalformed},
		{"report", "one time", "a5" + strings.Replace(report, "82 00 00", "81 00", 1), ErrMalformed},
		{"report", "short hash", "a5" + strings.Replace(report, hash, id, 1), ErrMalformed},
		{"report", "exit over a byte", "a6" + report + "0a 190100", ErrMalformed},
		{"report", "read back kind 3", "a6" + report + "0f 81 83 03" + hash + "00", ErrMalformed},
		{"report", "critical field", "a6" + report + "10 00", ErrNewer},
		{"config", "least", "a5" + config + polynomial, nil},
		{"config", "no polynomial", "a4" + config, ErrMalformed},
		{"config", "fixed", "a5" + strings.Replace(config, "01 01", "01 02", 1) + polynomial, ErrMalformed},
		{"config", "reducible", "a5" + config + "05 1b003da3358b4dc172", ErrMalformed},
		{"config", "critical field", "a6" + config + polynomial + "06 00", ErrNewer},
	} {
		_, err := codecs[tt.codec].decode(fromHex(t, tt.b))
		if (err == nil) != (tt.want == nil) || tt.want != nil && (!errors.Is(err, tt.want) || isNewer(err) != (tt.want == ErrNewer)) {
			t.Errorf("%s, %s: %v, want %v", tt.codec, tt.name, err, tt.want)
		}
	}
}

// TestRecordsNotWritten has values that no reader would take.
func TestRecordsNotWritten(t *testing.T) {
	bad := PackRef{Kind: 3}
	for name, encode := range map[string]func() ([]byte, error){
		"lease without a role":     (&Lease{}).Encode,
		"lease with a short ID":    (&Lease{Role: Writer, Replaces: []byte{1}}).Encode,
		"lease not UTF-8":          (&Lease{Role: Writer, Host: "\xff"}).Encode,
		"mark without a kind":      (&Mark{}).Encode,
		"mark with a short ID":     (&Mark{Kind: Release, Ends: []byte{1}}).Encode,
		"condemned pack of kind 3": (&Condemned{Packs: []PackRef{bad}}).Encode,
		"report without a number":  (&Report{Kind: BackupReport}).Encode,
		"report without a kind":    (&Report{Seq: 1}).Encode,
		"report of pack of kind 3": (&Report{Seq: 1, Kind: DrillReport, ReadBack: []ReadBack{{bad, 0}}}).Encode,
		"report with bad stats":    (&Report{Seq: 1, Kind: DrillReport, Stats: []byte{0xff}}).Encode,
		"config of a fixed size":   func() ([]byte, error) { return EncodeConfig(chunk.Params{Kind: chunk.Fixed, Size: 512}) },
		"config without a polynom": func() ([]byte, error) { return EncodeConfig(chunk.DefaultRabin(0)) },
	} {
		if b, err := encode(); err == nil {
			t.Errorf("%s: encoded as %x", name, b)
		}
	}
}
