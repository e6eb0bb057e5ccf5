package measure

import (
	"fmt"
	"slices"
	"time"
)

// Run is what a backup counted. Runs of a source are in order of time.
type Run struct {
	At             time.Time
	Files, Changed uint64 // files in it, and those of them that are new or changed
	Bytes          uint64 // sizes of all files
	Read           uint64 // bytes read from the source
	New, Stored    uint64 // plain bytes that were not in the repository yet, and what was stored for them
	Full           bool   // it read every file on purpose, and cannot say which of them had changed
}

// Kind is what can be unusual about a backup.
type Kind string

// The kinds.
const (
	// ChangedRatio: three times the usual share of the files changed, and a tenth of all more. Encrypting a source changes every file.
	ChangedRatio Kind = "changed_ratio"
	// NewBytes: three times the usual bytes were new, and 64 MiB more: what costs room.
	NewBytes Kind = "new_bytes"
	// SizeCollapse: less than half of the median size within the seven days before, of three runs at least.
	SizeCollapse Kind = "size_collapse"
	// DedupCollapse: twice the usual share of what was read was new, and three tenths of it more.
	DedupCollapse Kind = "dedup_collapse"
	// Entropy: what was added takes nine tenths of its size or more in the repository, and half as much again as is usual. How much data
	// compresses is the nearest thing to its entropy that reports know; it jumps when a source is encrypted, and when it becomes videos.
	Entropy Kind = "entropy_jump"
)

// Kinds returns all kinds, in the order in which Unusual has them.
func Kinds() []Kind { return []Kind{ChangedRatio, NewBytes, SizeCollapse, DedupCollapse, Entropy} }

// Judgement is what is to be said of the newest run.
type Judgement struct {
	Kind     Kind
	Known    bool // false: too few runs to compare with, or too little in this one
	Unusual  bool
	Value    float64 // a ratio, or bytes
	Usual    float64 // the median that it was compared with
	Runs     int     // of so many runs
	Sentence string  // when it is unusual: what a backup did, with the numbers
}

// The limits of what can be said.
const (
	usualWeeks = 8       // that are looked back
	fewestRuns = 3       // to compare with
	leastNew   = 1 << 20 // bytes that tell how data compresses
	leastRead  = 1 << 20
	leastFiles = 10
	growthStep = 64 << 20
)

// Unusual compares the newest run, but for its size, with the median of the runs of the same weekday in the last eight weeks: of each week the
// one that is nearest by the clock, so that a nightly full backup is not compared with hourly ones. Weekdays are those of zone. It returns a judgement
// for every kind.
func Unusual(runs []Run, zone *time.Location) []Judgement {
	out := make([]Judgement, 0, len(Kinds()))
	if len(runs) == 0 {
		for _, k := range Kinds() {
			out = append(out, Judgement{Kind: k})
		}
		return out
	}
	last := runs[len(runs)-1]
	usual := sameWeekday(runs, zone)
	on := " on a " + last.At.In(zone).Weekday().String()
	for _, k := range Kinds() {
		m := measures[k]
		base := usual
		where := on
		if k == SizeCollapse {
			base, where = lastWeek(runs), " of the seven days before"
		}
		out = append(out, m.judge(k, last, base, where))
	}
	return out
}

// ratioOf is how a kind is measured.
type ratioOf struct {
	byRead  bool                           // it goes by what was read: full runs are compared with full ones, others with others
	value   func(Run) (v float64, ok bool) // not ok: it says nothing
	unusual func(v, usual float64) bool
	text    func(v, usual float64) string
}

