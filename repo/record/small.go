package record

import (
	"fmt"

	"savepoint/internal/wire"
	"savepoint/repo/pack"
)

// ID is the random part of an object's name.
type ID [16]byte

// Role says what a session does.
type Role uint8

// The roles of sessions.
const (
	Writer Role = 1
	Reader Role = 2
	Pruner Role = 3
)

// Lease is what an object of a session's lease says. Leases are judged by name and storage time only: this is for people.
type Lease struct {
	Role      Role   `cbor:"1,keyasint"`
	Host      string `cbor:"2,keyasint,omitempty"`
	Dataset   string `cbor:"3,keyasint,omitempty"`
	Process   uint64 `cbor:"4,keyasint,omitempty"`
	Version   string `cbor:"5,keyasint,omitempty"`
	HostClock int64  `cbor:"6,keyasint,omitempty"` // nanoseconds since 1970
	Replaces  []byte `cbor:"7,keyasint,omitempty"` // ID of the lapsed lease that this one stands in for
}

// Session names the session that wrote an object: its lease, and the storage times of its beginning and last renewal in
// nanoseconds since 1970.
type Session struct {
	Lease          ID
	Began, Renewed int64
}

// PackRef names a pack.
type PackRef struct {
	Kind pack.Kind
	ID   pack.ID
}

// Condemned lists packs that a prune run will delete.
type Condemned struct {
	Packs     []PackRef
	Session   Session
	HostClock int64
}

// Gone says that all packs of a condemned record are deleted.
type Gone struct {
	Record    ID
	Session   Session
	HostClock int64
}

// MarkKind says what a mark means.
type MarkKind uint8

// The kinds of marks.
const (
	Hold      MarkKind = 1
	Tag       MarkKind = 2
	Tombstone MarkKind = 3
	Damaged   MarkKind = 4
	Release   MarkKind = 5
	Replica   MarkKind = 6
	Promotion MarkKind = 7
	Adopted   MarkKind = 8
	Features  MarkKind = 9
	// SlotAdded and SlotRemoved are about key slots. They are put before what they say is done.
	SlotAdded   MarkKind = 10
	SlotRemoved MarkKind = 11
)

// Mark is a statement about other objects.
type Mark struct {
	Kind      MarkKind `cbor:"1,keyasint"`
	Objects   []string `cbor:"2,keyasint,omitempty"`
	Reason    string   `cbor:"3,keyasint,omitempty"`
	Owner     string   `cbor:"4,keyasint,omitempty"`
	Expiry    int64    `cbor:"5,keyasint,omitempty"` // nanoseconds since 1970; 0 never
	Words     []string `cbor:"6,keyasint,omitempty"` // tags, or feature flags
	HostClock int64    `cbor:"7,keyasint,omitempty"`
	Ends      []byte   `cbor:"8,keyasint,omitempty"` // ID of the mark that a release ends
}

type packRefBody struct {
	_    struct{} `cbor:",toarray"`
	Kind uint8
	ID   []byte
}

type condemnedBody struct {
	Packs     []packRefBody `cbor:"1,keyasint,omitempty"`
	Lease     []byte        `cbor:"2,keyasint,omitempty"`
	Began     int64         `cbor:"3,keyasint,omitempty"`
	Renewed   int64         `cbor:"4,keyasint,omitempty"`
	HostClock int64         `cbor:"5,keyasint,omitempty"`
}

type goneBody struct {
	Record    []byte `cbor:"1,keyasint"`
	Lease     []byte `cbor:"2,keyasint,omitempty"`
	Began     int64  `cbor:"3,keyasint,omitempty"`
	Renewed   int64  `cbor:"4,keyasint,omitempty"`
	HostClock int64  `cbor:"5,keyasint,omitempty"`
}

func (l *Lease) check() error {
	if l.Role == 0 || !optionalID(l.Replaces) {
		return fmt.Errorf("lease: role %d, %d bytes of ID: %w", l.Role, len(l.Replaces), ErrMalformed)
	}
	return nil
}

