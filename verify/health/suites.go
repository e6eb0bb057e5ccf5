package health

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Severity is how soon somebody must act.
type Severity string

// The severities, the worst last. Critical is what a pager is for: data is damaged, or would be lost, or would come back too late. Warning can
// wait for the day.
const (
	OK       Severity = "ok"
	Caution  Severity = "warning"
	Critical Severity = "critical"
)

// Severity returns how serious a state is. One that is not known here is taken for the worst.
func (s State) Severity() Severity {
	switch s {
	case Good:
		return OK
	case BackupOverdue, Faulty, Unusual, Foreign, DrillFailed, DrillOverdue, NeverDrilled:
		return Caution
	}
	return Critical
}

// order is that of severities, the worst first.
func (s Severity) order() int { return slices.Index([]Severity{Critical, Caution, OK}, s) }

// Urgent returns the warnings with the most severe first, in their order else.
func (s *Status) Urgent() []Warning {
	return slices.SortedStableFunc(slices.Values(s.Warnings), func(a, b Warning) int {
		return cmp.Compare(a.State.Severity().order(), b.State.Severity().order())
	})
}

// Severity returns that of the worst state of a source or a warning, and of damage. Where nothing was ever backed up, nothing is well.
func (s *Status) Severity() Severity {
	if len(s.Sources) == 0 {
		return Critical
	}
	worst := OK
	raise := func(to Severity) {
		if to.order() < worst.order() {
			worst = to
		}
	}
	for _, x := range s.Sources {
		raise(x.State.Severity())
	}
	for _, w := range s.Warnings {
		raise(w.State.Severity())
	}
	switch s.ExitCode {
	case 0:
	case exitDamage:
		raise(Critical)
	default:
		raise(Caution)
	}
	return worst
}

// ProbeAlone reports whether all that is critical by the exit code are probes that failed of what had come back as it was backed up.
func (s *Status) ProbeAlone() bool {
	is := func(state State) func(Warning) bool { return func(w Warning) bool { return w.State == state } }
	return slices.ContainsFunc(s.Warnings, is(ProbeFailed)) && !slices.ContainsFunc(s.Warnings, is(Damaged))
}

// FoundSince returns when a verification last ended that found damage, since this level of verification was found whole, if nothing has seen
// that healed; the zero time when none did.
func (s *Status) FoundSince(l Level) time.Time {
	var at time.Time
	for _, c := range []*Check{l.Last, s.Verify.Part, s.Verify.Unhealed} {
		if c != nil && c.rep != nil && c.rep.harm && (l.LastWhole == nil || c.At.After(*l.LastWhole)) && c.At.After(at) && s.Verify.Unhealed != nil {
			at = c.At
		}
	}
	return at
}

// DamagedSince reports whether damage of the repository is known that nobody but a drill, or this look, has found since a level of
// verification was found whole.
func (s *Status) DamagedSince(l Level) bool {
	return s.count(KindConfig) > 0 || slices.ContainsFunc(s.Sources, func(x *Source) bool {
		d := x.UnhealedDamage
		return x.LostCount > 0 || d != nil && (d.rep.dataLost || d.rep.lostManifest) && (l.LastWhole == nil || d.At.After(*l.LastWhole))
	})
}

// Outcome is what came of a test.
type Outcome string

// The outcomes. Skipped is a test that has nothing to look at.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
)

// Test is one question about a source or the repository, and its answer.
type Test struct {
	Name     string
	Outcome  Outcome
	State    State  // that it failed with; Good else
	Message  string // what is the matter, or why it was skipped
	Warnings []Warning
}

// Suite is what was asked of one source, or of the repository.
type Suite struct {
	Source *Source // nil: the repository
	Tests  []Test
}

// Failed returns how many of the tests failed, and Skipped how many were.
func (s Suite) Failed() int { return s.count(Failed) }

// Skipped returns how many of the tests were skipped.
func (s Suite) Skipped() int { return s.count(Skipped) }

func (s Suite) count(o Outcome) int {
	n := 0
	for _, t := range s.Tests {
		if t.Outcome == o {
			n++
		}
	}
	return n
}

// question is a test before its answer: the states that it fails with, and why there may be nothing to look at.
type question struct {
	name   string
	states []State
	skip   func(*Source) string
}

