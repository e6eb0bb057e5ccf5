package tree

import (
	"fmt"

	"savepoint/internal/wire"
)

// Stats counts what a run did. The keys are those of docs/format.md section
// 12, the same in manifests and in reports.
type Stats struct {
	Files           uint64 `cbor:"1,keyasint,omitempty"`
	Directories     uint64 `cbor:"2,keyasint,omitempty"`
	Others          uint64 `cbor:"3,keyasint,omitempty"`  // entries that are neither
	FileBytes       uint64 `cbor:"4,keyasint,omitempty"`  // sizes added up
	ChangedFiles    uint64 `cbor:"5,keyasint,omitempty"`  // or new
	UnchangedFiles  uint64 `cbor:"6,keyasint,omitempty"`  // not opened
	ReadBytes       uint64 `cbor:"7,keyasint,omitempty"`  // from the source
	NewChunks       uint64 `cbor:"8,keyasint,omitempty"`  // of data
	NewBytes        uint64 `cbor:"9,keyasint,omitempty"`  // of these, plain
	NewPackBytes    uint64 `cbor:"10,keyasint,omitempty"` // data packs as stored
	NewTreeBytes    uint64 `cbor:"11,keyasint,omitempty"` // new pages and nodes, plain
	NewTreePack     uint64 `cbor:"12,keyasint,omitempty"` // bytes of meta packs as stored
	Nanoseconds     uint64 `cbor:"13,keyasint,omitempty"` // of the run
	RereadFiles     uint64 `cbor:"14,keyasint,omitempty"` // to check that unchanged means unchanged
	RereadDifferent uint64 `cbor:"15,keyasint,omitempty"` // of these
}

// EncodeStats returns the counts as reports carry them.
func EncodeStats(s *Stats) ([]byte, error) { return wire.Marshal(s) }

// DecodeStats reads the counts that a report carries; none are zeros. Errors are those of package wire.
func DecodeStats(b []byte) (*Stats, error) {
	s := new(Stats)
	if len(b) == 0 {
		return s, nil
	}
	if err := wire.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("counts: %w", err)
	}
	return s, nil
}
