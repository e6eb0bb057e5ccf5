package main

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"savepoint/internal/bytesize"
	"savepoint/verify/drill"
)

// drillModes is how a drill differs from one of all of the newest snapshot on a bare host.
type drillModes struct {
	scenario, within, sample, most string

	all, against, good, resume bool
	want                       struct {
		within, most time.Duration
		sample       drill.Sample
	}
}

func (m *drillModes) register(f *pflag.FlagSet) {
	f.BoolVar(&m.all, "all", false, "drill every source there is, or every one that --dataset and --host leave, one after the other")
	f.StringVar(&m.scenario, "scenario", drill.Cold, "`cold`: a host that has nothing; warm: this host with its cache, which gives no RTO;\nsite (with --all): everything is restored on one host, and who comes later waits")
	f.StringVar(&m.within, "random-within", "", "the incident is at a moment that is drawn from this `TIME` before now, such as 30d")
	f.StringVar(&m.sample, "sample", "", "restore only a `PART` of the files, drawn anew every time: 5% or 10GiB; this gives no RTO")
	f.BoolVar(&m.against, "against-source", false, "on the host of the source: read all of it, and say what a restore would not bring back")
	f.BoolVar(&m.good, "find-last-good", false, "when the --probe fails, look for the newest older snapshot that passes it")
	f.BoolVar(&m.resume, "resume", false, "make a first backup of what came back, into a repository that is thrown away: backups go on after a restore")
	f.StringVar(&m.most, "max-duration", "", "end the drill after this `DURATION`; it could not run then")
}

// parse reads the flags and refuses what contradicts itself.
func (m *drillModes) parse(a *app, o *drillOptions) error {
	var err error
	if m.want.within, err = objective("--random-within", m.within); err != nil {
		return err
	}
	if m.want.most, err = objective("--max-duration", m.most); err != nil {
		return err
	}
	if m.want.sample, err = parseSample(m.sample); err != nil {
		return err
	}
	part := !m.want.sample.All()
	switch {
	case m.scenario != drill.Cold && m.scenario != drill.Warm && m.scenario != drill.Site:
		return usagef("--scenario %q: cold, warm or site", m.scenario)
	case m.scenario == drill.Site && !m.all:
		return usagef("--scenario site is about all sources: add --all")
	case m.within != "" && o.at != "":
		return usagef("--at and --random-within contradict each other: leave one out")
	case o.rto != "" && part:
		return usagef("--rto and --sample contradict each other: the time that a part takes is no RTO")
	case o.rto != "" && m.scenario == drill.Warm:
		return usagef("--rto and --scenario warm contradict each other: a host that is lost has lost its cache")
	case m.good && (o.probe.name == "" && !a.probed(o.dataset) || o.probe.none() && len(o.probe.args) == 0):
		return usagef("--find-last-good needs a --probe that says what is good")
	case part && o.probe.name != "":
		return usagef("--probe and --sample contradict each other: a part of the files is not what the probe is for")
	case m.all && o.path != "":
		return usagef("--all and a PATH contradict each other: leave one out")
	}
	return nil
}

// parseSample reads a share of the files in percent, or a size with its unit.
func parseSample(text string) (drill.Sample, error) {
	var s drill.Sample
	wrong := usagef("--sample %q: a share of the files above 0%% and below 100%%, such as 5%%, or a size with its unit, such as 10GiB", text)
	if text == "" {
		return s, nil
	}
	if percent, is := strings.CutSuffix(text, "%"); is {
		p, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(p > 0 && p < 100) {
			return s, wrong
		}
		s.Share = p / 100
		return s, nil
	}
	n, err := bytesize.Parse(text)
	if err != nil || n <= 0 || strings.Trim(text, "0123456789.") == "" {
		return s, wrong
	}
	s.Bytes = uint64(n)
	return s, nil
}

// words are the flags as they were typed.
func (m *drillModes) words() []string {
	var out []string
	for _, f := range [][2]string{{"--random-within", m.within}, {"--sample", m.sample}, {"--max-duration", m.most}} {
		if f[1] != "" {
			out = append(out, f[:]...)
		}
	}
	if m.against {
		out = append(out, "--against-source")
	}
	if m.resume {
		out = append(out, "--resume")
	}
	if m.good {
		out = append(out, "--find-last-good")
	}
	if cmp.Or(m.scenario, drill.Cold) != drill.Cold {
		out = append(out, "--scenario", m.scenario)
	}
	return out
}

// probed reports whether the configuration has a probe for a dataset, or, of none in particular, for any.
func (a *app) probed(dataset string) bool {
	for name, e := range a.config.Datasets {
		if e.Drill.Probe != nil && (dataset == "" || name == dataset) {
			return true
		}
	}
	return false
}
