package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"savepoint/verify"
)

// drillError returns the error of a drill with the exit code of its document, and what to do next.
func (a *app) drillError(d *verify.DrillDocument, err error) error {
	switch {
	case err == nil:
		return nil
	case d.Verdict == verify.Restored || d.Verdict == verify.Pass: // its report could not be stored, or the scratch folder not be removed
		return coded(d.ExitCode, hinted(err, "%s", sentences("All of the snapshot came back.", a.storageAdvice(err))))
	}
	next := d.Next
	if advice := a.storageAdvice(err); advice != "" && !strings.Contains(next, advice) { // of the report, that came after
		next = strings.TrimLeft(next+"\n"+advice, "\n")
	}
	if next != "" {
		err = hinted(err, "%s", next)
	}
	return coded(d.ExitCode, err)
}

// drillAdvice says what to do next about a drill, and apart the commands in that. cannot is why it did not come to its end.
func (a *app) drillAdvice(o *drillOptions, d *verify.DrillDocument, cannot error) (string, []string) {
	switch d.Verdict {
	case verify.Damage:
		return a.damageAdvice(o, d)
	case verify.CouldNotRun:
		return sentences("This says nothing of the backup.", first(hint(cannot), a.storageAdvice(cannot))), nil
	case verify.ObjectiveMissed:
		return a.objectiveAdvice(d)
	case verify.Inconclusive:
		words := slices.Concat([]string{"drill"}, a.againWith(o.keysFrom != ""), ofSource(d), o.own())
		if a.getenv("STORE_LIMIT_DOWNLOAD") != "" {
			words = append(words, "--limit-download", "0")
		}
		again := a.commandLine(words...)
		return "All of the snapshot came back. Run the drill again without what keeps its time from being judged: " + again, []string{again}
	}
	return "", nil
}

// ofSource returns the flags that say which source a drill was of, and of what moment.
func ofSource(d *verify.DrillDocument) []string {
	words := []string{"--dataset", d.Dataset, "--host", d.Host}
	if d.At != nil {
		words = append(words, "--at", d.At.UTC().Format(time.RFC3339Nano))
	}
	return words
}

// objectiveAdvice says where to begin: with the phase that took longest, and with how often there are backups.
func (a *app) objectiveAdvice(d *verify.DrillDocument) (string, []string) {
	what := []string{"All of the snapshot came back."}
	var commands []string
	if d.RTO.Judged && d.RTO.Objective > 0 && !d.RTO.Met {
		longest := slices.MaxFunc(d.RTO.Phases, func(a, b verify.Phase) int { return cmp.Compare(a.Seconds, b.Seconds) })
		what = append(what, fmt.Sprintf("%s of the time went into the phase %q.", spanText(longest.Seconds), longest.Name))
	}
	if d.RPO.Judged && d.RPO.Objective > 0 && !d.RPO.Met {
		health := a.runnable("health", "--dataset", d.Dataset, "--host", d.Host)
		what, commands = append(what, "Back up more often; this shows when backups ran: "+health), append(commands, health)
	}
	return strings.Join(what, " "), commands
}

// lossAlone reports whether nothing but the comparison with the source found something.
func lossAlone(d *verify.DrillDocument) bool {
	return d.Loss != nil && d.Loss.DamagedCount > 0 && d.DamagedCnt == 0 && d.Compared.DifferenceCount == 0 && len(d.LostPoints) == 0 && !d.ProbeAlone()
}

// lostAlone reports whether all of the snapshot came back, and newer ones are gone.
func lostAlone(d *verify.DrillDocument) bool {
	return len(d.LostPoints) > 0 && d.DamagedCnt == 0 && d.Compared.DifferenceCount == 0 && (d.Loss == nil || d.Loss.DamagedCount == 0) && d.Compared.Entries > 0
}

// damageAdvice names what to look at next, and the older snapshot that came back whole.
func (a *app) damageAdvice(o *drillOptions, d *verify.DrillDocument) (string, []string) {
	var commands []string
	text := "Everything came back as it was backed up: what the probe found was in the source already, or the probe is wrong. Look at the source, and at what came back with --keep."
	switch {
	case d.ProbeAlone():
	case lossAlone(d):
		keep := a.runnable(append(append([]string{"drill"}, ofSource(d)...), "--against-source", "--keep")...)
		commands = append(commands, keep)
		text = "Everything came back as it was backed up, and the source reads differently though nothing has changed it: its disk or its memory errs, now or when it was backed up. Compare the files with the source before it is backed up again: " + keep
	case lostAlone(d):
		commands = append(commands, a.runnable("verify"))
		text = "What came back is right, and older than it should be. " + pointHint + " This says what else is missing: " + commands[0]
	default:
		commands = append(commands, a.runnable("verify", "--read-data"))
		text = "Run: " + commands[0]
	}
	if d.Instead != "" {
		back := a.runnable("restore", d.Instead)
		commands = append(commands, back)
		text += "\nThis brings back the newest snapshot that will do: " + back
	}
	if d.ProbeAlone() {
		if len(d.Older) == 0 {
			find := a.commandLine(slices.Concat([]string{"drill"}, a.againWith(o.keysFrom != ""), ofSource(d), []string{"--find-last-good"}, o.own())...)
			commands = append(commands, find)
			text += "\nThis finds the newest snapshot that passes: " + find
		}
		return text, commands
	}
	return text + "\nCopy the repository as it is before anything is tried on it.", commands
}
