package restore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// Run restores what sel wants of a snapshot. The caller holds a reader's lease ([repo.Repo.Read]) from before it chose the
// snapshot, so that nothing is deleted meanwhile.
//
// The result is nil only if nothing was begun. With damage in the repository everything else is restored, and the error wraps
// repo.ErrCorrupt. Errors of the target are a [*TargetError] or [ErrNotEmpty].
func Run(ctx context.Context, r *repo.Repo, snap *repo.Snapshot, sel Selection, o Options) (*Result, error) {
	o = o.withDefaults(r)
	if err := o.validate(); err != nil {
		return nil, err
	}
	j := &job{r: r, o: o, res: &Result{}, rec: &outcome{}, began: o.Now()}
	src, err := r.Trees(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	j.src = src
	j.phase("index")
	if err := j.prepare(ctx, snap, sel); err != nil {
		return nil, err
	}
	defer j.t.dir.Close()
	defer j.p.dirs.close()
	err = j.do(ctx)
	if err != nil {
		_ = j.w.closeAll() // the error that ended the run is the one to tell
	}
	j.rec.fill(j.res, j.p.origin)
	j.p.met.cut = j.p.met.cut || err != nil
	j.res.Lost = j.rec.loss(&j.p.nodes, j.p.met, sel.all(snap))
	if err != nil {
		return j.res, advise(err, j.t.path, j.t.marker)
	}
	return j.res, damageError(j.res.Damaged)
}

// job is one run.
type job struct {
	r     *repo.Repo
	o     Options
	res   *Result
	rec   *outcome
	t     *target
	p     *plan
	w     *writer
	src   tree.Source
	items []item
	want  func(*tree.Entry) bool
	began time.Time
}

// prepare finds out what is wanted and where it goes, and puts the marker there. Nothing is changed before it is known that there is
// something to restore.
func (j *job) prepare(ctx context.Context, snap *repo.Snapshot, sel Selection) error {
	var err error
	if j.items, err = sel.items(ctx, j.src, snap); err != nil {
		return err
	}
	j.want = sel.Want
	marker := markerFor(ctx, j.src, j.items)
	if err := ctx.Err(); err != nil {
		return err
	}
	if j.t, err = openTarget(j.o.Target); err != nil {
		return err
	}
	if err := j.t.begin(marker, fmt.Sprintf("Snapshot %s of %s", snap.Short(), snap.Source())); err != nil {
		_ = j.t.dir.Close()
		return err
	}
	j.p = newPlan(j.t.path, j.rec)
	j.p.dirs = newDirs(j.p, j.t.fd())
	_, n := j.p.nodes.add()
	*n = node{kind: tree.Directory, flags: flagKeep}
	j.w = &writer{p: j.p, t: j.t, rec: j.rec, dirs: j.p.dirs, files: newFiles()}
	return nil
}

func (j *job) do(ctx context.Context) error {
	walk := newWalker(j.p, j.p.dirs, j.src)
	walk.want = j.want
	if err := walk.items(ctx, j.items); err != nil {
		return err
	}
	j.phase("plan")
	if err := j.p.locate(ctx, j.r); err != nil {
		return err
	}
	j.phase("index")
	runs := j.p.schedule(j.p.all())
	j.phase("plan")
	planned := j.p.summary(runs)
	if j.o.Events.Planned != nil {
		j.o.Events.Planned(planned)
	}
	if j.o.Approve != nil {
		if err := j.o.Approve(planned); err != nil {
			return err
		}
	}
	t := &transfer{r: j.r, p: j.p, w: j.w, o: j.o}
	if err := t.do(ctx, runs); err != nil {
		return err
	}
	j.phase("transfer")
	defer j.phase("metadata")
	defer j.r.Options().Usage.Writing()()
	if err := j.w.finish(ctx, j.o.Workers); err != nil {
		return err
	}
	// Everything is durable before the marker goes; what is done after that is the target's own metadata.
	if err := j.t.sync(ctx); err != nil {
		return err
	}
	if err := j.t.end(); err != nil {
		return err
	}
	if err := j.w.root(); err != nil {
		return err
	}
	return j.t.flush()
}

// phase ends a phase, or a part of one.
func (j *job) phase(name string) {
	now := j.o.Now()
	part := Phase{name, now.Sub(j.began)}
	j.began = now
	i := slices.IndexFunc(j.res.Phases, func(p Phase) bool { return p.Name == name })
	if i < 0 {
		j.res.Phases = append(j.res.Phases, part)
	} else {
		j.res.Phases[i].Duration += part.Duration
	}
	if j.o.Events.Phase != nil {
		j.o.Events.Phase(part)
	}
}

// damageError returns an error that wraps repo.ErrCorrupt and names the first of what is damaged, or nil.
func damageError(all []Damage) error {
	if len(all) == 0 {
		return nil
	}
	first := all[0]
	return fmt.Errorf("%d entries of the snapshot could not be restored and are not in the target, all others are; the first is %q: %w",
		len(all), first.Path, first.Err)
}
