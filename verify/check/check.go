package check

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/verify"
)

// Options of Run. The zero value looks at the structure alone.
type Options struct {
	// ReadData is how much of the packs' stored bytes is read back.
	ReadData Amount
	// Events are called as it goes.
	Events Events
	// Now is the host's clock; nil is time.Now.
	Now func() time.Time
	// Run is the ID of the run, and Program the program's version, for the document.
	Run, Program string
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
	o.set = cmp.Or(o.set, setBytes)
	return o
}

// Events are functions that follow a run; nil ones are not called. They are called by many goroutines.
type Events struct {
	// Phase begins a part of the run: "objects", "packs", "trees", "data" or "cost". The total is how many steps it has: packs for "packs", bytes
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

// Run verifies a repository and stores a report. What is wrong with the repository is in the document. An error says that it could not
// look, or was interrupted: then there is no document, but what was read back until then is in a report. Only an error that wraps
// ErrReport comes with a document.
func Run(ctx context.Context, r *repo.Repo, o Options) (*verify.CheckDocument, error) {
	o = o.withDefaults()
	c := &checker{r: r, o: o, began: o.Now()}
	defer c.close()
	err := r.Inspect(ctx, func(ctx context.Context, x *repo.Inspection) error {
		c.x = x
		err := c.run(ctx)
		if reportErr := c.report(ctx, err); err == nil && reportErr != nil {
			err = errors.Join(ErrReport, reportErr)
		}
		return err
	})
	if err != nil && !errors.Is(err, ErrReport) {
		return nil, err
	}
	return c.doc, err
}

// checker is one run.
type checker struct {
	r     *repo.Repo
	x     *repo.Inspection
	o     Options
	began time.Time // host clock

	findings     findings
	counts       verify.Structure
	objects      objects
	packs        packTable
	badSegments  []segmentNote
	indexVersion int              // of the listing that was read
	reach        [kinds]*prefixes // chunks that listed snapshots reach
	places       [kinds]*prefixes // chunks that segments in force locate in packs that count
	trees        *repo.TreeReader
	pages        visits
	readBack     readResult
	bill         bill // what damage costs
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

// run does the work and makes the document.
func (c *checker) run(ctx context.Context) error {
	for k := range c.reach {
		c.reach[k] = newPrefixes(c.o.set, c.o.Temp)
	}
	for _, step := range []func(context.Context) error{c.lookAtObjects, c.lookAtIndex, c.walkTrees, c.readPacksBack, c.weigh} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	c.doc = c.document()
	return nil
}

// readPacksBack reads back as much as was asked for.
func (c *checker) readPacksBack(ctx context.Context) error {
	var err error
	c.readBack, err = readBack(ctx, c.r, c.packs.readable(), newLedger(c.objects.reports, c.storageNow()),
		readOptions{Amount: c.o.ReadData, Events: c.o.Events, Now: c.storageNow})
	c.objects.reports = nil
	if err != nil {
		return err
	}
	for _, f := range c.readBack.Damaged {
		c.packs.damage(record.PackRef{Kind: f.Kind, ID: f.ID}, CodePackDamaged, f.Err)
	}
	for _, f := range c.readBack.Unsteady {
		c.findings.add(verify.Finding{Code: CodeUnsteady, Object: f.Name(), Message: message(f.Err), Harm: verify.Risk,
			Next: "test the network, the disk and the memory between this host and the repository; then " + c.o.Command("verify", "--read-data=all")})
	}
	return nil
}
