package backup

import (
	"cmp"
	"runtime"
	"time"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// Options of a backup.
type Options struct {
	Dataset string // name of the dataset; required
	Class   string // user, state, transactional, log or ""
	Host    string // the source is Dataset@Host; required
	User    string // who runs it
	// Paths are absolute and clean, each once, none beneath another; one at least.
	Paths []string
	Tags  []string
	// Mode says what to compare with; zero is tree.Incremental. A full backup reads every byte.
	Mode tree.Mode
	// AllowShrink keeps a source that lost more than half of its parent's bytes from being called suspect.
	AllowShrink bool
	// Policy is the dataset's effective policy as JSON without secrets, or nil.
	Policy []byte
	// Workers read and hash files; zero is one for each core.
	Workers int
	Events  Events
	// Now is the host's clock; nil is that of the repository.
	Now func() time.Time
}

// Events are told how a backup goes. Functions may be nil; they are called by many goroutines at once and must be quick.
type Events struct {
	// Parent is told once what the source is compared with; nil when there is none.
	Parent func(*repo.Snapshot)
	// Progress is told after every file, with what was done since the last call of the same goroutine.
	Progress func(Progress)
	// Fault is told of each entry that is not in the snapshot as it should be.
	Fault func(tree.Fault)
}

// Progress counts what was done: entries finished, those of them that were not opened, and bytes of files that were read or taken over.
type Progress struct {
	Entries, Unchanged uint64
	Bytes              uint64
	// Of the source, as far as it is known: found so far by the walk.
	FoundEntries, FoundBytes uint64
}

// Result is what a backup did.
type Result struct {
	Snapshot *repo.Snapshot // as published
	Parent   *repo.Snapshot // what it was compared with, or nil
	Totals   repo.Totals
	Duration time.Duration
}

func (o Options) withDefaults(r *repo.Repo) Options {
	o.Mode = cmp.Or(o.Mode, tree.Incremental)
	o.Workers = cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
	if o.Now == nil {
		o.Now = r.Options().Now
	}
	return o
}
