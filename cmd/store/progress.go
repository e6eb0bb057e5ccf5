package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"savepoint/internal/when"
	"savepoint/repo/restore"
)

// progress is a bar on a terminal, with entries, bytes, rate and the time left; elsewhere it is nothing. Its counters may be
// added to by many goroutines.
type progress struct {
	entries, ofEntries atomic.Uint64
	bytes, ofBytes     atomic.Uint64 // ofBytes 0: not known

	unit  string    // of entries
	last  string    // what is done when all of them are; "": nothing
	sizes bool      // bytes are counted as well
	until time.Time // when it ends however much is left; zero: it does not

	a     *app
	bars  *mpb.Progress
	bar   *mpb.Bar
	began time.Time
}

// barParts is what a bar is divided into, however much there is to do: one part more, which it never reaches, is not seen.
const barParts = 1 << 20

// newProgress puts up a bar unless nobody would see it. The caller ends it.
func (a *app) newProgress(what string) *progress {
	return a.newProgressOf(what, "entries", true, time.Time{})
}

// newProgressOf is newProgress for what counts something else, or no bytes, or ends at a time.
func (a *app) newProgressOf(what, unit string, sizes bool, until time.Time) *progress {
	p := &progress{a: a, began: a.now(), unit: unit, sizes: sizes, until: until}
	if !a.err.terminal || a.g.quiet || a.g.logFormat == "json" {
		return p
	}
	p.bars = mpb.New(mpb.WithOutput(sized(a.err.w)), mpb.WithRefreshRate(200*time.Millisecond), mpb.WithAutoRefresh())
	p.bar = p.bars.New(0, mpb.BarStyle(), mpb.BarWidth(24), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(what+" ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + p.text(p.a.now()) })))
	a.err.divert(p.bars)
	return p
}

// sized returns what to draw bars on. A terminal that nobody told its size, as script(1) and some remote shells make, says that it has
// no columns, and nothing would be drawn: it is taken for one of the usual 80.
func sized(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return w
	}
	if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
		return w
	}
	return struct{ io.Writer }{w}
}

// done returns how much of the work is done and how much there is: bytes where their number is known, else entries.
func (p *progress) done() (n, of uint64) {
	if of := p.ofBytes.Load(); of > 0 {
		return min(p.bytes.Load(), of), of
	}
	of = p.ofEntries.Load()
	return min(p.entries.Load(), of), of
}

// update moves the bar.
func (p *progress) update() {
	if p.bar == nil {
		return
	}
	n, of := p.done()
	p.bar.SetTotal(barParts+1, false) // it is complete when end says so
	p.bar.SetCurrent(int64(barParts * float64(n) / float64(max(of, 1))))
}

// text is what stands beside the bar.
func (p *progress) text(now time.Time) string {
	s := humanize.Comma(int64(p.entries.Load()))
	if of := p.ofEntries.Load(); of > 0 {
		s += " of " + humanize.Comma(int64(of))
	}
	s += " " + p.unit
	bytes := p.bytes.Load()
	if p.sizes {
		s += ", " + sizeText(bytes)
	}
	if of := p.ofBytes.Load(); of > 0 {
		s += " of " + sizeText(of)
	}
	if n, of := p.done(); p.last != "" && of > 0 && n == of {
		s += ", " + p.last
	}
	passed := now.Sub(p.began)
	if passed < time.Second {
		return s
	}
	if p.sizes {
		s += ", " + sizeText(uint64(float64(bytes)/passed.Seconds())) + "/s"
	}
	if n, of := p.done(); n > 0 && of > n {
		left := time.Duration(float64(passed) * float64(of-n) / float64(n))
		if !p.until.IsZero() {
			left = min(left, p.until.Sub(now))
		}
		s += fmt.Sprintf(", %s left", max(left, time.Second).Round(time.Second))
	}
	return s
}

// end takes the bar down.
func (p *progress) end() {
	if p.bars == nil {
		return
	}
	p.a.err.divert(nil)
	p.bar.Abort(true)
	p.bars.Wait()
}

// durationText rounds a duration to what a person wants to read.
func durationText(d time.Duration) string {
	switch {
	case d > 0 && d < time.Millisecond:
		return when.ShortSpan(d)
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// planned and restored follow a restore.
func (p *progress) planned(plan restore.Plan) {
	p.ofEntries.Store(plan.Files)
	p.ofBytes.Store(plan.Bytes)
	p.update()
}

func (p *progress) restored(done restore.Progress) {
	p.entries.Store(done.Files)
	p.bytes.Store(done.Bytes)
	p.update()
}
