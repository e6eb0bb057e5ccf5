package health

import (
	"slices"
	"testing"
)

// TestStatesHaveQuestions holds that each state is asked for by name, and has a severity that was thought of.
func TestStatesHaveQuestions(t *testing.T) {
	critical := []State{Damaged, ProbeFailed, NeverBackedUp, NoPoint, Exposed, Stopped, DrillMissed}
	for _, s := range states {
		asked := slices.ContainsFunc(slices.Concat(questions(), repositoryQuestions()), func(q question) bool { return slices.Contains(q.states, s) })
		if asked == (s == Good) {
			t.Errorf("%q: asked for %v", s, asked)
		}
		if (s.Severity() == Critical) != slices.Contains(critical, s) {
			t.Errorf("%q is %s", s, s.Severity())
		}
	}
}

// TestFact leaves out of messages what leads on to the command that stands after them.
func TestFact(t *testing.T) {
	for message, want := range map[string]string{
		"a@vm was never backed up; on vm": "a@vm was never backed up",
		"a@vm has a backup that began at noon and has not finished; it may still run, else on vm":                                                    "a@vm has a backup that began at noon and has not finished",
		"a@vm came back, and failed its probe, in the drill of noon: It is; broken; a drill whose probe passes ends this; to look at what came back": "a@vm came back, and failed its probe, in the drill of noon: It is; broken",
		"a@vm was last drilled at noon: could not run; no room":                                                                                      "a@vm was last drilled at noon: could not run; no room",
		"a@vm lost snapshot 11: it is gone, and nobody forgot it" + lostThen:                                                                         "a@vm lost snapshot 11: it is gone, and nobody forgot it",
		"a disk went on vm": "a disk went on vm",
	} {
		if got := (Warning{Host: "vm", Message: message}).Fact(); got != want {
			t.Errorf("%q: %q", message, got)
		}
	}
}
