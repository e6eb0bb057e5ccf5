// Package wire is the strict subset of CBOR that all encoded parts of a
// repository use (docs/format.md section 4).
//
// There is one encoding for each value: shortest integers and lengths, maps
// with integer keys in ascending order, no floats, tags, indefinite lengths or
// simple values but false and true, at most [MaxDepth] arrays and maps
// within each other. Nothing else is read, so what was decoded and is encoded
// again has the same bytes.
//
// [Marshal] and [Unmarshal] work by reflection and are for small objects.
// The Append functions and [Reader] are for codecs written by hand, where
// speed counts. Neither allocates by what a length claims: every length is
// held against the bytes that are there first.
package wire

import "errors"

// MaxDepth is how many arrays and maps may lie within each other.
const MaxDepth = 16

// FirstOptional is the first map key that may be ignored by a reader that does
// not know it. Keys below are critical.
const FirstOptional = 64

var (
	// ErrMalformed marks bytes that are not of the subset, or not of the type asked for.
	ErrMalformed = errors.New("malformed encoding")
	// ErrNewer marks a critical field that this program does not know.
	ErrNewer = errors.New("a newer program wrote this")
)

const (
	majorUint   = 0
	majorNegint = 1
	majorBytes  = 2
	majorText   = 3
	majorArray  = 4
	majorMap    = 5
	majorSimple = 7
)

const (
	simpleFalse = majorSimple<<5 | 20
	simpleTrue  = majorSimple<<5 | 21
)
