package main

import (
	"fmt"
	"strings"
	"time"

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
	if line := a.missedLine(s); line != "" {
		lines = append(lines, line)
	}
	if line := predictedLine(s); line != "" {
		lines = append(lines, line)
	}
	o := s.Figures()
	if o == nil {
		return lines
	}
	if g := o.Growth; g != nil {
		line := fmt.Sprintf("packs: %s, growing by %s a day (%s to %s)", bytesText(g.Stored), bytesText(g.PerDay), bytesText(g.Low), bytesText(g.High))
		if f := o.Full; f != nil && f.AlreadyExceeded {
			line += "; the quota is exceeded"
		} else if f != nil && f.Earliest != nil {
			line += "; predicted to be full " + f.Earliest.In(a.zone).Format(time.DateOnly) + " at the earliest"
		}
		lines = append(lines, line)
	}
	if len(o.NewHosts) > 0 {
		lines = append(lines, "new hosts within 7 days: "+hostList(o.NewHosts))
	}
	if len(o.Outdated) > 0 {
		lines = append(lines, "programs older than "+printable(o.Newest)+": "+hostList(o.Outdated))
	}
	return lines
}

// exposureLine names the source that would have lost most.
func (a *app) exposureLine(s *health.Status) string {
	var worst *measure.Exposure
	var of *health.Source
	for _, x := range s.Sources {
		f := x.Figures()
		if f == nil {
			continue
		}
		if e := f.Exposure[health.Committed]; e != nil && e.Gaps >= fewestGaps && x.RecoveryPoint != nil && (worst == nil || e.Worst > worst.Worst) {
			worst, of = e, x
		}
	}
	if worst == nil {
		return ""
	}
	line := fmt.Sprintf("exposure within 30 days: at worst %s, of %s at %s", health.Age(worst.Worst), printable(of.Name()), a.timeText(worst.WorstAt))
	if worst.Breaches > 0 {
		line += fmt.Sprintf("; over its objective %s, for %s in all", plural(worst.Breaches, "time", "times"), health.Age(worst.Breached))
	}
	return line
}

// missedLine names the source of which the most backups did not come.
func (a *app) missedLine(s *health.Status) string {
	var of *health.Source
	for _, x := range s.Sources {
		if f := x.Figures(); f != nil && len(f.Missed) > 0 && (of == nil || len(f.Missed) > len(of.Figures().Missed)) {
			of = x
		}
	}
	if of == nil {
		return ""
	}
	missed := of.Figures().Missed
	return fmt.Sprintf("expected backups that did not come within 30 days: %d of %s, the last at %s", len(missed), printable(of.Name()), a.timeText(missed[len(missed)-1]))
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

// bytesText shows a number of bytes that may be below zero.
func bytesText(b float64) string {
	if b < 0 {
		return "-" + sizeText(uint64(-b))
	}
	return sizeText(uint64(b))
}

// hostList names a few hosts.
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
