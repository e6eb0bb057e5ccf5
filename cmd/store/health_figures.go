package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"savepoint/verify"
	"savepoint/verify/health"
	"savepoint/verify/measure"
)

const (
	fewestGaps  = 3 // exposures that make the worst one worth a line
	listedHosts = 5
)

// figureLines returns what figures over time have to say to a person: the worst of the sources, and nothing that is as it should be.
func (a *app) figureLines(s *health.Status) []string {
	var lines []string
	if line := a.exposureLine(s); line != "" {
		lines = append(lines, line)
	}
	lines = append(lines, a.missedLine(s, "backups", func(f *health.Figures) []time.Time { return f.Missed })...)
	lines = append(lines, a.missedLine(s, "drills", func(f *health.Figures) []time.Time { return f.MissedDrills })...)
	if line := granularityLine(s); line != "" {
		lines = append(lines, line)
	}
	if line := predictedLine(s); line != "" {
		lines = append(lines, line)
	}
	for _, line := range []string{latencyLine(s), costLine(s)} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	o := s.Figures()
	if o == nil {
		return lines
	}
	if restored, probed, ok := o.Coverage.Ratios(); ok {
		lines = append(lines, fmt.Sprintf("restore coverage within 30 days: %s of the live bytes restored, %s probed", shareText(restored), shareText(probed)))
	}
	if line := a.capacityLine(s); line != "" {
		lines = append(lines, line)
	}
	return lines
}

// capacityLine says what packs take, of how much, and when that is predicted to be all; "" when neither growth nor a quota is known.
func (a *app) capacityLine(s *health.Status) string {
	c := s.Capacity
	if c == nil || c.Stored == nil || c.Quota == 0 && c.PerDay == nil {
		return ""
	}
	size := bytesText
	if c.Quota > 0 && !c.InBinary() { // as the configuration counts
		size = decimalText
	}
	line := "packs: " + size(*c.Stored)
	if c.Quota > 0 {
		line += fmt.Sprintf(" of the quota of %s (%.0f%%)", c.QuotaText(), 100**c.Stored/float64(c.Quota))
	}
	if c.PerDay == nil {
		return line + "; how they grow is not known before seven days have a verification"
	}
	line += fmt.Sprintf(", growing by %s a day (%s to %s)", size(*c.PerDay), size(*c.Low), size(*c.High))
	days := func(t *time.Time) string {
		if t == nil {
			return "never"
		}
		return plural(max(0, int(t.Sub(s.LookedAt)/(24*time.Hour))), "day", "days")
	}
	switch {
	case c.Quota == 0:
	case c.Exceeded:
		line += "; the quota is exceeded"
	case c.Full != nil:
		line += fmt.Sprintf("; predicted to be full in %s, on %s (%s to %s)", days(c.Full), c.Full.In(a.zone).Format(time.DateOnly), days(c.Earliest), days(c.Latest))
	case c.Earliest != nil:
		line += fmt.Sprintf("; predicted to be full in %s at the earliest", days(c.Earliest))
	}
	return line
}

// exposureLine names the source that would have lost most.
func (a *app) exposureLine(s *health.Status) string {
	if lost := allLost(s); lost != "" {
		return "exposure within 30 days: at worst everything, of " + lost
	}
	var worst *measure.Exposure
	var of *health.Source
	for _, x := range s.Sources {
		f := x.Figures()
		if f == nil {
			continue
		}
		if e := f.Exposure[health.Committed]; e != nil && e.Gaps >= fewestGaps && (worst == nil || e.Worst > worst.Worst) {
			worst, of = e, x
		}
	}
	if worst == nil {
		return ""
	}
	line := fmt.Sprintf("exposure within 30 days: at worst %s, of %s at %s", health.Loss(worst.Worst), printable(of.Name()), a.timeText(worst.WorstAt))
	if worst.Breaches > 0 {
		line += "; over its objective " + plural(worst.Breaches, "time", "times")
		if worst.Breached > 0 { // of what was lost since, nobody knows since when
			line += fmt.Sprintf(", for %s in all", health.Loss(worst.Breached))
		}
	}
	return line
}

// allLost names the sources of which there were backups, and of which there is nothing to go back to; "" when there is none.
func allLost(s *health.Status) string {
	var names []string
	for _, x := range s.Sources {
		if x.AllLost() {
			names = append(names, x.Name())
		}
	}
	return hostList(names)
}