var measures = map[Kind]ratioOf{
	ChangedRatio: {
		true,
		func(r Run) (float64, bool) {
			return float64(r.Changed) / float64(max(1, r.Files)), r.Files >= leastFiles
		},
		func(v, usual float64) bool { return v >= 3*usual && v >= usual+0.1 },
		func(v, usual float64) string {
			return fmt.Sprintf("changed %s of its files, usually %s", percent(v), percent(usual))
		},
	},
	NewBytes: {
		false,
		func(r Run) (float64, bool) { return float64(r.New), true },
		func(v, usual float64) bool { return v >= 3*usual && v >= usual+growthStep },
		func(v, usual float64) string { return fmt.Sprintf("added %s, usually %s", size(v), size(usual)) },
	},
	SizeCollapse: {
		false,
		func(r Run) (float64, bool) { return float64(r.Bytes), true },
		func(v, usual float64) bool { return v < 0.5*usual },
		func(v, usual float64) string { return fmt.Sprintf("has %s, usually %s", size(v), size(usual)) },
	},
	DedupCollapse: {
		true,
		func(r Run) (float64, bool) {
			return float64(min(r.New, r.Read)) / float64(max(1, r.Read)), r.Read >= leastRead
		},
		func(v, usual float64) bool { return v >= 2*usual && v >= usual+0.3 },
		func(v, usual float64) string {
			return fmt.Sprintf("found %s of what it read to be new, usually %s", percent(v), percent(usual))
		},
	},
	Entropy: {
		false,
		func(r Run) (float64, bool) { return float64(r.Stored) / float64(max(1, r.New)), r.New >= leastNew },
		func(v, usual float64) bool { return v >= 0.9 && v >= 1.5*usual },
		func(v, usual float64) string {
			return fmt.Sprintf("stored what is new at %s of its size, usually %s: it compresses as little as encrypted data does", percent(v), percent(usual))
		},
	},
}

func (m ratioOf) judge(k Kind, last Run, base []Run, where string) Judgement {
	j := Judgement{Kind: k}
	var values []float64
	for _, r := range base {
		if v, ok := m.value(r); ok && (!m.byRead || r.Full == last.Full) {
			values = append(values, v)
		}
	}
	v, ok := m.value(last)
	if !ok || len(values) < fewestRuns {
		return j
	}
	j.Known, j.Value, j.Usual, j.Runs = true, v, median(values), len(values)
	if m.unusual(v, j.Usual) {
		j.Unusual = true
		j.Sentence = fmt.Sprintf("%s (the median of %d runs%s)", m.text(v, j.Usual), j.Runs, where)
	}
	return j
}

// sameWeekday returns the runs that the newest one is compared with, at most one of each week.
func sameWeekday(runs []Run, zone *time.Location) []Run {
	last := runs[len(runs)-1]
	local := last.At.In(zone)
	var out []Run
	for week := 1; week <= usualWeeks; week++ {
		wanted := local.AddDate(0, 0, -7*week)
		var best *Run
		i, _ := slices.BinarySearchFunc(runs, wanted, func(r Run, t time.Time) int { return r.At.Compare(t) })
		for _, n := range []int{i - 1, i} {
			if n < 0 || n >= len(runs)-1 || runs[n].At.In(zone).Weekday() != local.Weekday() {
				continue
			}
			if d := runs[n].At.Sub(wanted).Abs(); d < Day && (best == nil || d < best.At.Sub(wanted).Abs()) {
				best = &runs[n]
			}
		}
		if best != nil {
			out = append(out, *best)
		}
	}
	return out
}

// lastWeek returns the runs of the seven days before the newest one.
func lastWeek(runs []Run) []Run {
	n := len(runs) - 1
	since := runs[n].At.Add(-7 * Day)
	i, _ := slices.BinarySearchFunc(runs[:n], since, func(r Run, t time.Time) int { return r.At.Compare(t) })
	return runs[i:n]
}

func percent(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.0f%%", 100*v)
	}
	return fmt.Sprintf("%.3g%%", 100*v)
}

// size writes bytes for people.
func size(b float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB", "TiB"} {
		if b < 999.5 {
			return fmt.Sprintf("%.3g %s", b, unit)
		}
		b /= 1024
	}
	return fmt.Sprintf("%.0f PiB", b)
}
