package check

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"savepoint/repo/pack"
)

// Shard is one of several parts into which the packs of a repository are divided by their names alone: each pack belongs to one of them,
// today and whatever else is stored later. The zero value is all packs. Shards can be compared with ==.
type Shard struct{ number, of uint16 } // 1 to of

// MaxShards is into how many parts packs can be divided.
const MaxShards = 1000

// ParseShard reads one of N parts, as 3/16: the third of sixteen.
func ParseShard(s string) (Shard, error) {
	a, b, ok := strings.Cut(s, "/")
	number, err := parsePart(a)
	of, ofErr := parsePart(b)
	if !ok || err != nil || ofErr != nil || number > of {
		return Shard{}, fmt.Errorf("shard %.60q: one of several, such as 3/16, from 1/16 to 16/16; of %d at most", s, MaxShards)
	}
	return Shard{number, of}, nil
}

// parsePart reads a number as String writes it: no two texts are one shard.
func parsePart(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err == nil && (n == 0 || n > MaxShards || strconv.FormatUint(n, 10) != s) {
		err = strconv.ErrRange
	}
	return uint16(n), err
}

// IsZero reports whether the shard is all packs.
func (s Shard) IsZero() bool { return s == Shard{} }

// String returns what ParseShard reads; all packs are the empty string.
func (s Shard) String() string {
	if s.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.number, s.of)
}

// Has reports whether a pack belongs to the shard. IDs are hashes, and their first eight bytes are a fraction of all of them: shard k of n has
// those from (k-1)/n up to k/n. So 2/4 is the second half of 1/2.
func (s Shard) Has(id pack.ID) bool {
	if s.IsZero() {
		return true
	}
	part, _ := bits.Mul64(binary.BigEndian.Uint64(id[:8]), uint64(s.of))
	return part == uint64(s.number-1)
}
