package policy

import (
	"slices"
	"time"
)

// Effective is what holds for one dataset. Nobody changes it.
type Effective struct {
	Name  string
	Class Class
	// Hosts that have the dataset; none: any host may.
	Hosts []string
	// Paths are absolute and cleaned, each once; there is at least one.
	Paths []string
	// Timezone rules the schedules. Prices are nil, and Quota is 0, if there are none.
	Timezone *time.Location
	Prices   *Prices
	Quota    uint64
	// Schedule says when backups run, Full when they read every byte; nil: nobody said.
	Schedule, Full *Schedule
	Objectives     Objectives
	Keep           Keep
	Expect         Expect
	// Tolerate are the faults of the source that do not make a backup one with faults.
	Tolerate []Tolerance
	Drill    Drill
	Recovery Recovery
	// Origins say where values came from, by key as Values has them.
	Origins map[string]Origin
}

// Objectives are what may at most be lost, and how long a recovery may take; 0 is
// none.
type Objectives struct{ RPO, RTO time.Duration }

// Keep is how many of the newest snapshots of so many hours, days and so on are
// kept. All 0: nobody said.
type Keep struct{ Last, Hourly, Daily, Weekly, Monthly, Yearly int }

// Expect is how much a backup must find at least; 0 is nothing.
type Expect struct{ Files, Bytes uint64 }

// Drill is how a dataset is drilled.
type Drill struct {
	Schedule *Schedule // nil: nobody said
	Probe    *Probe    // nil: none
	Timeout  time.Duration
	// KeysFrom is an absolute path of a recovery kit, Scratch one of a folder;
	// empty: nobody said.
	KeysFrom, Scratch string
	Isolation         Isolation
}

// Isolation says how a probe is kept from the network and the host.
type Isolation string

// The kinds of isolation.
const (
	Full Isolation = "full" // namespaces of its own
	None Isolation = "none" // none: what it does reaches others
)

// Recovery is how long people and switches take in an incident, which no drill can
// measure; nil is unknown.
type Recovery struct{ Detect, Decide, Cutover *time.Duration }

// Total returns the sum, and false if one of them is unknown.
func (r Recovery) Total() (time.Duration, bool) {
	var sum time.Duration
	for _, d := range []*time.Duration{r.Detect, r.Decide, r.Cutover} {
		if d == nil {
			return 0, false
		}
		sum += *d
	}
	return sum, true
}

// OnHost reports whether host has the dataset.
func (e *Effective) OnHost(host string) bool {
	return len(e.Hosts) == 0 || slices.Contains(e.Hosts, host)
}

// Tolerates reports whether a fault of the source is no failure. kind is
// "unreadable", "torn", "vanished" or "unsupported".
func (e *Effective) Tolerates(kind, path string) bool {
	return slices.ContainsFunc(e.Tolerate, func(t Tolerance) bool { return t.covers(kind, path) })
}

// Origin says where a value came from.
type Origin struct {
	From From
	// Line of the file, from 1; 0 if the value does not come from a file, or its
	// place there cannot be told.
	Line int
}

// From is a kind of origin.
type From string

// The kinds of origin.
const (
	FromFile    From = "file"
	FromClass   From = "class"   // the defaults of the dataset's class
	FromProgram From = "default" // the program's
)

// Value is one setting as the file would have it, with where it came from. Text is
// empty where nothing is set.
type Value struct {
	Key, Text string
	Origin    Origin
}

// Values returns every setting of the dataset, in the order of docs/policy.md.
func (e *Effective) Values() []Value {
	t := e.text()
	return shown(t.entries(), e.Origins)
}

// Shared returns what a dataset that Decode read has of the settings of its file:
// the time zone, the prices and the quota.
func (e *Effective) Shared() []Value {
	t := fileText{Timezone: zoneName(e.Timezone), Prices: e.Prices.text(), Quota: sizeText(e.Quota)}
	var out []Value
	for _, x := range t.entries() {
		if x.given() {
			out = append(out, Value{Key: x.key, Text: x.show(), Origin: Origin{From: FromFile}})
		}
	}
	return out
}

// shown gives entries their origins: of what is not set, that of the program.
func shown(entries []entry, origins map[string]Origin) []Value {
	out := make([]Value, 0, len(entries))
	for _, x := range entries {
		o, ok := origins[x.key]
		if !ok {
			o = Origin{From: FromProgram}
		}
		out = append(out, Value{Key: x.key, Text: x.show(), Origin: o})
	}
	return out
}
