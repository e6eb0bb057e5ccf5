package policy

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// A Warning is what is allowed and can hardly be meant.
type Warning struct {
	Dataset string
	Key     string
	Line    int // of the file, from 1; 0 if it has no one place
	Text    string
}

// rarestDrill is how far apart drills may be.
const rarestDrill = 31 * 24 * time.Hour

// notYet are the keys that are checked and shown, and nothing acts on so far.
var notYet = [...]string{"keep"}

// SortWarnings puts warnings in order of line; those that have no one place come last.
func SortWarnings(warnings []Warning) {
	place := func(w Warning) int {
		if w.Line == 0 {
			return math.MaxInt
		}
		return w.Line
	}
	slices.SortStableFunc(warnings, func(a, b Warning) int { return cmp.Compare(place(a), place(b)) })
}

// Warnings returns what objectives contradict, and what has no effect so far, by
// line. now is the moment after which schedules are looked at.
func (f *File) Warnings(now time.Time) []Warning {
	var out []Warning
	if len(f.Datasets) == 0 {
		out = append(out, Warning{Key: "datasets", Text: "it names no dataset: backup --all and health have nothing to look at by it"})
	}
	for _, name := range slices.Sorted(maps.Keys(f.Datasets)) {
		out = append(out, f.Datasets[name].Warnings(now)...)
	}
	var idle []string
	least := Warning{}
	for _, key := range notYet {
		line := f.firstLine(key)
		if line == 0 {
			continue
		}
		idle = append(idle, fmt.Sprintf("%s (line %d)", key, line))
		if least.Line == 0 || line < least.Line {
			least = Warning{Key: key, Line: line}
		}
	}
	if len(idle) > 0 {
		least.Text = "checked, shown and kept with every snapshot, but nothing acts on it so far: " + strings.Join(idle, ", ")
		out = append(out, least)
	}
	SortWarnings(out)
	return out
}

// firstLine returns the first line of the file in which a key, or one beneath it, is
// given; 0 if there is none.
func (f *File) firstLine(key string) int {
	first := 0
	look := func(origins map[string]Origin) {
		for k, o := range origins {
			if o.From == FromFile && (k == key || len(k) > len(key) && k[:len(key)+1] == key+".") && o.Line > 0 && (first == 0 || o.Line < first) {
				first = o.Line
			}
		}
	}
	look(f.origins)
	for _, e := range f.Datasets {
		look(e.Origins)
	}
	return first
}

// Warnings returns what in a dataset contradicts its objectives. now is the moment
// after which schedules are looked at.
func (e *Effective) Warnings(now time.Time) []Warning {
	var out []Warning
	warn := func(key, format string, args ...any) {
		out = append(out, Warning{Dataset: e.Name, Key: key, Line: e.Origins[key].Line, Text: fmt.Sprintf(format, args...)})
	}
	if e.Schedule != nil && e.Objectives.RPO > 0 {
		if gap := e.Schedule.MaxGap(); gap >= e.Objectives.RPO {
			warn("schedule", "the RPO objective is %s%s, and by the schedule %q backups are up to %s apart: before one ends, up to %s and the time that it takes would be lost",
				SpanText(e.Objectives.RPO), e.from("objectives.rpo"), e.Schedule, SpanText(gap), SpanText(gap))
		}
	}
	if s := e.Drill.Schedule; s != nil {
		if gap := s.MaxGap(); gap > rarestDrill {
			warn("drill.schedule", "by the drill schedule %q drills are up to %s apart: for that long nobody knows that a restore works; at least one in %s", s, SpanText(gap), SpanText(rarestDrill))
		}
	}
	if at, ok := e.strayFull(now); ok {
		warn("full", "by %q a full backup is due at %s, when by the schedule %q none runs: the one after it will read every byte", e.Full, at.Format("2006-01-02 15:04 MST"), e.Schedule)
	}
	if total, known := e.Recovery.Total(); known && e.Objectives.RTO > 0 && total >= e.Objectives.RTO {
		warn("recovery.detect", "the RTO objective is %s%s, and detect, decide and cutover take %s of it: nothing is left for the restore",
			SpanText(e.Objectives.RTO), e.from("objectives.rto"), SpanText(total))
	}
	if e.Drill.Probe != nil && e.Objectives.RTO > 0 && e.Drill.Timeout > e.Objectives.RTO && e.Origins["drill.timeout"].From == FromFile {
		warn("drill.timeout", "the probe may take %s, which is more than the RTO objective of %s%s", SpanText(e.Drill.Timeout), SpanText(e.Objectives.RTO), e.from("objectives.rto"))
	}
	if e.Drill.Isolation == None {
		warn("drill.isolation", "the probe is not isolated: what it does reaches the network and this host")
	}
	SortWarnings(out)
	return out
}

// from says of a value that nobody wrote where it came from.
func (e *Effective) from(key string) string {
	if e.Origins[key].From == FromClass {
		return " (default of class " + string(e.Class) + ")"
	}
	return ""
}

// fullsLookedAt is how many of the next full backups are compared with the schedule.
const fullsLookedAt = 60

// strayFull returns the first time after now at which a full backup is due and no backup runs.
func (e *Effective) strayFull(now time.Time) (time.Time, bool) {
	if e.Full == nil || e.Schedule == nil {
		return time.Time{}, false
	}
	at := now
	for range fullsLookedAt {
		if at = e.Full.Next(at); at.IsZero() {
			break
		}
		if !e.Schedule.Previous(at).Equal(at) {
			return at, true
		}
	}
	return time.Time{}, false
}
