package repo

import (
	"cmp"
	"log/slog"
	"runtime"
	"time"
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

// PackBuffers is how many packs may be open or on their way to the store at a time.
const PackBuffers = 4

// Options of Open and Init. The zero value is fine.
type Options struct {
	// Now is the host's clock; nil is time.Now.
	Now func() time.Time
	// Logger gets what a user should know of but need not act on; nil drops it.
	Logger *slog.Logger
	// Cache is the folder for what may be forgotten: the slot that opened last, report chains, locks. Empty: none.
	Cache string
	// Sealers is how many goroutines compress and seal; 0 is one for each core.
	Sealers int
	// Version is the program's version, for leases, manifests and reports.
	Version string
	// Host is this host's name.
	Host string
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Sealers = cmp.Or(o.Sealers, runtime.GOMAXPROCS(0))
	return o
}
