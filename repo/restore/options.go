package restore

import (
	"cmp"
	"errors"
	"path/filepath"
	"runtime"
	"time"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// IncompleteMarker is the name of the file that lies in the target while a restore runs, and stays when it does not come to its
// end. When the snapshot holds an entry of that name there, "-1", "-2" and so on is appended.
const IncompleteMarker = ".savepoint-restore-incomplete"

// Selection is what of a snapshot is wanted.
type Selection struct {
	// Root is the absolute path of one root of the snapshot; empty means all roots.
	Root string
	// Sub is a path below the root; empty is the root itself. It needs Root, unless the snapshot has one root only.
	Sub string
	// Want says of a file in a folder whether it is wanted; nil: all are. What is no file always is, and so is a file that is a root.
	// It is asked on one goroutine, once for each name, and must say the same of all names of one file.
	Want func(*tree.Entry) bool
}

// Options of a restore.
type Options struct {
	// Target is the absolute path of the directory to restore into. It is created with mode 0700, and so are its parents, when it is
	// missing; otherwise it must be an empty directory.
	Target string
	// Workers open, check and write; zero is one for each core.
	Workers int
	// Fetches is how many requests may be on their way at a time, if that is faster than fewer; zero is 16. It hides the latency
	// of a distant store.
	Fetches int
	// Approve is asked when it is known what is to be done, before any file is made; folders are there then. Its error ends the
	// restore. Nil: all is approved.
	Approve func(Plan) error
	Events  Events
	// Now is the clock for the durations of phases; nil is that of the repository.
	Now func() time.Time
}

// Events are told how a restore goes. Functions may be nil; they are called by many goroutines at once and must be quick.
type Events struct {
	// Planned is told once what is to be done, before the first byte is fetched.
	Planned func(Plan)
	// Progress is told after every request what has been done so far.
	Progress func(Progress)
	// Phase is told whenever a phase ends or pauses for another, with the time since it was told last; the parts of one name add up
	// to that phase of the result. It is called on the goroutine of Run.
	Phase func(Phase)
}

// Plan is what a restore is going to do.
type Plan struct {
	Files, Directories, Others, HardLinks uint64 // entries
	Bytes                                 uint64 // to be written into files
	Holes                                 uint64 // bytes of files that are not written
	Chunks                                uint64 // different ones
	Packs, Requests                       uint64
	FetchBytes                            uint64 // of packs, as stored
}

// Progress is what was done so far of a Plan.
type Progress struct {
	Files, Bytes, FetchedBytes uint64
}

func (o Options) withDefaults(r *repo.Repo) Options {
	o.Workers = cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
	o.Fetches = cmp.Or(o.Fetches, manyFetches)
	if o.Now == nil {
		o.Now = r.Options().Now
	}
	return o
}

// validate reports what is wrong with the options, or nil.
func (o Options) validate() error {
	if !filepath.IsAbs(o.Target) {
		return errors.New("restore: the target is not an absolute path")
	}
	if o.Workers < 0 || o.Fetches < 0 {
		return errors.New("restore: less than no workers or requests")
	}
	return nil
}
