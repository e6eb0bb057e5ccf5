package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// namePattern is what a dataset's name looks like.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// A fault is what is wrong with the value of a key: where is the key's place, and
// index which of the values of a list; -1: all of it.
type fault struct {
	where []string
	index int
	err   error
}

func (f *fault) Error() string { return f.err.Error() }

// faultf returns what is wrong with a key as a whole.
func faultf(key, format string, args ...any) error {
	return &fault{where: strings.Split(key, "."), index: -1, err: fmt.Errorf(format, args...)}
}

// shared is what a file says for all of its datasets.
type shared struct {
	zone   *time.Location
	prices *Prices
	quota  uint64
}

// build makes values of the text of one dataset. Its errors are *fault, with places
// within the dataset.
func build(name string, d datasetText, s shared) (*Effective, error) {
	e := &Effective{Name: name, Timezone: s.zone, Prices: s.prices, Quota: s.quota, Origins: map[string]Origin{}}
	for _, x := range d.entries() {
		if x.given() {
			e.Origins[x.key] = Origin{From: FromFile}
		}
	}
	var err error
	if e.Class, err = parseClass(d.Class); err != nil {
		return nil, err
	}
	d.preset(defaults(e.Class), FromClass, e.Origins)
	d.preset(programDefaults(), FromProgram, e.Origins)
	for _, part := range []func(*datasetText) error{e.buildPlaces, e.buildTimes, e.buildCounts, e.buildTolerate, e.buildDrill} {
		if err := part(&d); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func parseClass(text string) (Class, error) {
	switch c := Class(text); c {
	case ClassUser, ClassState, ClassTransactional, ClassLog:
		return c, nil
	case "":
		return "", faultf("class", "has no class: user, state, transactional or log")
	}
	return "", faultf("class", "class %q is none of user, state, transactional and log", text)
}

// buildPlaces checks hosts and paths. That no path stands in two datasets is for
// others to see to.
func (e *Effective) buildPlaces(d *datasetText) error {
	for i, h := range d.Hosts {
		if !line(h) || strings.ContainsAny(h, " /") {
			return &fault{[]string{"hosts"}, i, fmt.Errorf("host %q is no name of a host", h)}
		}
		if slices.Contains(e.Hosts, h) {
			return &fault{[]string{"hosts"}, i, fmt.Errorf("host %s stands there already", h)}
		}
		e.Hosts = append(e.Hosts, h)
	}
	if len(d.Paths) == 0 {
		return faultf("paths", "has no paths")
	}
	for i, p := range d.Paths {
		clean, problem := cleanPath(p)
		if problem != "" {
			return &fault{[]string{"paths"}, i, fmt.Errorf("path %q %s", p, problem)}
		}
		e.Paths = append(e.Paths, clean)
	}
	return nil
}

// buildTimes reads schedules and lengths of time.
func (e *Effective) buildTimes(d *datasetText) error {
	for _, x := range []struct {
		key, text string
		into      **Schedule
	}{{"schedule", d.Schedule, &e.Schedule}, {"full", d.Full, &e.Full}, {"drill.schedule", d.Drill.Schedule, &e.Drill.Schedule}} {
		if x.text == "" {
			continue
		}
		s, err := ParseSchedule(x.text, e.Timezone)
		if err != nil {
			return faultf(x.key, "%s %q: %w", x.key, x.text, err)
		}
		*x.into = s
	}
	for _, x := range []struct {
		key, text string
		into      *time.Duration
	}{{"objectives.rpo", d.Objectives.RPO, &e.Objectives.RPO}, {"objectives.rto", d.Objectives.RTO, &e.Objectives.RTO}, {"drill.timeout", d.Drill.Timeout, &e.Drill.Timeout}} {
		if x.text == "" || x.text == none && x.key != "drill.timeout" {
			continue
		}
		span, err := parseSpan(x.text)
		if err == nil && span == 0 {
			err = errors.New("is not more than nothing")
		}
		if err != nil {
			return faultf(x.key, "%s %q %w", x.key, x.text, err)
		}
		*x.into = span
	}
	for _, x := range []struct {
		key, text string
		into      **time.Duration
	}{{"recovery.detect", d.Recovery.Detect, &e.Recovery.Detect}, {"recovery.decide", d.Recovery.Decide, &e.Recovery.Decide}, {"recovery.cutover", d.Recovery.Cutover, &e.Recovery.Cutover}} {
		if x.text == "" {
			continue
		}
		span, err := parseSpan(x.text)
		if err == nil && span > maxRecovery {
			err = errors.New("is longer than a year")
		}
		if err != nil {
			return faultf(x.key, "%s %q %w", x.key, x.text, err)
		}
		*x.into = &span
	}
	return nil
}

// maxRecovery bounds what people and switches take, so that sums are lengths of time.
const maxRecovery = 366 * 24 * time.Hour

// buildCounts reads what is kept and expected.
func (e *Effective) buildCounts(d *datasetText) error {
	k := &e.Keep
	for _, x := range []struct {
		key, text string
		into      *int
	}{{"last", d.Keep.Last, &k.Last}, {"hourly", d.Keep.Hourly, &k.Hourly}, {"daily", d.Keep.Daily, &k.Daily},
		{"weekly", d.Keep.Weekly, &k.Weekly}, {"monthly", d.Keep.Monthly, &k.Monthly}, {"yearly", d.Keep.Yearly, &k.Yearly}} {
		if x.text == "" {
			continue
		}
		n, err := parseCount(x.text)
		if err != nil {
			return faultf("keep."+x.key, "keep.%s %q %w", x.key, x.text, err)
		}
		*x.into = n
	}
	if (d.Keep != keepText{}) && *k == (Keep{}) {
		return faultf("keep", "keep keeps nothing; leave it out if nothing is to be deleted")
	}
	for _, x := range []struct {
		key, text string
		parse     func(string) (uint64, error)
		into      *uint64
	}{{"expect.files", d.Expect.Files, parseNumber, &e.Expect.Files}, {"expect.bytes", d.Expect.Bytes, parseSize, &e.Expect.Bytes}} {
		if x.text == "" {
			continue
		}
		n, err := x.parse(x.text)
		if err != nil {
			return faultf(x.key, "%s %q %w", x.key, x.text, err)
		}
		*x.into = n
	}
	return nil
}

func (e *Effective) buildTolerate(d *datasetText) error {
	for i, text := range d.Tolerate {
		t, err := parseTolerance(text)
		if err != nil {
			return &fault{[]string{"tolerate"}, i, fmt.Errorf("tolerate: %q %w", text, err)}
		}
		e.Tolerate = append(e.Tolerate, t)
	}
	return nil
}

func (e *Effective) buildDrill(d *datasetText) error {
	probe, err := parseProbe(d.Drill.Probe)
	if err != nil {
		return faultf("drill.probe", "probe: %w", err)
	}
	e.Drill.Probe = probe
	for _, x := range []struct {
		key, text string
		into      *string
	}{{"drill.keys_from", d.Drill.KeysFrom, &e.Drill.KeysFrom}, {"drill.scratch", d.Drill.Scratch, &e.Drill.Scratch}} {
		if x.text == "" {
			continue
		}
		clean, problem := cleanPath(x.text)
		if problem != "" {
			return faultf(x.key, "%s %q %s", x.key, x.text, problem)
		}
		*x.into = clean
	}
	switch e.Drill.Isolation = Isolation(d.Drill.Isolation); e.Drill.Isolation {
	case Full, None:
		return nil
	}
	return faultf("drill.isolation", "drill.isolation %q is neither full nor none", d.Drill.Isolation)
}

// text returns the dataset as the file has it, with all that is preset.
func (e *Effective) text() datasetText {
	d := datasetText{
		Class: string(e.Class), Hosts: e.Hosts, Paths: e.Paths, Schedule: e.Schedule.String(), Full: e.Full.String(),
		Objectives: objectivesText{RPO: objectiveText(e.Objectives.RPO), RTO: objectiveText(e.Objectives.RTO)},
		Expect:     expectText{Files: countText(e.Expect.Files), Bytes: sizeText(e.Expect.Bytes)},
		Drill: drillText{Schedule: e.Drill.Schedule.String(), Probe: e.Drill.Probe.text(), Timeout: SpanText(e.Drill.Timeout),
			KeysFrom: e.Drill.KeysFrom, Isolation: string(e.Drill.Isolation), Scratch: e.Drill.Scratch},
		Recovery: recoveryText{Detect: spanText(e.Recovery.Detect), Decide: spanText(e.Recovery.Decide), Cutover: spanText(e.Recovery.Cutover)},
	}
	d.Keep = e.Keep.text()
	for _, t := range e.Tolerate {
		d.Tolerate = append(d.Tolerate, t.String())
	}
	return d
}
