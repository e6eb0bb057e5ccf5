package backup

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
	// FullSince makes it a full one, whatever Mode says, unless a full one of the source has begun by this host's clock at that time or after
	// it; zero does not.
	FullSince time.Time
	// AllowShrink keeps a source that lost more than half of its parent's bytes from being called suspect.
	AllowShrink bool
	// Policy is the dataset's effective policy as JSON without secrets, or nil.
	Policy []byte
	// ExpectFiles and ExpectBytes are how much there must be at least: a snapshot with less is suspect, whatever AllowShrink says.
	ExpectFiles, ExpectBytes uint64
	// Tolerate says which faults of the source are listed and leave the snapshot complete; nil: none. Many goroutines call it at once.
	Tolerate func(tree.Fault) bool
	// Workers read and hash files; zero is one for each core. The snapshot does not depend on it.
	Workers int
	// Checkpoint is how often what is finished is published as an interrupted snapshot, from which the next run goes on; zero is
	// CheckpointEvery. A cancelled run does so once more, if there is something new. Less than zero is never, not then either.
	Checkpoint time.Duration
	Events     Events
	// Now is the clock for the duration; nil is that of the repository, whose clock alone is compared with files' times.
	Now func() time.Time
}

// Events are told how a backup goes. Functions may be nil; they are called by many goroutines at once and must be quick.
type Events struct {
	// Parent is told once what the manifest will name as its parent; nil when there is none.
	Parent func(*repo.Snapshot)
	// Checkpoint is told of each interrupted snapshot that is published. Nothing is read until it returns.
	Checkpoint func(*repo.Snapshot)
	// Progress is told after every entry and directory.
	Progress func(Progress)
	// Fault is told of each entry that is not in the snapshot as it should be.
	Fault func(tree.Fault)
}

// Progress counts what was done since the last call of the same goroutine.
type Progress struct {
	Entries      uint64 // finished, those that were left out among them
	Unchanged    uint64 // files of them that were taken over from an earlier snapshot
	Bytes        uint64 // of content, read or taken over; of a large file while it is read
	FoundEntries uint64 // met by the walk: in the end as many as finished
}

// Result is what a backup did.
type Result struct {
	Snapshot *repo.Snapshot // as published
	Parent   *repo.Snapshot // what it was compared with first, or nil; it may be interrupted
	Totals   repo.Totals
	Duration time.Duration
	// Damaged names packs of the repository that were found damaged, and marked. The snapshot does not need them; older ones may.
	Damaged []string
	// Tolerated is how many of the snapshot's faults Options.Tolerate took.
	Tolerated uint64
	// Same is how many of the files that the snapshot counts as new or changed were read and have the content that they have in the last
	// finished snapshot. A full backup compares nothing.
	Same uint64
}

// withDefaults returns a copy with its paths in order.
func (o Options) withDefaults(r *repo.Repo) Options {
	o.Mode = cmp.Or(o.Mode, tree.Incremental)
	o.Workers = cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
	o.Checkpoint = cmp.Or(o.Checkpoint, CheckpointEvery)
	if o.Now == nil {
		o.Now = r.Options().Now
	}
	o.Paths = slices.Clone(o.Paths)
	slices.Sort(o.Paths)
	return o
}

// validate reports what a manifest could not say, before anything is read for it.
func (o Options) validate() error {
	switch {
	case o.Dataset == "" || o.Host == "":
		return errors.New("backup: a source is a dataset and a host")
	case o.Mode > tree.Full:
		return fmt.Errorf("backup: unknown mode %d", o.Mode)
	case o.Workers < 0:
		return errors.New("backup: less than no workers")
	case len(o.Paths) == 0:
		return errors.New("backup: no path")
	}
	for _, text := range append([]string{o.Dataset, o.Host, o.User, o.Class}, o.Tags...) {
		if !utf8.ValidString(text) {
			return fmt.Errorf("backup: %q is not UTF-8, as names of datasets, hosts, users and tags are", text)
		}
	}
	for i, p := range o.Paths {
		if !filepath.IsAbs(p) || filepath.Clean(p) != p || strings.IndexByte(p, 0) >= 0 {
			return fmt.Errorf("backup: path %q is not absolute and clean", p)
		}
		for _, above := range o.Paths[:i] {
			if p == above || strings.HasPrefix(p, strings.TrimSuffix(above, "/")+"/") {
				return fmt.Errorf("backup: path %q is in %q, which is backed up as well", p, above)
			}
		}
	}
	return nil
}
