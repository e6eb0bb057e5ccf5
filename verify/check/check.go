package check

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/verify"
)

// Options of Run. The zero value looks at the structure alone.
type Options struct {
	// ReadData is how much of the packs' stored bytes is read back.
	ReadData Amount
	// Scope is the part that is looked at. Shares of ReadData are of its packs.
	Scope Scope
	// Budget ends reading back before ReadData does. One of time counts from the beginning of the run; packs that are on their way then are
	// still read, and one at least always is.
	Budget Budget
	// Events are called as it goes.
	Events Events
	// Now is the host's clock; nil is time.Now.
	Now func() time.Time
	// Run is the ID of the run, and Program the program's version, for the document.
	Run, Program string
	// Folder says that the repository lies in a folder, where what is lost comes back in other ways than in a bucket.
	Folder bool
	// Host is the one in whose name the report is stored.
	Host string
	// Temp is the folder for what does not fit into memory; empty is the system's.
	Temp string
	// Logger gets what a user should know of but need not act on; nil drops it.
	Logger *slog.Logger
	// Command returns a command of this program as a person types it, with what it needs to reach this repository; nil is the words with
	// blanks between them.
	Command func(args ...string) string

	// set is how many bytes of prefixes each set keeps in memory; 0 is setBytes. Tests take less.
	set int64
}

const setBytes = 32 << 20

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.Command == nil {
		o.Command = plainCommand
	}
	o.Command = marking(o.Command)
	o.set = cmp.Or(o.set, setBytes)
	return o
}

// Events are functions that follow a run; nil ones are not called. They are called by many goroutines.
type Events struct {
	// Phase begins a part of the run: "objects", "index", "packs", "trees", "data" or "cost". The total is how many steps it has: packs for "packs", bytes
	// for "data", snapshots for "cost"; 0: not known.
	Phase func(name string, total uint64)
	// Step counts what was done of it.
	Step func(n uint64)
}

func (e Events) phase(name string, total uint64) {
	if e.Phase != nil {
		e.Phase(name, total)
	}
}

func (e Events) step(n uint64) {
	if e.Step != nil {
		e.Step(n)
	}
}

// ErrReport marks the error of a run whose result is known, but could not be stored as a report: the next run does not know
// what this one read back.
var ErrReport = errors.New("the report of this verification could not be stored")

// Run verifies a repository and stores a report. What is wrong with the repository is in the document; an object that the store does not give
// is there as unreadable, and the exit code says so. An error that does not wrap ErrReport says that the run ended early: then there is
// a document, which says that it is not complete, if anything was found until then. What was read back is in a report either way.
func Run(ctx context.Context, r *repo.Repo, o Options) (*verify.CheckDocument, error) {
	o = o.withDefaults()
	c := &checker{r: r, o: o, began: o.Now()}
	defer c.close()
	err := r.Inspect(ctx, func(ctx context.Context, x *repo.Inspection) error {
		c.x = x
		stopped := c.run(ctx)
		if c.doc = c.document(ctx, stopped); stopped != nil && len(c.doc.Findings) == 0 {
			c.doc = nil
		}
		if err := c.report(ctx, stopped); err != nil {
			return errors.Join(stopped, ErrReport, err)
		}
		return stopped
	})
	return c.doc, err
}

// checker is one run.
type checker struct {
	r     *repo.Repo
	x     *repo.Inspection
	o     Options
	began time.Time // host clock

	// How far the run came.
	indexed   bool // the index was read
	walked    bool // all trees were visited
	read      bool // packs were read back, as far as was asked for, or their reading was broken off
	confirmed bool // the index was listed again, and is the same: what is missing is missing
	weighed   bool // what damage costs was worked out

	findings     findings
	counts       verify.Structure
	objects      objects
	packs        packTable
	badSegments  []segmentNote
	blindIndex   [kinds]bool      // a segment could not be read, and may locate what no other does
	indexVersion int              // of the listing that was read
	reach        [kinds]*prefixes // chunks that listed snapshots reach
	places       [kinds]*prefixes // chunks that segments in force locate in packs that count
	trees        *repo.TreeLook
	keys         keying
	pages        visits
	readBack     readResult
	bill         bill // what damage costs
	marks        repo.MarkedPacks
	unmarked     error // why packs could not be marked
	doc          *verify.CheckDocument
}

