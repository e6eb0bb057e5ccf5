package backup

import (
	"io"
	"time"

	"savepoint/internal/usage"
)

const (
	// probeEvery is how many entries have one whose calls are timed, for all of them: looking at the clock for each would take longer than
	// some of the calls. It has no factor in common with batchLen, so that the first of a batch, which may wait for the others, comes as often
	// as they do.
	probeEvery = 7
	probeSize  = 1 << 20 // of files whose every read is timed
)

// probe times what a worker spends in calls of the source's file system. It is the reader of the file that is being read.
type probe struct {
	crew   *usage.Crew
	r      io.Reader
	n      int
	weight time.Duration // how many calls one stands for; 0: it is not timed
}

// next begins an entry.
func (p *probe) next() {
	p.n++
	if p.weight = 0; p.n%probeEvery == 0 {
		p.weight = probeEvery
	}
}

// file begins to read a file of a size.
func (p *probe) file(size uint64) {
	if size >= probeSize {
		p.weight = 1
	}
}

func (p *probe) begin() time.Duration {
	if p.weight == 0 {
		return 0
	}
	return p.crew.Clock()
}

func (p *probe) end(began time.Duration) {
	if p.weight != 0 {
		p.crew.Spent(p.weight * (p.crew.Clock() - began))
	}
}

// Read implements io.Reader.
func (p *probe) Read(b []byte) (int, error) {
	began := p.begin()
	n, err := p.r.Read(b)
	p.end(began)
	return n, err
}
