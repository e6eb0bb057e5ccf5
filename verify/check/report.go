package check

import (
	"context"
	"time"

	"savepoint/repo/record"
	"savepoint/verify"
)

// Exit codes, as reports carry them.
const (
	exitFailed      = 1
	exitDamage      = 4
	exitInterrupted = 130
)

// reportWithin is how long storing the report of an interrupted run may take.
const reportWithin = 30 * time.Second

// report stores what the run came to. One that ended early and found nothing stores what it read back, if anything, without a document.
func (c *checker) report(ctx context.Context, stopped error) error {
	if c.doc == nil && len(c.readBack.Whole) == 0 {
		return nil
	}
	rep := &record.Report{Kind: record.VerifyReport, Ran: [2]int64{c.x.Began.UnixNano(), c.storageNow().UnixNano()}, ReadBack: c.readBack.Whole}
	if stopped != nil {
		rep.Exit, rep.Message = uint8(c.exitCode(ctx, stopped)), reason(ctx, stopped)
	}
	if c.doc != nil {
		rep.Exit = uint8(c.doc.ExitCode)
		c.doc.Usage = verify.UsageOf(c.r.Options().Usage)
		var err error
		if rep.Document, err = encode(c.doc); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportWithin)
	defer cancel()
	err := c.r.PutReport(ctx, "", c.o.Host, rep)
	if err != nil && c.doc == nil {
		c.o.Logger.Warn("what was read back could not be noted; the next run reads it again", "err", err)
		return nil
	}
	return err
}

// encode returns the document as JSON. Of one that is too long it leaves out paths first, then of all lists what is last in them: the
// counts say how much there was.
func encode(d *verify.CheckDocument) ([]byte, error) {
	for most := verify.MaxListed; ; most /= 2 {
		b, err := verify.Encode(d)
		if err == nil || most == 0 {
			return b, err
		}
		less := *d
		less.Findings = d.Findings[:min(len(d.Findings), most)]
		less.Marked = d.Marked[:min(len(d.Marked), most)]
		less.Hit = []verify.Hit{}
		for _, h := range d.Hit[:min(len(d.Hit), most)] {
			h.Paths = h.Paths[:min(len(h.Paths), most/100)]
			less.Hit = append(less.Hit, h)
		}
		d = &less
	}
}
