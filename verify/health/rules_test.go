package health_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"savepoint/verify/health"
)

// age is a rule about what ages: time() - metric > (one limit or another …), the last of which holds for every source. A limit is a number, or a
// metric by a factor.
var age = regexp.MustCompile(`^time\(\) - max by \(dataset, class, host\) \((savepoint_[^)]*)\) > (?:\((.*)\)|(max by .*)|(\d+))$`)

// limitOf is one of the limits.
var limitOf = regexp.MustCompile(`^(?:([0-9.]+) \* )?max by \(dataset, class, host\) \((savepoint_[^)]*)\)(?: \+ (\d+))?$`)

// fires evaluates a rule of docs/operations.md for the one source that samples are of, so many seconds into the epoch.
func fires(t *testing.T, rule string, got map[string]float64, now time.Time) bool {
	t.Helper()
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	expr := regexp.MustCompile(`- alert: ` + rule + `\n +expr: (.*)\n`).FindStringSubmatch(string(b))
	if expr == nil {
		t.Fatalf("there is no rule %s", rule)
	}
	text, unless, but := strings.Cut(expr[1], " unless max by (dataset, class, host) ")
	if but {
		if _, ok := sampleOf(t, got, strings.Trim(unless, "()")); ok {
			return false
		}
	}
	m := age.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%s: %s", rule, expr[1])
	}
	is, ok := sampleOf(t, got, m[1])
	if !ok {
		return false
	}
	limit, err := strconv.ParseFloat("0"+m[4], 64)
	if err != nil {
		t.Fatal(err)
	}
	limits := strings.Split(m[2]+m[3], " or ")
	if m[4] != "" {
		limits = nil
	}
	none := len(limits) > 0 // without any of them nothing is compared
	for _, one := range limits {
		p := limitOf.FindStringSubmatch(one)
		if p == nil {
			t.Fatalf("%s: the limit %s", rule, one)
		}
		v, ok := sampleOf(t, got, p[2])
		if !ok {
			continue
		}
		factor, add := 1.0, 0.0
		if p[1] != "" {
			factor, _ = strconv.ParseFloat(p[1], 64) // digits
		}
		if p[3] != "" {
			add, _ = strconv.ParseFloat(p[3], 64) // digits
		}
		limit, none = factor*v+add, false
		break
	}
	return !none && float64(now.UnixNano())/1e9-is > limit
}

// sampleOf returns the value of a series of world-1, the largest of several.
func sampleOf(t *testing.T, got map[string]float64, selector string) (float64, bool) {
	t.Helper()
	name, trust, _ := strings.Cut(strings.TrimSuffix(selector, "}"), "{")
	v, found := math.Inf(-1), false
	for series, x := range got {
		if strings.HasPrefix(series, name+"{") && strings.Contains(series, trust) {
			v, found = max(v, x), true
		}
	}
	return v, found
}

// TestRulesKnowTheSchedule holds that the rules about age ring for a source by what is configured of it, and for one of which nothing is by a
// number: logs that are backed up every night wake nobody at noon.
func TestRulesKnowTheSchedule(t *testing.T) {
	hourly := func(t time.Time) time.Time { return t.Truncate(time.Hour).Add(time.Hour) }
	for _, tt := range []struct {
		name  string
		plan  health.Plan
		hours float64 // since the backup
		rings string
	}{
		{"hourly", health.Plan{Next: hourly, Interval: time.Hour, RPO: 2 * time.Hour}, 1.4, ""},
		{"hourly", health.Plan{Next: hourly, Interval: time.Hour, RPO: 2 * time.Hour}, 1.6, "BackupMissed"},
		{"hourly", health.Plan{Next: hourly, Interval: time.Hour, RPO: 2 * time.Hour}, 2.1, "SourceSilent BackupMissed RPOExceeded"},
		{"daily logs", health.Plan{Next: nightly(4), Interval: 24 * time.Hour, RPO: 48 * time.Hour}, 30, ""},
		{"daily logs", health.Plan{Next: nightly(4), Interval: 24 * time.Hour, RPO: 48 * time.Hour}, 37, "BackupMissed"},
		{"a class alone, of users", health.Plan{RPO: 2 * time.Hour}, 1.9, ""},
		{"a class alone, of users", health.Plan{RPO: 2 * time.Hour}, 2.1, "SourceSilent BackupMissed RPOExceeded"},
		{"a class alone, of logs", health.Plan{RPO: 48 * time.Hour}, 47, ""},
		{"a class alone, of logs", health.Plan{RPO: 48 * time.Hour}, 49, "SourceSilent BackupMissed RPOExceeded"},
		{"nothing", health.Plan{}, 35, ""},
		{"nothing", health.Plan{}, 37, "SourceSilent BackupMissed RPOBreached"},
	} {
		w := newWorld(t)
		w.counting("world-1", usual())
		w.wait(time.Duration(tt.hours * float64(time.Hour)))
		got := samples(t, w.scrape(health.Options{Plan: func(string, string) health.Plan { return tt.plan }}))
		var rings []string
		for _, rule := range []string{"SourceSilent", "BackupMissed", "RPOBreached", "RPOExceeded"} {
			if fires(t, rule, got, w.clock()) {
				rings = append(rings, rule)
			}
		}
		if strings.Join(rings, " ") != tt.rings {
			t.Errorf("%s, %v hours after a backup: %q rings, want %q", tt.name, tt.hours, rings, tt.rings)
		}
	}
	w := newWorld(t) // never backed up
	o := health.Options{Expected: []health.Expected{{Dataset: "world", Class: "state", Host: "world-1"}}}
	if got := samples(t, w.scrape(o)); !fires(t, "BackupMissed", got, w.clock()) || !fires(t, "SourceSilent", got, w.clock()) {
		t.Error("nothing rings for a source that was never backed up")
	}
}
