package drill

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"math"
	"strconv"
	"strings"

	"savepoint/internal/bytesize"
	"savepoint/repo"
	"savepoint/repo/tree"
)

// Sample is a part of a snapshot's files. Whole files are drawn, each by itself, with the same likelihood: so a sample of some
// bytes has about that many when files are many, and may be far off when few are large. Every run draws others.
type Sample struct {
	// Share of the files, above 0 and at most 1. Zero: Bytes says.
	Share float64
	// Bytes that are to be restored, about. Zero, and no Share: all.
	Bytes uint64
}

// All reports whether nothing is left out.
func (s Sample) All() bool { return s.Share == 0 && s.Bytes == 0 || s.Share >= 1 }

// larger returns a sample of 16 times as many files, for when one came out empty: that would prove nothing.
func (s Sample) larger() Sample {
	if s.Bytes > 0 {
		return Sample{Bytes: min(s.Bytes, math.MaxUint64/16) * 16}
	}
	return Sample{Share: min(1, 16*s.Share)}
}

// of returns which files of a snapshot are in the sample that a run draws; nil: all.
func (s Sample) of(snap *repo.Snapshot, run string) func(*tree.Entry) bool {
	share := s.Share
	if s.Bytes > 0 {
		share = float64(s.Bytes) / float64(max(snap.Stats.FileBytes, 1))
	}
	if s.All() || share >= 1 {
		return nil
	}
	below := uint64(share * math.MaxUint64)
	return func(e *tree.Entry) bool { return lot(run, e) < below }
}

// lot draws a number for a file. It depends on the run, and on what all names of the file have in common.
func lot(run string, e *tree.Entry) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, run) // a hash takes all
	var b []byte
	if e.Link != nil {
		b = binary.BigEndian.AppendUint32(b, e.Link.Device)
		b = binary.BigEndian.AppendUint64(b, e.Link.Inode)
	} else {
		b = append(b, e.Name...)
		b = binary.BigEndian.AppendUint64(b, uint64(e.MTime))
		b = binary.BigEndian.AppendUint64(b, e.Size)
		if len(e.Content) > 0 {
			b = append(b, e.Content[0].ID[:]...)
		}
	}
	_, _ = h.Write(b)
	return mix(h.Sum64())
}

// mix spreads a hash whose low bits are better than its high ones over all of them: the last steps of MurmurHash3 (A. Appleby, public domain).
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// text is the sample as it is typed; empty for all.
func (s Sample) text() string {
	switch {
	case s.All():
		return ""
	case s.Share > 0:
		return strconv.FormatFloat(100*s.Share, 'g', 4, 64) + "%"
	}
	text := bytesize.Format(int64(min(s.Bytes, math.MaxInt64)))
	if strings.Trim(text, "0123456789") == "" {
		text += "B"
	}
	return text
}
