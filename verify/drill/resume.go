package drill

import (
	"context"
	"errors"
	"fmt"

	"savepoint/repo/restore"
	"savepoint/verify"
)

// resume makes a first backup of what came back, if that is wanted and it is good: an incident is over when data is safe again. It is no part
// of the recovery's time, and says nothing of the snapshot: what fails in it is a reason, and no damage.
func (x *run) resume(ctx context.Context) {
	d := x.doc
	if x.o.Resume == nil || x.res == nil || lossy(d) || probeFailed(d) {
		return
	}
	d.Resume = &verify.Resume{}
	defer x.watch.lap("")
	// What is there takes no more room in a repository, but for what a repository is beside its data.
	err := x.o.checkSpace(x.scratch.path, restore.Plan{Bytes: d.Restored.Bytes})
	if err == nil {
		began := x.o.Now()
		d.Resume.Files, d.Resume.Bytes, err = x.o.Resume(ctx, x.scratch.restored(), x.scratch.resumed())
		d.Resume.Seconds = x.o.Now().Sub(began).Seconds()
	}
	if err == nil && d.Resume.Files < d.Restored.Files {
		err = fmt.Errorf("it has %s of %d", count(d.Resume.Files, "file", "files"), d.Restored.Files)
	}
	late := errors.Is(context.Cause(ctx), errTooLong)
	if err != nil && late {
		err = fmt.Errorf("%w: it was ended after %s, all had come back", errTooLong, AgeText(x.o.MaxDuration))
	}
	if err != nil && (late || ctx.Err() == nil) {
		d.Resume.Message = oneLine(err)
		x.later(fmt.Errorf("a first backup of what came back failed: %w", err))
		return
	}
	d.Resume.Passed = err == nil
	if removed := removeAll(x.scratch.resumed(), ""); removed != nil {
		x.later(errors.Join(errors.New("the repository of the first backup could not be removed"), removed))
	}
}
