package check

import (
	"context"
	"errors"
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

// report stores what the run came to. One that failed or was interrupted stores what it read back, if anything, without a document.
func (c *checker) report(ctx context.Context, failed error) error {
	if failed != nil && len(c.readBack.Whole) == 0 {
		return nil
	}
	rep := &record.Report{Kind: record.VerifyReport, Ran: [2]int64{c.x.Began.UnixNano(), c.storageNow().UnixNano()}, ReadBack: c.readBack.Whole}
	switch {
	case failed == nil:
		rep.Exit = uint8(c.doc.ExitCode)
		var err error
		if rep.Document, err = encode(c.doc); err != nil {
			return err
		}
	case ctx.Err() != nil, errors.Is(failed, context.Canceled):
		rep.Exit, rep.Message = exitInterrupted, "interrupted"
	default:
		rep.Exit, rep.Message = exitFailed, oneLine(failed)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportWithin)
	defer cancel()
	err := c.r.PutReport(ctx, "", c.o.Host, rep)
	if err != nil && failed != nil {
		c.o.Logger.Warn("what was read back could not be noted; the next run reads it again", "err", err)
	}
	return err
}

// encode returns the document as JSON. Of one that is too long it leaves out paths, then snapshots and findings.
func encode(d *verify.CheckDocument) ([]byte, error) {
	for most := maxPaths; ; most /= 4 {
		b, err := verify.Encode(d)
		if err == nil || most == 0 {
			return b, err
		}
		short := *d
		short.Hit = nil
		for _, h := range d.Hit {
			h.Paths = h.Paths[:min(len(h.Paths), most/4)]
			short.Hit = append(short.Hit, h)
		}
		d = &short
	}
}
