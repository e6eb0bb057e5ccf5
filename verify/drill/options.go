package drill

import (
	"cmp"
	"context"
	"math/rand/v2"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/verify"
	"savepoint/verify/probe"
)

// Options of a drill. Open, Select and Scratch are needed.
type Options struct {
	// Open opens the repository as a host does that has nothing but the secret, with cache, an empty folder, for what may be
	// forgotten; in a warm drill with what this host has. Its error is returned as it is: nothing was learnt, and nothing can be reported.
	Open func(ctx context.Context, cache string) (Opened, error)
	// Select chooses from all snapshots that can be read. An error that wraps repo.ErrNoSnapshot makes a drill that could not run,
	// unless it wraps ErrNoSource too and no damage or loss explains it: that, and any other one, is returned as it is, without a document.
	Select func([]*repo.Snapshot) (repo.Choice, error)
	// Dataset and Host are of the source that is wanted, as far as the user said. The report of a drill that finds no snapshot is
	// filed under them when other snapshots, or the configuration, know the dataset.
	Dataset, Host string
	Configured    bool
	// At is the moment of the incident; zero is that of the order.
	At time.Time
	// RandomWithin makes At a moment that is drawn from this time before the order, so far back as there are snapshots; zero: none is.
	RandomWithin time.Duration
	// Scenario is Cold, Warm or Site. Empty is Cold.
	Scenario string
	// Behind is how long the restores took that come before this one when the site is lost: its own recovery begins then.
	Behind time.Duration
	// Sample is what part of the files is restored. The zero value is all.
	Sample Sample
	// MaxDuration ends a drill that has not come to its end by then, counted from the order: it could not run. Zero: none.
	MaxDuration time.Duration
	// AgainstSource compares the live source, on whose host this runs, with the snapshot: it says what would be lost now.
	AgainstSource bool
	// FindLastGood looks among older snapshots for the newest that passes the probe, when the one that was chosen does not.
	FindLastGood bool
	// Resume backs folder up into a new repository in the folder repository, which is not there, and says how many files and bytes it took.
	// Nil: that is not wanted.
	Resume func(ctx context.Context, folder, repository string) (files, bytes uint64, err error)
	// RTO and RPO are the objectives; zero is none.
	RTO, RPO time.Duration
	// Wanted returns what is wanted of the snapshot that is drilled, which stands in for what these options leave out. Nil: nothing is.
	Wanted  func(*repo.Snapshot) Wanted
	Scratch Scratch
	// Permit says why a snapshot must not be restored into a folder of this host, or nil. Nil permits all.
	Permit func(s *repo.Snapshot, folder string) error
	// Keep leaves what was restored and compared in the scratch folder.
	Keep bool
	// Probe looks at what was restored after the comparison, when all came back; it may change it. Nil: nothing does.
	Probe *probe.Spec
	// Inspect is shown the restored folder after the comparison, and may add to the document. Its error is why the drill could not
	// come to its end. Nil: nobody looks.
	Inspect func(ctx context.Context, folder string, d *verify.DrillDocument) error
	// Advise says what to do next about a drill that is judged, and, apart, the commands in that, each runnable as it stands. It is told why the
	// drill did not come to its end, if it did not, and must not change the document, into which its answer goes. Nil: nothing is said.
	Advise func(d *verify.DrillDocument, cannot error) (next string, commands []string)
	Events Events
	// Now is the clock of durations. Nil is time.Now.
	Now func() time.Time
	// Run is the ID of the run: it names the scratch folder, and must be a name of a folder that nothing else has.
	Run string
	// Version is that of the program.
	Version string

	// Tests put others in their place.
	statfs  func(path string) (unix.Statfs_t, error)
	compare comparison
	random  func() float64 // at least 0, below 1
	ticks   func() (ticks <-chan time.Time, stop func())

	probeRoom uint64
}

// Wanted is what somebody wants of a drill: objectives, 0 for none, and a probe, nil for none. A sample is not probed.
type Wanted struct {
	RTO, RPO time.Duration
	Probe    *probe.Spec
	Assumed  *time.Duration // to notice, to decide and to switch over, which no drill measures; nil: not known
}

// Opened is a repository, with what the drill must know of how it was opened.
type Opened struct {
	*repo.Repo
	// Count says what was asked of the storage so far; nil: nobody counts.
	Count func() Count
	// KeyFrom says where the secret came from, never what it is.
	KeyFrom string
	// KeyOnHost says that the secret lies on this host, in a file or in its configuration.
	KeyOnHost bool
	// Kit says that the secret was that of a recovery kit.
	Kit bool
	// Waited is how long a person took to type the secret. It is no part of a recovery's time.
	Waited time.Duration
	// Throttled says that a limit holds back what is received; Local that the repository is a folder of this host.
	Throttled, Local bool
}

// Count is what was asked of the storage so far.
type Count struct {
	Requests, Retries, Received uint64
}

// Scratch is where drills make their folders.
type Scratch struct {
	// Base is the folder that holds them, absolute. Prefix begins their names: where it is empty, Base has nothing but drills.
	Base, Prefix string
	// Make makes Base when it is missing.
	Make bool
}

// Events are told how a drill goes. Functions may be nil; those of restore are as restore.Events says.
type Events struct {
	// Leftovers is told how many folders of drills that were killed have been removed.
	Leftovers func(n int)
	// Notice is told what is not as it should be and does not end the drill.
	Notice func(text string)
	// Comparing is told that the restore has ended and the comparison begins.
	Comparing func(files, bytes uint64)
	// Probing is told that the probe begins.
	Probing  func()
	Planned  func(restore.Plan)
	Progress func(restore.Progress)
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.statfs == nil {
		o.statfs = statfs
	}
	if o.compare == nil {
		o.compare = compare
	}
	if o.random == nil {
		o.random = rand.Float64
	}
	if o.ticks == nil {
		o.ticks = ticker
	}
	o.probeRoom = cmp.Or(o.probeRoom, probeRoom)
	o.Scenario = cmp.Or(o.Scenario, Cold)
	if o.Permit == nil {
		o.Permit = func(*repo.Snapshot, string) error { return nil }
	}
	if o.Events.Notice == nil {
		o.Events.Notice = func(string) {}
	}
	o.Scratch.Base = filepath.Clean(o.Scratch.Base)
	return o
}