func (m *Mark) check() error {
	if m.Kind == 0 || !optionalID(m.Ends) {
		return fmt.Errorf("mark: kind %d, %d bytes of ID: %w", m.Kind, len(m.Ends), ErrMalformed)
	}
	return nil
}

// Encode returns the payload.
func (l *Lease) Encode() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	return wire.Marshal(l)
}

// DecodeLease reads a lease. A role that is not known is not an error.
func DecodeLease(b []byte) (*Lease, error) {
	l, err := decode[Lease](b, "lease")
	if err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	return l, nil
}

// Encode returns the payload.
func (m *Mark) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	return wire.Marshal(m)
}

// DecodeMark reads a mark. A kind that is not known is not an error.
func DecodeMark(b []byte) (*Mark, error) {
	m, err := decode[Mark](b, "mark")
	if err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

func optionalID(b []byte) bool { return len(b) == 0 || len(b) == len(ID{}) }

func validKind(k pack.Kind) bool { return k == pack.Data || k == pack.Meta }

func decode[T any](b []byte, what string) (*T, error) {
	v := new(T)
	if err := wire.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return v, nil
}

// Encode returns the payload.
func (c *Condemned) Encode() ([]byte, error) {
	body := condemnedBody{Lease: c.Session.Lease[:], Began: c.Session.Began, Renewed: c.Session.Renewed, HostClock: c.HostClock}
	for _, p := range c.Packs {
		if !validKind(p.Kind) {
			return nil, fmt.Errorf("condemned record: pack of kind %d: %w", p.Kind, ErrMalformed)
		}
		body.Packs = append(body.Packs, packRefBody{Kind: uint8(p.Kind), ID: p.ID[:]})
	}
	return wire.Marshal(body)
}

// DecodeCondemned reads a condemned record.
func DecodeCondemned(b []byte) (*Condemned, error) {
	body, err := decode[condemnedBody](b, "condemned record")
	if err != nil {
		return nil, err
	}
	c := &Condemned{HostClock: body.HostClock}
	if c.Session, err = session(body.Lease, body.Began, body.Renewed); err != nil {
		return nil, fmt.Errorf("condemned record: %w", err)
	}
	for _, p := range body.Packs {
		ref, err := packRef(p)
		if err != nil {
			return nil, fmt.Errorf("condemned record: %w", err)
		}
		c.Packs = append(c.Packs, ref)
	}
	return c, nil
}

// Encode returns the payload.
func (g *Gone) Encode() ([]byte, error) {
	return wire.Marshal(goneBody{g.Record[:], g.Session.Lease[:], g.Session.Began, g.Session.Renewed, g.HostClock})
}

// DecodeGone reads what says that a record's packs are deleted.
func DecodeGone(b []byte) (*Gone, error) {
	body, err := decode[goneBody](b, "gone record")
	if err != nil {
		return nil, err
	}
	g := &Gone{HostClock: body.HostClock}
	if g.Session, err = session(body.Lease, body.Began, body.Renewed); err != nil {
		return nil, fmt.Errorf("gone record: %w", err)
	}
	if len(body.Record) != len(g.Record) {
		return nil, fmt.Errorf("gone record: ID of %d bytes: %w", len(body.Record), ErrMalformed)
	}
	copy(g.Record[:], body.Record)
	return g, nil
}

func session(lease []byte, began, renewed int64) (Session, error) {
	s := Session{Began: began, Renewed: renewed}
	if len(lease) != len(s.Lease) {
		return s, fmt.Errorf("lease ID of %d bytes: %w", len(lease), ErrMalformed)
	}
	copy(s.Lease[:], lease)
	return s, nil
}

func packRef(b packRefBody) (PackRef, error) {
	ref := PackRef{Kind: pack.Kind(b.Kind)}
	if !validKind(ref.Kind) || len(b.ID) != len(ref.ID) {
		return ref, fmt.Errorf("name of a pack: %w", ErrMalformed)
	}
	copy(ref.ID[:], b.ID)
	return ref, nil
}
