package tree

import (
	"errors"
	"fmt"
	"strings"

	"savepoint/internal/wire"
)

// manifestWire is a manifest as it is encoded. Keys 40 to 43 are reserved:
// whoever meets one refuses the manifest.
type manifestWire struct {
	Seq          uint64       `cbor:"1,keyasint"`
	Prev         string       `cbor:"2,keyasint,omitempty"`
	Window       [2]int64     `cbor:"3,keyasint"`
	HostClock    int64        `cbor:"4,keyasint,omitempty"`
	ClockOffset  int64        `cbor:"5,keyasint,omitempty"`
	Host         string       `cbor:"6,keyasint,omitempty"`
	User         string       `cbor:"7,keyasint,omitempty"`
	Dataset      string       `cbor:"8,keyasint,omitempty"`
	Class        string       `cbor:"9,keyasint,omitempty"`
	Roots        []rootWire   `cbor:"10,keyasint"`
	Tags         []string     `cbor:"11,keyasint,omitempty"`
	Mode         Mode         `cbor:"12,keyasint,omitempty"`
	Parent       string       `cbor:"13,keyasint,omitempty"`
	Devices      []uint64     `cbor:"14,keyasint,omitempty"`
	Stats        Stats        `cbor:"15,keyasint,omitzero"`
	Version      string       `cbor:"16,keyasint,omitempty"`
	Completeness Completeness `cbor:"17,keyasint"`
	Faults       []faultWire  `cbor:"18,keyasint,omitempty"`
	FaultCount   uint64       `cbor:"19,keyasint,omitempty"`
	Policy       []byte       `cbor:"20,keyasint,omitempty"`
	Chains       []chainWire  `cbor:"21,keyasint,omitempty"`
	Lease        [16]byte     `cbor:"22,keyasint,omitzero"`
	LeaseBegan   int64        `cbor:"23,keyasint,omitempty"`
	LeaseRenewed int64        `cbor:"24,keyasint,omitempty"`
	Seen         [][16]byte   `cbor:"25,keyasint,omitempty"`
	Suspect      bool         `cbor:"26,keyasint,omitempty"`
}

type rootWire struct {
	_     struct{} `cbor:",toarray"`
	Path  []byte
	Entry wire.RawItem
	User  string
	Group string
}

type faultWire struct {
	_       struct{} `cbor:",toarray"`
	Path    []byte
	Code    FaultCode
	Message string
}

type chainWire struct {
	_      struct{} `cbor:",toarray"`
	Writer [16]byte
	Seq    uint64
	Hash   [32]byte
}

var errManifestSize = errors.New("over 64 MiB")

// EncodeManifest encodes m, or says which rule of the format it breaks.
func EncodeManifest(m *Manifest) ([]byte, error) {
	b, err := encodeManifest(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return b, nil
}

func encodeManifest(m *Manifest) ([]byte, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	w := m.toWire()
	for i := range m.Roots {
		root := &m.Roots[i]
		raw := AppendEntry(nil, &root.Entry)
		if len(raw) > MaxEntry {
			return nil, fmt.Errorf("entry of root %q is over 1 MiB", root.Path)
		}
		w.Roots = append(w.Roots, rootWire{Path: []byte(root.Path), Entry: raw, User: root.Entry.User, Group: root.Entry.Group})
	}
	for _, f := range m.Faults {
		message := strings.ToValidUTF8(f.Message, "\uFFFD")
		w.Faults = append(w.Faults, faultWire{Path: []byte(f.Path), Code: f.Code, Message: message})
	}
	for _, c := range m.Chains {
		w.Chains = append(w.Chains, chainWire{Writer: c.Writer, Seq: c.Seq, Hash: c.Hash})
	}
	b, err := wire.Marshal(w)
	if err == nil && len(b) > MaxManifest {
		err = errManifestSize
	}
	return b, err
}

// toWire returns the fields of m that are encoded as they are.
func (m *Manifest) toWire() *manifestWire {
	return &manifestWire{
		Seq: m.Seq, Prev: m.Prev, Window: m.Window, HostClock: m.HostClock, ClockOffset: m.ClockOffset,
		Host: m.Host, User: m.User, Dataset: m.Dataset, Class: m.Class,
		Tags: m.Tags, Mode: m.Mode, Parent: m.Parent, Devices: m.Devices, Stats: m.Stats, Version: m.Version,
		Completeness: m.Completeness, FaultCount: m.FaultCount, Policy: m.Policy,
		Lease: m.Lease, LeaseBegan: m.LeaseBegan, LeaseRenewed: m.LeaseRenewed, Seen: m.Seen, Suspect: m.Suspect,
	}
}

// DecodeManifest decodes a manifest and checks it by itself. The error wraps
// [ErrCorrupt] or [ErrNewer]. Nothing in the manifest refers to b.
func DecodeManifest(b []byte) (*Manifest, error) {
	m, err := decodeManifest(b)
	if err != nil {
		return nil, corrupt("decode manifest", err)
	}
	return m, nil
}

func decodeManifest(b []byte) (*Manifest, error) {
	if len(b) > MaxManifest {
		return nil, errManifestSize
	}
	var w manifestWire
	if err := wire.Unmarshal(b, &w); err != nil {
		return nil, err
	}
	m := w.toManifest()
	for _, r := range w.Roots {
		e, err := DecodeEntry(r.Entry)
		if err != nil {
			return nil, fmt.Errorf("root %q: %w", r.Path, err)
		}
		e.User, e.Group = r.User, r.Group
		m.Roots = append(m.Roots, Root{Path: string(r.Path), Entry: e})
	}
	for _, f := range w.Faults {
		m.Faults = append(m.Faults, Fault{Path: string(f.Path), Code: f.Code, Message: f.Message})
	}
	for _, c := range w.Chains {
		m.Chains = append(m.Chains, Chain{Writer: c.Writer, Seq: c.Seq, Hash: c.Hash})
	}
	return m, m.validate()
}

// toManifest returns the fields that are encoded as they are.
func (w *manifestWire) toManifest() *Manifest {
	return &Manifest{
		Seq: w.Seq, Prev: w.Prev, Window: w.Window, HostClock: w.HostClock, ClockOffset: w.ClockOffset,
		Host: w.Host, User: w.User, Dataset: w.Dataset, Class: w.Class,
		Tags: w.Tags, Mode: w.Mode, Parent: w.Parent, Devices: w.Devices, Stats: w.Stats, Version: w.Version,
		Completeness: w.Completeness, FaultCount: w.FaultCount, Policy: w.Policy,
		Lease: w.Lease, LeaseBegan: w.LeaseBegan, LeaseRenewed: w.LeaseRenewed, Seen: w.Seen, Suspect: w.Suspect,
	}
}
