package chunk

import (
	"crypto/subtle"

	"github.com/restic/chunker"
)

const (
	// mask joins every byte by XOR before the library sees it, and is part of
	// the repository format. A run of 64 bytes equal to mask always is a cut: the
	// hash of 64 zero bytes is 0. Runs of 0x00, which is what comes without a
	// mask, and of 0xFF, which the complement makes of it, fill the holes of
	// database pages; 0xA7 seldom fills anything. docs/decisions/0002-chunking.md
	// has the figures.
	mask = 0xA7

	// scratchSize is how many bytes are masked at a time: few, since a cut makes
	// the rest of a piece useless; not too few, since each piece costs a call.
	scratchSize = 4 << 10
)

// Cutter finds where chunks end. One goroutine may use it at a time.
type Cutter struct {
	p     Params
	rabin *rabin // nil for Fixed
}

// rabin is the state of the rolling hash and room for masked bytes.
type rabin struct {
	state, fresh   chunker.BaseChunker // fresh: at the start of a chunk
	scratch, masks [scratchSize]byte
}

// NewCutter returns a Cutter for p, which [Params.Validate] has found valid:
// it panics where the sizes are not, or there is no polynomial.
func NewCutter(p Params) *Cutter {
	if err := p.validateSizes(); err != nil {
		panic("chunk: cutter for invalid parameters: " + err.Error())
	}
	c := &Cutter{p: p}
	if p.Kind == Fixed {
		return c
	}
	pol := chunker.Pol(p.Polynomial)
	if pol.Deg() != degree {
		panic("chunk: cutter without a polynomial")
	}
	c.rabin = &rabin{fresh: *chunker.NewBase(pol,
		chunker.WithBaseBoundaries(uint(p.Min), uint(p.Max)),
		chunker.WithBaseAverageBits(int(p.Bits)))}
	for i := range c.rabin.masks {
		c.rabin.masks[i] = mask
	}
	return c
}

// Max returns the length that no chunk exceeds, in bytes.
func (c *Cutter) Max() int { return c.p.max() }

// Cut returns the length of the first chunk of buf, or 0 if that depends on
// bytes that follow. atEOF says that none follow. With [Cutter.Max] bytes, or
// with any at the end, the answer is never 0.
//
// The answer depends on nothing but the bytes: not on earlier calls, nor on
// how much more than the chunk buf holds. A call that answers 0 has looked at
// all of buf, and the next one starts over: grow buf by much, best to Max.
func (c *Cutter) Cut(buf []byte, atEOF bool) int {
	buf = buf[:min(len(buf), c.Max())]
	n := 0
	switch {
	case len(buf) == c.Max() && c.rabin == nil:
		n = c.Max()
	case c.rabin != nil && (len(buf) > int(c.p.Min) || len(buf) == int(c.p.Min) && !atEOF):
		n = c.rabin.cut(buf, int(c.p.Min))
	}
	if n == 0 && atEOF {
		return len(buf)
	}
	return n
}

// cut returns the length of the first chunk of buf, or 0 if it does not end in
// buf; buf holds low bytes or more, and no more than the longest chunk.
func (r *rabin) cut(buf []byte, low int) int {
	// The state goes on until it cuts, so it must start afresh here.
	r.state = r.fresh
	// It counts these bytes and does not look at them.
	off := low - window
	r.state.NextSplitPoint(buf[:off])
	for off < len(buf) {
		n := subtle.XORBytes(r.scratch[:], buf[off:], r.masks[:])
		if i := r.state.NextSplitPoint(r.scratch[:n]); i >= 0 {
			return off + i
		}
		off += n
	}
	return 0
}
