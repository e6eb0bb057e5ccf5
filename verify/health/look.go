package health

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
)

// Options of Look. The zero value looks at every source.
type Options struct {
	// Now is this host's clock; nil is the repository's.
	Now func() time.Time
	// Dataset and Host leave other sources out; empty leaves none out.
	Dataset, Host string
	// Expected are sources that there must be, also when they were never backed up.
	Expected []Expected
	// Command makes a command to show of arguments; nil: "store" and the arguments.
	Command func(args ...string) string
	// Run is the ID of this run.
	Run string
}

// Expected is a source that the configuration names.
type Expected struct{ Dataset, Class, Host string }

func (o Options) withDefaults(r *repo.Repo) Options {
	if o.Now == nil {
		o.Now = r.Options().Now
	}
	if o.Command == nil {
		o.Command = func(args ...string) string { return "store " + strings.Join(args, " ") }
	}
	return o
}

func (o Options) wants(dataset, host string) bool {
	return (o.Dataset == "" || o.Dataset == dataset) && (o.Host == "" || o.Host == host)
}

// sight is what Look has gathered of one source.
type sight struct {
	*Source
	snaps   []*repo.Snapshot
	backups []*report // oldest first
	drills  []*report // with documents, oldest first
	seen    time.Time // the last report
}

// look is one look at a repository.
type look struct {
	o       Options
	now     time.Time
	status  *Status
	sources map[[2]string]*sight
	checks  []*report // with documents, oldest first
	marked  time.Time // when the last pack was marked as damaged, by a host's clock

	corrupt, newer bool // objects are damaged; objects need a newer program
}

// Look reads lists, manifests and reports, and says what they mean. Damage in them is in the Status; an error means that it could not
// look.
func Look(ctx context.Context, r *repo.Repo, o Options) (*Status, error) {
	s, err := r.Survey(ctx)
	if err != nil {
		return nil, err
	}
	l := &look{o: o.withDefaults(r), sources: map[[2]string]*sight{}}
	l.status = &Status{Sources: []*Source{}, Damaged: []string{}, Unreadable: []Unreadable{}, Warnings: []Warning{}, Run: l.o.Run}
	for _, p := range s.Damaged {
		l.status.Damaged = append(l.status.Damaged, p.Name)
		if p.Marked.After(l.marked) {
			l.marked = p.Marked
		}
	}
	l.unreadable(KindSnapshot, s.BadSnapshots)
	l.unreadable(KindReport, s.BadReports)
	l.settleClock(s)
	for _, e := range l.o.Expected {
		if l.o.wants(e.Dataset, e.Host) {
			l.source(e.Dataset, e.Host).Class = e.Class
		}
	}
	for _, snap := range s.Snapshots {
		if l.o.wants(snap.Dataset, snap.Host) {
			x := l.source(snap.Dataset, snap.Host)
			x.snaps = append(x.snaps, snap)
		}
	}
	reports, err := l.decode(ctx, s.Reports)
	if err != nil {
		return nil, err
	}
	l.assign(reports)
	l.judge(s.BadReports == nil)
	return l.status, nil
}

// settleClock decides up to when ages count. The storage's clock cannot be asked without writing; but it was at least what its newest
// object says.
func (l *look) settleClock(s *repo.Survey) {
	l.now = l.o.Now()
	host := l.now
	newest := func(t time.Time) {
		if t.After(l.now) {
			l.now = t
		}
	}
	for _, x := range s.Snapshots {
		newest(x.Stored)
	}
	for _, x := range s.Reports {
		newest(x.Stored)
	}
	l.status.LookedAt = l.now.UTC()
	if behind := l.now.Sub(host); behind > time.Second { // some stores tell whole seconds
		l.status.ClockBehind = behind.Seconds()
	}
}

func (l *look) source(dataset, host string) *sight {
	key := [2]string{dataset, host}
	if l.sources[key] == nil {
		l.sources[key] = &sight{Source: &Source{Dataset: dataset, Host: host, State: Good, Backups: []Count{}, Drills: []Count{}}}
	}
	return l.sources[key]
}

// unreadable notes what a joined error names.
func (l *look) unreadable(kind string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && !isObject(err) {
		for _, e := range joined.Unwrap() {
			l.unreadable(kind, e)
		}
		return
	}
	if err != nil {
		l.newer = l.newer || errors.Is(err, repo.ErrNewer)
		l.corrupt = l.corrupt || errors.Is(err, repo.ErrCorrupt)
		l.status.Unreadable = append(l.status.Unreadable, Unreadable{kind, strings.ReplaceAll(err.Error(), "\n", "; ")})
	}
}

// isObject reports whether an error is about one object, whatever it wraps.
func isObject(err error) bool {
	_, ok := err.(*repo.CorruptError)
	return ok
}

// assign gives reports to their sources. One of a source that nothing else is known of, such as a drill of a name that was mistyped, makes
// none; nor does what was seen last before the window and has no snapshot any more.
func (l *look) assign(reports []*report) {
	for _, rep := range reports {
		switch rep.Kind {
		case record.VerifyReport:
			l.checks = append(l.checks, rep)
		case record.BackupReport:
			x := l.source(rep.Dataset, rep.Host)
			x.backups, x.seen = append(x.backups, rep), rep.at
		case record.DrillReport:
			if l.sources[[2]string{rep.Dataset, rep.Host}] == nil && !cameBack(rep.drill) {
				continue
			}
			x := l.source(rep.Dataset, rep.Host)
			x.drills, x.seen = append(x.drills, rep), rep.at
		}
	}
	for key, x := range l.sources {
		expected := slices.ContainsFunc(l.o.Expected, func(e Expected) bool { return [2]string{e.Dataset, e.Host} == key })
		if !expected && len(x.snaps) == 0 && l.now.Sub(x.seen) > Window {
			delete(l.sources, key)
		}
	}
}

// judge fills in the status. counted says that every report could be read.
func (l *look) judge(counted bool) {
	for _, x := range l.sources {
		x.lookAtBackups(counted)
		x.lookAtDrills(counted)
		l.status.Sources = append(l.status.Sources, x.Source)
	}
	l.lookAtChecks()
	l.warn()
	slices.SortFunc(l.status.Sources, func(a, b *Source) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), exposedSince(a).Compare(exposedSince(b)), strings.Compare(a.Name(), b.Name()))
	})
	l.status.ExitCode = l.exitCode()
}

func (l *look) exitCode() int {
	harmed := slices.ContainsFunc(l.status.Sources, func(s *Source) bool { return s.UnhealedDamage != nil })
	switch {
	case l.corrupt, harmed, l.status.Verify.Unhealed != nil:
		return exitDamage
	case l.newer:
		return exitFailure
	}
	return 0
}

// The exit codes: damage, and that something could not be looked at.
const (
	exitDamage  = 4
	exitFailure = 1
)

// exposedSince returns the start of the recovery point; the zero time when there is none.
func exposedSince(s *Source) time.Time {
	if s.RecoveryPoint == nil {
		return time.Time{}
	}
	return s.RecoveryPoint.WindowStart
}

var errNoDocument = errors.New("it carries no document")
