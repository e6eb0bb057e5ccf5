package drill_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"savepoint/internal/needtest"
	"savepoint/repo/restore"
	"savepoint/verify"
	"savepoint/verify/drill"
	"savepoint/verify/probe"
)

func needIsolation(t *testing.T, isolation probe.Isolation) {
	t.Helper()
	if err := probe.Check(t.Context(), probe.Spec{Argv: []string{"sh"}, Isolation: isolation}); err != nil {
		needtest.Without(t, "namespaces", err.Error())
	}
}

func script(text string) *probe.Spec { return &probe.Spec{Argv: []string{"sh", "-c", text}} }

func TestProbe(t *testing.T) {
	needIsolation(t, probe.Full)
	for _, tt := range []struct {
		name    string
		spec    *probe.Spec
		verdict verify.Verdict
		exit    int
		result  string
		says    string // by the first reason
	}{
		{"passes", script("test -f players/1 && rm -r players && touch new && echo checked 4"), verify.Pass, 0, verify.ProbePassed, ""},
		{"fails", script("echo 3 items twice; exit 1"), verify.Damage, 4, verify.ProbeFailed, "The probe sh failed: it ended with exit code 1."},
		{"says nothing", script("true"), verify.Damage, 4, verify.ProbeFailed, "The probe sh failed: it did not say"},
		{"a built-in one", &probe.Spec{Argv: []string{"files", "--least", "2", "**"}}, verify.Pass, 0, verify.ProbePassed, ""},
		{"a built-in one fails", &probe.Spec{Argv: []string{"files", "--least", "9", "**"}}, verify.Damage, 4, verify.ProbeFailed, "The probe files failed: \"**\" matches 2 files"},
		{"hangs", &probe.Spec{Argv: []string{"sleep", "1000"}, Timeout: 100 * time.Millisecond}, verify.Damage, 4, verify.ProbeFailed, "The probe sleep failed: it did not end within 100ms"},
		{"not isolated", &probe.Spec{Argv: []string{"echo", "checked 1"}, Isolation: probe.None}, verify.Pass, 0, verify.ProbePassed, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			o := w.options()
			o.Probe = tt.spec
			d, _ := w.run(o, tt.verdict, tt.exit)
			if d.Probe == nil || d.Probe.Result != tt.result || d.Conditions.Isolation != d.Probe.Isolation || d.Conditions.Isolation == "" {
				t.Fatalf("%+v", d.Probe)
			}
			if tt.says != "" && (len(d.Reasons) != 1 || !strings.HasPrefix(d.Reasons[0], tt.says)) || tt.says == "" && len(d.Reasons) > 0 {
				t.Errorf("reasons %q", d.Reasons)
			}
			sum := 0.0
			for _, p := range d.RTO.Phases {
				sum += p.Seconds
			}
			want := sum
			if tt.verdict == verify.Damage { // nothing that will do came back
				want = 0
			}
			if len(d.RTO.Phases) != 8 || d.RTO.Phases[7].Seconds <= 0 || want < d.RTO.Seconds-1e-6 || want > d.RTO.Seconds+1e-6 || sum < d.Probe.Seconds {
				t.Errorf("%+v, probe %f s", d.RTO, d.Probe.Seconds)
			}
			if (d.Recovered == verify.Yes) != (tt.verdict == verify.Pass) || (d.RPO.Seconds > 0) != (tt.verdict == verify.Pass) {
				t.Errorf("recovered: %v, RPO %+v", d.Recovered, d.RPO)
			}
			if _, stored := w.report(); stored == nil || stored.Verdict != tt.verdict || stored.Probe == nil || stored.Probe.Result != tt.result {
				t.Errorf("reported %+v", stored)
			}
		})
	}
}

// TestProbeNotRun has probes that are not run: nothing is green by them.
func TestProbeNotRun(t *testing.T) {
	needIsolation(t, probe.Full)
	w := newWorld(t)
	restored := false
	o := w.options()
	o.Probe = &probe.Spec{Argv: []string{"/nonexistent/probe"}}
	o.Events.Planned = func(restore.Plan) { restored = true }
	d, err := w.run(o, verify.CouldNotRun, 1)
	if d.Probe == nil || d.Probe.Result != verify.ProbeNotRun || !strings.Contains(err.Error(), "there is no /nonexistent/probe") || restored {
		t.Errorf("%+v, %v, restored %t", d.Probe, err, restored)
	}
	if rep, _ := w.report(); rep == nil {
		t.Error("nothing was reported")
	}

	o = w.options()
	script := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(script, []byte("#!/nonexistent\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	o.Probe = &probe.Spec{Argv: []string{script}}
	if d, err := w.run(o, verify.CouldNotRun, 1); d.Probe.Result != verify.ProbeNotRun || !strings.Contains(err.Error(), "interpreter") {
		t.Errorf("%+v, %v", d.Probe, err)
	}

	o = w.options()
	o.Probe = &probe.Spec{Argv: []string{"sh", "-c", "echo checked 1"}}
	o.Events.Comparing = func(uint64, uint64) {
		if err := os.WriteFile(filepath.Join(w.base, o.Run, "restored", "players", "1"), []byte("another!"), 0o644); err != nil {
			t.Error(err)
		}
	}
	d, err = w.run(o, verify.Damage, 4)
	if d.Probe.Result != verify.ProbeNotRun || d.Probe.Message == "" || !errors.Is(err, drill.ErrDamage) || d.Compared.DifferenceCount != 1 {
		t.Errorf("%+v, %v", d.Probe, err)
	}
}

// TestProbeObjective has the time of the probe count, and that of the comparison not.
func TestProbeObjective(t *testing.T) {
	needIsolation(t, probe.Full)
	w := newWorld(t)
	o := w.options()
	now := time.Now()
	o.Now = func() time.Time { return now }
	o.RTO = time.Minute
	o.Probe = script("echo checked 1")
	o.Events.Comparing = func(uint64, uint64) { now = now.Add(time.Hour) }
	o.Events.Probing = func() {}
	if d, _ := w.run(o, verify.Pass, 0); !d.RTO.Met || d.RTO.Seconds > 60 {
		t.Errorf("%+v", d.RTO)
	}
	o = w.options()
	o.RTO = time.Millisecond
	o.Probe = script("sleep 0.05; echo checked 1")
	if d, _ := w.run(o, verify.ObjectiveMissed, 5); d.RTO.Phases[7].Seconds < 0.05 {
		t.Errorf("%+v", d.RTO)
	}
}