// questions are those about a source. A state that is in none of them fails the last.
func questions() []question {
	never := func(s *Source) string {
		if s.LastBackup == nil && s.LastReport == nil {
			return "it was never backed up"
		}
		return ""
	}
	undrilled := func(s *Source) string {
		switch {
		case s.LastDrill != nil:
			return ""
		case s.RecoveryPoint == nil:
			return "there is nothing to drill"
		}
		return "it was never drilled"
	}
	return []question{
		{"backed up", []State{NeverBackedUp}, nil},
		{"backed up on time", []State{Stopped, BackupOverdue}, never},
		{"within its RPO", []State{Exposed}, never},
		{"last backup without faults", []State{Faulty}, never},
		{"restorable", []State{NoPoint}, never},
		{"last backup like those before", []State{Unusual}, never},
		{"drilled", []State{NeverDrilled, DrillOverdue}, func(s *Source) string {
			if s.LastDrill == nil && s.RecoveryPoint == nil {
				return "there is nothing to drill"
			}
			if how := s.Partly(); how != "" {
				return "it was restored " + how + " alone: that proves nothing of the rest"
			}
			return ""
		}},
		{"last drill came to a result", []State{DrillFailed}, undrilled},
		{"objectives met", []State{DrillMissed}, undrilled},
		{"probe passed", []State{ProbeFailed}, func(s *Source) string {
			if s.LastDrill != nil && s.LastDrill.Isolation == "" && s.Drilled == nil {
				return "its last drill had no probe"
			}
			return undrilled(s)
		}},
		{"undamaged", []State{Damaged}, nil},
	}
}

// repositoryQuestions are those about the repository.
func repositoryQuestions() []question {
	return []question{
		{"verified", []State{NeverDrilled}, nil},
		{"last verification came to a result", []State{DrillFailed}, nil},
		{"usable", []State{Faulty}, nil},
		{"key slots known", []State{Foreign}, nil},
		{"undamaged", []State{Damaged}, nil},
	}
}

// Suites returns what the status says as questions with answers: one suite for the repository, then one for each source, in order of name.
// All that stands in Warnings is in a test, and a source that is not Good fails one.
func (s *Status) Suites() []Suite {
	by := map[[2]string][]Warning{}
	for _, w := range s.Warnings {
		key := [2]string{w.Dataset, w.Host}
		by[key] = append(by[key], w)
	}
	out := []Suite{{Tests: answers(repositoryQuestions(), nil, by[[2]string{}])}}
	if s.ExitCode != 0 && out[0].Failed() == 0 && !slices.ContainsFunc(s.Sources, func(x *Source) bool { return x.State == Damaged || x.State == ProbeFailed }) {
		last := &out[0].Tests[len(out[0].Tests)-1]
		last.Outcome, last.State, last.Message = Failed, Damaged, "objects of the repository cannot be read"
	}
	sources := slices.Clone(s.Sources)
	slices.SortFunc(sources, func(a, b *Source) int {
		return cmp.Or(strings.Compare(a.Dataset, b.Dataset), strings.Compare(a.Host, b.Host))
	})
	for _, x := range sources {
		out = append(out, Suite{Source: x, Tests: answers(questions(), x, by[[2]string{x.Dataset, x.Host}])})
	}
	return out
}

// answers asks each question of a source, or of the repository.
func answers(qs []question, x *Source, warnings []Warning) []Test {
	place := func(s State) int {
		if i := slices.IndexFunc(qs, func(q question) bool { return slices.Contains(q.states, s) }); i >= 0 {
			return i
		}
		return len(qs) - 1
	}
	tests := make([]Test, len(qs))
	for i, q := range qs {
		tests[i] = Test{Name: q.name, Outcome: Passed, State: Good}
		if x == nil || q.skip == nil {
			continue
		}
		if why := q.skip(x); why != "" {
			tests[i].Outcome, tests[i].Message = Skipped, why
		}
	}
	for _, w := range warnings {
		tests[place(w.State)].fail(w.State, w.Fact(), &w)
	}
	if x != nil && x.State != Good {
		if t := &tests[place(x.State)]; t.Outcome != Failed { // nothing was said of this source alone
			t.fail(x.State, "what is known of it is dated after this host's clock", nil)
		}
	}
	return tests
}

func (t *Test) fail(s State, message string, w *Warning) {
	if t.Outcome != Failed {
		t.Outcome, t.State, t.Message = Failed, s, ""
	}
	if t.Message != "" {
		t.Message += "; "
	}
	t.Message += message
	if w != nil {
		t.Warnings = append(t.Warnings, *w)
	}
}

// Proven returns the source whose restore was proven last, and when; nil when none ever was.
func (s *Status) Proven() (*Source, time.Time) {
	var out *Source
	for _, x := range s.Sources {
		if x.LastProven != nil && (out == nil || x.LastProven.At.After(out.LastProven.At)) {
			out = x
		}
	}
	if out == nil {
		return nil, time.Time{}
	}
	return out, out.LastProven.At
}

// Attention returns how many sources are not as they should be.
func (s *Status) Attention() int {
	n := 0
	for _, x := range s.Sources {
		if x.State != Good {
			n++
		}
	}
	return n
}
