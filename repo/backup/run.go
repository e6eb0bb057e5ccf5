package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"savepoint/internal/usage"
	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/source"
	"savepoint/repo/tree"
)

// lapseTries is how often a backup is run again after its session lapsed.
const lapseTries = 2

// damageTries is how many damaged packs a backup marks, each at the cost of another pass, before it gives up.
const damageTries = 20

// run is one attempt at a backup.
type run struct {
	o       Options
	r       *repo.Repo
	s       *repo.Session
	sources source.Options

	parent *repo.Snapshot // that the manifest names, or nil
	bases  []*base        // what files are compared with, newest first; none when all are read
	trees  *repo.TreeReader
	seq    uint64 // of this snapshot, by which files are drawn for the spot check
	spot   spotBudget

	started time.Time
	gate    *gate
	readers *usage.Crew // the workers
	lister  *usage.Crew // the walk
	faults  faults
	stats   counters
}

// Run backs the paths up into r and publishes a snapshot. Faults of the source are in the snapshot, not an error: the caller
// asks [Result.Faulty]. An error of the store ends the run, and then nothing more is published; what was
// stored is found by the next run. When the session lapsed, because this machine slept, the source is read again, but for what a checkpoint has.
//
// A long run publishes checkpoints ([Options.Checkpoint]): interrupted snapshots of what it has finished, which the next run goes on
// from when this one ends early. When ctx ends, a last one is published, within 20 seconds; Run returns ctx's error all the same.
//
// A second run of the same source on this host gets repo.ErrHeld at once.
//
// A pack of the parent's tree that turns out damaged is marked, and the source is read again without it: the new snapshot
// needs nothing of it. The result names such packs.
//
// A result that comes with an error means that the snapshot is published, and something after it went wrong.
func Run(ctx context.Context, r *repo.Repo, o Options) (*Result, error) {
	o = o.withDefaults(r)
	if err := o.validate(); err != nil {
		return nil, err
	}
	for _, p := range o.Paths { // so that a mistyped path leaves no trace in the repository
		root, err := source.OpenRoot(p)
		if err != nil {
			return nil, err
		}
		_ = root.Close() // was only looked at
	}
	release, err := r.LockSource(o.Dataset, o.Host)
	if err != nil {
		return nil, err
	}
	defer release()
	var damaged []string
	for lapses := 0; ; {
		var res *Result
		err := r.Write(ctx, o.Dataset, o.Host, func(ctx context.Context, s *repo.Session) error {
			var err error
			res, err = (&run{o: o, r: r, s: s}).do(ctx)
			return err
		})
		if res != nil {
			res.Damaged = damaged
		}
		switch {
		case errors.Is(err, repo.ErrLapsed) && lapses < lapseTries:
			lapses++
			r.Options().Logger.Warn("this machine slept during the backup; reading the source again", "err", err)
		case errors.Is(err, repo.ErrCorrupt) && res == nil && len(damaged) < damageTries:
			name, markErr := r.MarkDamaged(ctx, err)
			if name == "" || markErr != nil {
				return nil, errors.Join(err, markErr)
			}
			damaged = append(damaged, name)
			r.Options().Logger.Warn("a damaged pack was met and marked; reading the source again without it", "err", err)
		default:
			return res, err
		}
	}
}

