package record

import (
	"fmt"

	"savepoint/internal/usage"
	"savepoint/internal/wire"
)

// ReportKind says what a report is about.
type ReportKind uint8

// The kinds of reports.
const (
	BackupReport ReportKind = 1
	VerifyReport ReportKind = 2
	DrillReport  ReportKind = 3
)

// Report is the result of one run. Reports of one writer form a chain: each has the hash of the one before.
type Report struct {
	Writer    ID
	Seq       uint64
	Previous  [32]byte // plain BLAKE3-256 of the writer's previous report object as stored
	Kind      ReportKind
	Dataset   string
	Host      string
	Ran       [2]int64 // storage times
	Manifest  string   // name of the manifest that the run published
	Published int64    // its storage time
	Exit      uint8
	Stats     []byte // encoded as docs/format.md section 12 says
	Message   string
	Version   string
	Phases    []Phase
	ReadBack  []ReadBack
	Document  []byte       // JSON: what the run printed, as docs/json.md describes it; nil if none
	Usage     *usage.Usage // what the run took; nil if nobody measured
}

// Phase is how long one part of a run took, in nanoseconds.
type Phase struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Nanos uint64
}

// ReadBack says when a pack was read in full and found whole.
type ReadBack struct {
	PackRef
	Time int64
}

type readBackBody struct {
	_    struct{} `cbor:",toarray"`
	Kind uint8
	ID   []byte
	Time int64
}

type reportBody struct {
	Writer    []byte         `cbor:"1,keyasint"`
	Seq       uint64         `cbor:"2,keyasint"`
	Previous  []byte         `cbor:"3,keyasint"`
	Kind      uint8          `cbor:"4,keyasint"`
	Dataset   string         `cbor:"5,keyasint,omitempty"`
	Host      string         `cbor:"6,keyasint,omitempty"`
	Ran       []int64        `cbor:"7,keyasint,omitempty"`
	Manifest  string         `cbor:"8,keyasint,omitempty"`
	Published int64          `cbor:"9,keyasint,omitempty"`
	Exit      uint8          `cbor:"10,keyasint,omitempty"`
	Stats     wire.RawItem   `cbor:"11,keyasint,omitempty"`
	Message   string         `cbor:"12,keyasint,omitempty"`
	Version   string         `cbor:"13,keyasint,omitempty"`
	Phases    []Phase        `cbor:"14,keyasint,omitempty"`
	ReadBack  []readBackBody `cbor:"15,keyasint,omitempty"`
	Document  []byte         `cbor:"64,keyasint,omitempty"`
	Usage     *usageBody     `cbor:"65,keyasint,omitempty"`
}

// Encode returns the payload. Seq and Kind must not be 0.
func (r *Report) Encode() ([]byte, error) {
	if r.Seq == 0 || r.Kind == 0 {
		return nil, fmt.Errorf("report: number %d, kind %d: %w", r.Seq, r.Kind, ErrMalformed)
	}
	body := reportBody{Writer: r.Writer[:], Seq: r.Seq, Previous: r.Previous[:], Kind: uint8(r.Kind), Dataset: r.Dataset, Host: r.Host,
		Ran: r.Ran[:], Manifest: r.Manifest, Published: r.Published, Exit: r.Exit, Stats: r.Stats, Message: r.Message,
		Version: r.Version, Phases: r.Phases, Document: r.Document, Usage: usageBodyOf(r.Usage)}
	for _, b := range r.ReadBack {
		if !validKind(b.Kind) {
			return nil, fmt.Errorf("report: pack of kind %d: %w", b.Kind, ErrMalformed)
		}
		body.ReadBack = append(body.ReadBack, readBackBody{Kind: uint8(b.Kind), ID: b.ID[:], Time: b.Time})
	}
	return wire.Marshal(body)
}

// DecodeReport reads a report. A kind of report that is not known is not an error.
func DecodeReport(b []byte) (*Report, error) {
	body, err := decode[reportBody](b, "report")
	if err != nil {
		return nil, err
	}
	r := &Report{Seq: body.Seq, Kind: ReportKind(body.Kind), Dataset: body.Dataset, Host: body.Host, Manifest: body.Manifest,
		Published: body.Published, Exit: body.Exit, Stats: body.Stats, Message: body.Message, Version: body.Version, Phases: body.Phases,
		Document: body.Document, Usage: body.Usage.usage()}
	if len(body.Writer) != len(r.Writer) || len(body.Previous) != len(r.Previous) || len(body.Ran) != len(r.Ran) || r.Seq == 0 || r.Kind == 0 {
		return nil, fmt.Errorf("report: writer, number, hash, kind or time is not there: %w", ErrMalformed)
	}
	r.Writer, r.Previous, r.Ran = ID(body.Writer), [32]byte(body.Previous), [2]int64(body.Ran)
	for _, b := range body.ReadBack {
		ref, err := packRef(packRefBody{Kind: b.Kind, ID: b.ID})
		if err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		r.ReadBack = append(r.ReadBack, ReadBack{ref, b.Time})
	}
	return r, nil
}
