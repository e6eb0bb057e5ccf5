package main

import (
	"fmt"
	"slices"

	"savepoint/verify/health"
)

// listedChanges is how many lines of the text are about changes of key slots; --json has more.
const listedChanges = 3

// kitLine says when a recovery kit was last proven that opens something, and which kits never were.
func (a *app) kitLine(s *health.Status) string {
	line := "recovery kit: never proven; store drill --keys-from KIT does that"
	if k := s.Kit; k != nil {
		when := fmt.Sprintf("%s (%s ago)", a.timeText(k.Proven), health.Age(s.LookedAt.Sub(k.Proven)))
		if k.Removed {
			return fmt.Sprintf("recovery kit: none that is proven; the one that was, %s, opens nothing any more: its key slot is gone; store drill --keys-from KIT proves another", when)
		}
		line = "recovery kit: last proven " + when
	}
	var never []string
	for _, k := range s.Trust.Kits {
		if k.Proven == nil {
			never = append(never, health.Short(k.Object))
		}
	}
	if s.Kit != nil && len(never) > 0 {
		line += "; never proven: " + hostList(never)
	}
	return line
}

// trustLines say what has changed of who can open the repository and who writes to it: notices, none of which asks for anything.
func (a *app) trustLines(s *health.Status) []string {
	t := &s.Trust
	var lines []string
	listed := len(t.Keys)
	if listed > listedChanges {
		listed = listedChanges - 1
	}
	for _, k := range t.Keys[:listed] {
		what := k.Change
		if k.Next != "" {
			what += " by " + printable(health.Short(k.Next))
		}
		who := printable(k.By)
		if k.Program != "" {
			who += ", store " + printable(k.Program)
		}
		lines = append(lines, fmt.Sprintf("key slot %s: %s at %s (%s ago), %s", printable(health.Short(k.Object)), what, a.timeText(k.At), health.Age(s.LookedAt.Sub(k.At)), who))
	}
	if more := len(t.Keys) - listed; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more changes of key slots within 30 days; --json has them", more))
	}
	if len(t.NewHosts) > 0 {
		lines = append(lines, "new hosts within 7 days: "+hostList(t.NewHosts))
	}
	if len(t.Outdated) > 0 {
		var names []string
		for _, x := range t.Outdated {
			names = append(names, x.Dataset+"@"+x.Host+" ("+x.Program+")")
		}
		lines = append(lines, "last backed up by a program older than "+printable(t.Newest)+": "+hostList(names))
	}
	return lines
}

// independenceLine names the sources whose last proven restore needed a secret that lay on their own host.
func independenceLine(s *health.Status) string {
	var names []string
	for _, x := range s.Sources {
		if x.LastProven != nil && slices.Contains(x.LastProven.NotIndependent, secretThere) {
			names = append(names, x.Name())
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "key not independent: the last proven restore took it from the source's own host: " + hostList(names)
}

// secretThere is how a drill says that the secret lay on the source's own host.
const secretThere = "the secret"

// notices are the lines beneath what was verified: about the secrets with which restores were proven.
func (a *app) notices(s *health.Status) []string {
	lines := []string{a.kitLine(s)}
	if line := independenceLine(s); line != "" {
		lines = append(lines, line)
	}
	return lines
}

// keyAdvice says of a drill whose secret would be lost with the source's host what proves one that would not be.
func keyAdvice(notIndependent []string) string {
	if !slices.Contains(notIndependent, secretThere) {
		return ""
	}
	return "key not independent: the secret lay on the source's own host; a recovery kit kept elsewhere is; store drill --keys-from KIT proves that"
}