func (b *run) do(ctx context.Context) (*Result, error) {
	b.started = b.o.Now()
	if err := b.chooseBases(ctx); err != nil {
		return nil, err
	}
	if b.o.Events.Parent != nil {
		b.o.Events.Parent(b.parent)
	}
	roots, err := b.readSource(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.s.Settle(ctx); err != nil {
		return nil, err
	}
	totals := b.s.Totals()
	m := b.manifest(roots, b.stats.stats(b.stats.tally, totals))
	if err := b.judge(ctx, m); err != nil {
		return nil, err
	}
	m.Stats.Nanoseconds = uint64(b.elapsed(b.started))
	snap, err := b.s.Commit(ctx, m)
	if err != nil {
		return nil, err
	}
	res := &Result{Snapshot: snap, Parent: b.parent, Totals: totals, Duration: b.elapsed(b.started), Tolerated: b.faults.forgiven(), Same: b.stats.tally.again}
	if err := b.report(ctx, res); err != nil {
		return res, fmt.Errorf("snapshot %s is published and restores, but its report is not stored: %w", snap.Short(), err)
	}
	return res, nil
}

// elapsed returns the time since t, at least zero: clocks are set back.
func (b *run) elapsed(t time.Time) time.Duration { return max(b.o.Now().Sub(t), 0) }

// readSource walks the paths and stores what is in them. It returns the roots of the snapshot.
func (b *run) readSource(ctx context.Context) ([]tree.Root, error) {
	b.sources = source.Options{Owners: source.NewOwners(), Devices: source.NewDeviceTable()}
	b.gate = newGate(b.o.Workers)
	caller := ctx
	ctx, over := b.outlast(caller)
	defer over()
	u := b.r.Options().Usage
	sealers := b.r.Options().Sealers // while none of them has room for a block, everybody waits
	u.Join(sealers)
	defer u.Leave(sealers)
	b.readers, b.lister = u.Readers(b.o.Workers), u.Walker()
	defer b.readers.End()
	defer b.lister.End()
	g, ctx := errgroup.WithContext(ctx)
	jobs := make(chan *batch, b.o.Workers)
	ordered := make(chan token, maxAhead)
	g.Go(func() error {
		defer close(jobs)
		defer close(ordered)
		return (&walker{run: b, jobs: jobs, ordered: ordered}).walk(ctx)
	})
	for range b.o.Workers {
		g.Go(func() error { return b.work(ctx, jobs) })
	}
	var roots []tree.Root
	g.Go(func() error {
		var err error
		roots, err = b.assemble(ctx, caller, ordered)
		return err
	})
	err := g.Wait()
	for j := range jobs { // what no worker took, after an error; the walk has closed it
		_ = j.release()
	}
	return roots, err
}

func (b *run) manifest(roots []tree.Root, stats tree.Stats) *tree.Manifest {
	m := &tree.Manifest{
		User: b.o.User, Class: b.o.Class, Roots: roots, Tags: b.o.Tags, Mode: b.o.Mode,
		Devices: b.sources.Devices.Devices(), Stats: stats, Policy: b.o.Policy,
		Chains: b.s.Chains(), Completeness: tree.Complete,
	}
	m.Faults, m.FaultCount = b.faults.list()
	if m.FaultCount > b.faults.forgiven() {
		m.Completeness = tree.WithFaults
	}
	if b.parent != nil {
		m.Parent = b.parent.Name
	}
	return m
}

// judge calls the snapshot suspect when it has less than is expected, or less than half of what the newest good one of the source had.
func (b *run) judge(ctx context.Context, m *tree.Manifest) error {
	m.Suspect = m.Stats.Files < b.o.ExpectFiles || m.Stats.FileBytes < b.o.ExpectBytes
	mine, err := b.s.Source(ctx)
	if err != nil || b.o.AllowShrink {
		return err
	}
	for _, old := range mine {
		if old.Restorable() && !old.Suspect {
			m.Suspect = m.Suspect || shrunk(m.Stats.FileBytes, old.Stats.FileBytes) || shrunk(m.Stats.Files, old.Stats.Files)
			return nil
		}
	}
	return nil
}

// shrunk reports whether now is less than half of what was.
func shrunk(now, was uint64) bool { return now < was-was/2 }

func (b *run) report(ctx context.Context, res *Result) error {
	stats, err := tree.EncodeStats(&res.Snapshot.Stats)
	if err != nil {
		return err
	}
	rep := &record.Report{Kind: record.BackupReport, Ran: [2]int64{b.s.Began().UnixNano(), res.Snapshot.Stored.UnixNano()},
		Manifest: res.Snapshot.Name, Published: res.Snapshot.Stored.UnixNano(), Stats: stats}
	if res.Faulty() {
		rep.Exit = 3
		rep.Message = fmt.Sprintf("%d faults", res.Snapshot.FaultCount)
	}
	return b.r.PutReport(ctx, b.o.Dataset, b.o.Host, rep)
}

// Faulty reports whether the source gave less than a complete snapshot, or something about it looks wrong: exit code 3.
func (res *Result) Faulty() bool {
	m := res.Snapshot
	return m.Completeness != tree.Complete || m.Suspect || m.Stats.RereadDifferent > 0
}
