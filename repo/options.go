package repo

import (
	"cmp"
	"log/slog"
	"os"
	"runtime"
	"time"

	"savepoint/internal/usage"
)

// Times of the protocol, constants of the format.
const (
	TTL         = 30 * time.Minute   // a lease lives that long without a renewal
	RenewEvery  = 10 * time.Minute   // renewals come that often
	MaxSession  = 7 * 24 * time.Hour // no session lives longer
	flushPacks  = 64                 // segments are published after so many packs
	flushAfter  = time.Minute        // or so long after the last
	closeWithin = 30 * time.Second   // what a cancelled session may still take to leave the store tidy
)

// Options of Open and Init. The zero value is fine.
type Options struct {
	// Now is the host's clock; nil is time.Now.
	Now func() time.Time
	// Logger gets what a user should know of but need not act on; nil drops it.
	Logger *slog.Logger
	// Cache is the folder for what may be forgotten: the slot that opened last, report chains, locks. Empty: none.
	Cache string
	// Chains is the folder for chains of reports alone; empty: that of Cache. A drill works with an empty cache, and its reports
	// follow those of this host all the same.
	Chains string
	// Place says where the repository lies, as this host names it. Chains of reports are of one place: who works with a repository and with
	// a copy of it continues the one in the one and the other in the other. Empty: all are one place.
	Place string
	// Sealers is how many goroutines compress and seal; 0 is one for each core.
	Sealers int
	// PackBuffers is how many packs a session may have open or on their way to the store at a time; each is 36 MiB of memory.
	// 0 is one for each core, but at most 16, and at most as many as fit into a 32nd of the memory of the machine, or of
	// the control group; and 4 in any case. Fewer than 3 count as 3.
	PackBuffers int
	// SlowDowns counts the answers by which the store asked for fewer requests and which something between it and the
	// repository answered by repeating the calls. Fewer transfers run at a time when it grows. It is called by many
	// goroutines; nil: none are hidden.
	SlowDowns func() uint64
	// Usage measures the run; what it has measured goes into each report. Nil: nobody does.
	Usage *usage.Recorder
	// Version is the program's version, for leases, manifests and reports.
	Version string
	// Host is this host's name.
	Host string
	// By is who makes a repository, user@host, for the mark that Init puts of its first key slots; empty: it puts none.
	By string
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Sealers = cmp.Or(o.Sealers, runtime.GOMAXPROCS(0))
	if o.PackBuffers == 0 {
		o.PackBuffers = packBuffers(runtime.GOMAXPROCS(0), memory(os.DirFS("/")))
	}
	o.PackBuffers = max(o.PackBuffers, dataSlots+1) // each open pack holds one; with fewer a tree chunk could wait for ever
	return o
}
