package measure

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sighting is a report that a host wrote with a version of the program.
type Sighting struct {
	Host, Version string
	At            time.Time
}

// NewHosts returns the hosts, in order, whose first report came after a moment: nobody may have expected them. None is new when nothing is
// older, as in a repository that has just begun.
func NewHosts(seen []Sighting, since time.Time) []string {
	first := map[string]time.Time{}
	known := false
	for _, s := range seen {
		if t, ok := first[s.Host]; !ok || s.At.Before(t) {
			first[s.Host] = s.At
		}
		known = known || !s.At.After(since)
	}
	if !known {
		return nil
	}
	maps.DeleteFunc(first, func(_ string, t time.Time) bool { return !t.After(since) })
	return slices.Sorted(maps.Keys(first))
}

// Outdated returns the newest version that any host used, and the hosts, in order, whose last report came from an older one. What is no version,
// as that of a build from source, is neither newer nor older.
func Outdated(seen []Sighting) (newest string, hosts []string) {
	last := map[string]Sighting{}
	for _, s := range seen {
		if old, ok := last[s.Host]; !ok || !s.At.Before(old.At) {
			last[s.Host] = s
		}
	}
	var top *parsed
	for _, s := range seen {
		if v := parse(s.Version); v != nil && (top == nil || v.compare(top) > 0) {
			top, newest = v, s.Version
		}
	}
	for _, h := range slices.Sorted(maps.Keys(last)) {
		if v := parse(last[h].Version); v != nil && v.compare(top) < 0 {
			hosts = append(hosts, h)
		}
	}
	return newest, hosts
}

// parsed is a version: v1.2.3, or v1.2.3-rc1, which is older.
type parsed struct {
	numbers [3]uint64
	before  string
}

func parse(version string) *parsed {
	core, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "+")
	core, before, _ := strings.Cut(core, "-")
	p := &parsed{before: before}
	parts := strings.Split(core, ".")
	if len(parts) != len(p.numbers) {
		return nil
	}
	for i, s := range parts {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return nil
		}
		p.numbers[i] = n
	}
	return p
}

func (p *parsed) compare(o *parsed) int {
	if c := slices.Compare(p.numbers[:], o.numbers[:]); c != 0 {
		return c
	}
	if (p.before == "") != (o.before == "") {
		return cmp.Compare(o.before, p.before) // a release is newer than what came before it
	}
	return cmp.Compare(p.before, o.before)
}
