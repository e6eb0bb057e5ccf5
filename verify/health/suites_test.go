package health_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/verify"
	"savepoint/verify/health"
)

// TestSuites holds that everything that is said stands in a test that failed, that no source passes all tests that is not well, and that
// nothing fails of one that is.
func TestSuites(t *testing.T) {
	w, o := twoHosts(t)
	w.drill("world", "world-2", w.backup("world", "world-2", nil), verify.Damage)
	s := w.look(o)
	suites := s.Suites()
	if len(suites) != 4 || suites[0].Source != nil || suites[1].Source.Name() != "users@world-1" || suites[3].Source.Name() != "world@world-2" {
		t.Fatalf("%+v", suites)
	}
	said := 0
	for _, suite := range suites {
		failed, skipped := 0, 0
		for _, x := range suite.Tests {
			said += len(x.Warnings)
			switch {
			case x.Outcome == health.Failed:
				failed++
			case x.Outcome == health.Skipped:
				skipped++
			}
			if (x.Outcome == health.Failed) != (x.State != health.Good) || (x.Outcome == health.Passed) != (x.Message == "") {
				t.Errorf("%+v", x)
			}
		}
		if failed != suite.Failed() || skipped != suite.Skipped() {
			t.Errorf("%d and %d, counted %d and %d", failed, skipped, suite.Failed(), suite.Skipped())
		}
		if suite.Source != nil && (failed > 0) != (suite.Source.State != health.Good) {
			t.Errorf("%s is %q, and fails %d", suite.Source.Name(), suite.Source.State, failed)
		}
	}
	if said != len(s.Warnings) {
		t.Errorf("%d of %d warnings are in tests", said, len(s.Warnings))
	}
	if got := outcomes(suites[1]); got != "failed skipped skipped skipped skipped skipped skipped skipped skipped skipped passed" {
		t.Errorf("users, which was never backed up: %s", got)
	}
	if got := outcomes(suites[3]); !strings.HasSuffix(got, " failed") {
		t.Errorf("world@world-2, which is damaged: %s", got)
	}
	if s.Severity() != health.Critical || s.Urgent()[0].State.Severity() != health.Critical {
		t.Errorf("%s: %+v", s.Severity(), s.Urgent())
	}
}

func outcomes(s health.Suite) string {
	var out []string
	for _, x := range s.Tests {
		out = append(out, string(x.Outcome))
	}
	return strings.Join(out, " ")
}

// TestSuitesClock fails a test of a source that is dated ahead, of which no warning speaks.
func TestSuitesClock(t *testing.T) {
	w := newWorld(t)
	host := w.clock()
	w.wait(24 * time.Hour)
	w.drill("world", "ahead", w.backup("world", "ahead", nil), verify.Restored)
	s := w.look(health.Options{Now: func() time.Time { return host }})
	x := s.Suites()[1]
	if i := slices.IndexFunc(x.Tests, func(x health.Test) bool { return x.Outcome == health.Failed }); i < 0 || !strings.Contains(x.Tests[i].Message, "clock") {
		t.Errorf("%+v", x)
	}
}

// TestSuitesUnreadable fails the repository when something in it cannot be read.
func TestSuitesUnreadable(t *testing.T) {
	s := &health.Status{ExitCode: 1, Sources: []*health.Source{{Dataset: "world", Host: "a", State: health.Good}}}
	if got := s.Suites(); got[0].Failed() != 1 || got[1].Failed() != 0 || s.Severity() != health.Caution {
		t.Errorf("%s, %+v", s.Severity(), got)
	}
	if got := (&health.Status{}).Severity(); got != health.Critical {
		t.Errorf("nothing was ever backed up, and that is %s", got)
	}
}