// storageNow returns the storage time: that at which the lease began, and what passed since.
func (c *checker) storageNow() time.Time {
	return c.x.Began.Add(c.o.Now().Sub(c.began))
}

func (c *checker) close() {
	for k := range c.reach {
		for _, s := range []*prefixes{c.reach[k], c.places[k]} {
			if s == nil {
				continue
			}
			if err := s.close(); err != nil {
				c.o.Logger.Debug("temporary file could not be closed", "err", err)
			}
		}
	}
}

// run does the work. An error says why it ended early.
func (c *checker) run(ctx context.Context) error {
	c.keys = newKeying()
	c.packs.at = map[record.PackRef]int32{}
	c.pages = newVisits()
	c.bill = newBill()
	for k := range c.reach {
		c.reach[k] = newPrefixes(c.o.set, c.o.Temp)
	}
	stopped := c.look(ctx)
	switch {
	case stopped == nil:
		stopped = c.weigh(ctx)
	case ctx.Err() == nil && !errors.Is(stopped, repo.ErrStoreDown) && c.indexed && c.walked:
		if err := c.weigh(ctx); err != nil {
			c.o.Logger.Debug("what the damage costs could not be found out", "err", err)
		}
	default:
		c.blame()
	}
	return c.settle(ctx, stopped)
}

// look looks at everything.
func (c *checker) look(ctx context.Context) error {
	c.o.Events.phase("objects", 0)
	err := c.x.Look(ctx)
	if err == nil {
		if err := c.findScope(); err != nil {
			return err
		}
	}
	c.takeListed()
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{c.lookAtObjects, c.lookAtIndex, c.walkTrees, c.compareReached, c.readPacksBack} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settle does what is left at the end, however it came: packs that are damaged are marked.
func (c *checker) settle(ctx context.Context, stopped error) error {
	within, cancel := lingering(ctx, stopped != nil)
	defer cancel()
	if !c.confirmed && c.packs.bad > 0 && c.indexed {
		if _, err := c.confirm(within); err != nil {
			c.o.Logger.Debug("what is missing could not be looked for again", "err", err)
		}
	}
	c.mark(within)
	if stopped == nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return stopped
}

// lingering returns a context that ends some time after ctx, or at most that time from now on.
func lingering(ctx context.Context, now bool) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var timer atomic.Pointer[time.Timer]
	begin := func() { timer.Store(time.AfterFunc(reportWithin, cancel)) }
	stop := func() bool { return true }
	if now {
		begin()
	} else {
		stop = context.AfterFunc(ctx, begin)
	}
	return out, func() {
		stop()
		if t := timer.Load(); t != nil {
			t.Stop()
		}
		cancel()
	}
}

// readPacksBack reads back as much as was asked for.
func (c *checker) readPacksBack(ctx context.Context) error {
	var err error
	l := newLedger(c.objects.reports, c.storageNow())
	c.objects.reports = nil
	packs, unread := c.packs.readable()
	c.readBack, err = readBack(ctx, c.x.Reader(), packs, l, readOptions{Amount: c.o.ReadData, Events: c.o.Events, Now: c.storageNow, Unread: unread,
		Budget: c.o.Budget, Began: c.x.Began, Covers: c.coversPack})
	c.read = true
	for _, f := range c.readBack.Damaged {
		c.packs.damage(record.PackRef{Kind: f.Kind, ID: f.ID}, CodePackDamaged, f.Err, true)
	}
	for _, f := range c.readBack.Failed {
		if !repo.Unread(f.Err) && !errors.Is(f.Err, repo.ErrStoreDown) && ctx.Err() == nil {
			c.findings.add(verify.Finding{Code: CodeUnreadable, Object: f.Name(), Message: message(f.Err), Harm: verify.Unknown,
				Next: newerFirst(f.Err, c.o.Command("verify", "--read-data=all"))})
		}
	}
	for _, f := range c.readBack.Unsteady {
		c.findings.add(verify.Finding{Code: CodeUnsteady, Object: f.Name(), Message: message(f.Err), Harm: verify.Risk,
			Next: "test the network, the disk and the memory between this host and the repository; then " + c.o.Command("verify", "--read-data=all")})
	}
	return err
}