// missedLine names the source of which the most backups, or drills, did not come.
func (a *app) missedLine(s *health.Status, what string, of func(*health.Figures) []time.Time) []string {
	var most []time.Time
	var name string
	for _, x := range s.Sources {
		if f := x.Figures(); f != nil && len(of(f)) > len(most) {
			most, name = of(f), x.Name()
		}
	}
	if len(most) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("expected %s that did not come within 30 days: %d of %s, the last at %s", what, len(most), printable(name), a.timeText(most[len(most)-1]))}
}

// granularityLine names the source of which going back within 30 days would lose most, and what its policy would leave.
func granularityLine(s *health.Status) string {
	if lost := allLost(s); lost != "" {
		return "going back to any moment of 30 days loses everything of " + lost
	}
	var of *health.Source
	var most time.Duration
	for _, x := range s.Sources {
		f := x.Figures()
		if f == nil {
			continue
		}
		if e := f.Exposure[health.Committed]; e == nil || e.Gaps < fewestGaps {
			continue
		}
		for _, b := range f.Bands {
			if b.Oldest <= health.Window && b.Worst > most {
				most, of = b.Worst, x
			}
		}
	}
	if of == nil {
		return ""
	}
	line := fmt.Sprintf("going back to any moment of 30 days loses at most %s, of %s, as far as its snapshots go", health.Loss(most), printable(of.Name()))
	var kept []string
	for _, k := range of.Figures().Kept {
		kept = append(kept, fmt.Sprintf("%s back to %s", health.Loss(k.Worst), health.Age(k.Back)))
	}
	if len(kept) > 0 {
		line += "; its keep would leave " + strings.Join(kept, ", ")
	}
	return line
}

// predictedLine names the source that is predicted to take longest.
func predictedLine(s *health.Status) string {
	var of *health.Source
	for _, x := range s.Sources {
		if f := x.Figures(); f != nil && f.Predicted != nil && (of == nil || f.Predicted.Seconds > of.Figures().Predicted.Seconds) {
			of = x
		}
	}
	if of == nil {
		return ""
	}
	p := of.Figures().Predicted
	return fmt.Sprintf("predicted RTO, not measured: %s for %s, between %s and %s by %s", secondsText(&p.Seconds), printable(of.Name()), secondsText(&p.Low),
		secondsText(&p.High), plural(p.Drills, "drill", "drills"))
}

// latencyLine names the source whose last backup had the slowest requests.
func latencyLine(s *health.Status) string {
	var worst verify.Latency
	var of *health.Source
	for _, x := range s.Sources {
		if x.Document == nil {
			continue
		}
		for _, l := range x.Document.Latencies {
			if of == nil || l.P99 > worst.P99 {
				worst, of = l, x
			}
		}
	}
	if of == nil {
		return ""
	}
	return fmt.Sprintf("storage: 99%% of the %s requests of the last backup of %s took at most %s", worst.Op, printable(of.Name()), secondsText(&worst.P99))
}

// costLine names the source whose last drill cost most.
func costLine(s *health.Status) string {
	var most float64
	var of *health.Source
	for _, x := range s.Sources {
		if f := x.Figures(); f != nil && f.Cost.Known() && (of == nil || f.Cost.Float64() > most) {
			most, of = f.Cost.Float64(), x
		}
	}
	if of == nil {
		return ""
	}
	return fmt.Sprintf("cost of a drill: %s at most, of %s, by the prices of the configuration", of.Figures().Cost, printable(of.Name()))
}

// shareText shows a share in percent. What is not all is never shown as all, and what is more than nothing never as nothing.
func shareText(r float64) string {
	switch {
	case r > 0 && r < 0.01:
		return "under 1%"
	case r < 1:
		return fmt.Sprintf("%d%%", int(100*r))
	}
	return "100%"
}

// bytesText shows a number of bytes that may be below zero.
func bytesText(b float64) string {
	if b < 0 {
		return "-" + sizeText(uint64(-b))
	}
	return sizeText(uint64(b))
}

// decimalText is bytesText in powers of 1000.
func decimalText(b float64) string {
	if b < 0 {
		return "-" + humanize.Bytes(uint64(-b))
	}
	return humanize.Bytes(uint64(b))
}

// hostList names a few hosts, or sources.
func hostList(hosts []string) string {
	var shown []string
	for _, h := range hosts[:min(listedHosts, len(hosts))] {
		shown = append(shown, printable(h))
	}
	if more := len(hosts) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}
