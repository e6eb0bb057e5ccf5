package health

import (
	"slices"
	"testing"
)

// TestStatesHaveQuestions holds that each state is asked for by name, and has a severity that was thought of.
func TestStatesHaveQuestions(t *testing.T) {
	critical := []State{Damaged, NeverBackedUp, NoPoint, Exposed, Stopped, DrillMissed}
	for _, s := range states {
		asked := slices.ContainsFunc(questions(), func(q question) bool { return slices.Contains(q.states, s) })
		if asked == (s == Good) {
			t.Errorf("%q: asked for %v", s, asked)
		}
		if (s.Severity() == Critical) != slices.Contains(critical, s) {
			t.Errorf("%q is %s", s, s.Severity())
		}
	}
}
