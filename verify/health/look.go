package health

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/verify"
	"savepoint/verify/measure"
)

// Options of Look. The zero value looks at every source.
type Options struct {
	// Now is this host's clock; nil is the repository's.
	Now func() time.Time
	// Dataset and Host leave other sources out; empty leaves none out.
	Dataset, Host string
	// Expected are sources that there must be, also when they were never backed up.
	Expected []Expected
	// Here is the name of this host: a command for a source of another name says which.
	Here string
	// Zone is that of times in what is said to people; nil is UTC.
	Zone *time.Location
	// Command makes a command to show of arguments; nil: "store" and the arguments.
	Command func(args ...string) string
	// Plan is what the configuration says of a source; nil says nothing. Quota is how many bytes the packs may have, 0: not said.
	Plan  func(dataset, host string) Plan
	Quota uint64
	// Expect returns how many files and bytes a backup like this one must have at least, else it is suspect; nil: it expects nothing.
	Expect func(*repo.Snapshot) (files, bytes uint64)
	// Prices are what the store charges; none is known of the zero value.
	Prices measure.Prices
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
	if o.Zone == nil {
		o.Zone = time.UTC
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
	backups []*report       // oldest first
	drills  []*report       // with documents, oldest first
	seen    time.Time       // the last report
	damage  []*report       // faults that drills found and that nothing has seen healed, oldest first
	wholes  []*report       // what came back whole in drills, oldest first
	lost    map[string]bool // IDs of snapshots that are gone and that nobody forgot
}

// look is one look at a repository.
type look struct {
	o       Options
	r       *repo.Repo
	host    time.Time // this host's clock
	now     time.Time // the latest of that and what the storage has shown
	status  *Status
	sources map[[2]string]*sight
	trials  []*report          // drills of any source, oldest first
	checks  []*report          // verifications, oldest first
	hit     map[string]*report // by ID the snapshots that lose something, with the last verification that says so and whose damage nothing has seen healed
	bad     map[string]bool    // IDs of snapshots whose manifests cannot be read
	whole   time.Time          // since when every pack has been read back and found whole; zero when that cannot be said
	days    verify.ReadBack    // what the last verification that could count says of reading back
	marked  time.Time          // when the last pack was marked as damaged, by a host's clock

	snapshots      bool // there are some, of any source
	corrupt, newer bool // objects are damaged; objects need a newer program

	mu  sync.Mutex
	got gathered
}

// Look reads lists, manifests and reports, and says what they mean. Damage in them is in the Status; an error means that it could not
// look.
func Look(ctx context.Context, r *repo.Repo, o Options) (*Status, error) {
	l := newLook(r, o)
	s, err := r.Survey(ctx, l.take)
	if err != nil {
		return nil, err
	}
	l.status.Copied = s.Copied
	for _, p := range s.Damaged {
		l.status.Damaged = append(l.status.Damaged, p.Name)
		if p.Marked.After(l.marked) {
			l.marked = p.Marked
		}
	}
	l.lookAtConfig(r.ReadOnly())
	l.unreadable(KindSnapshot, s.BadSnapshots)
	l.unreadable(KindReport, s.BadReports)
	for _, name := range s.BadRecords {
		l.unreadable(KindRecord, &repo.CorruptError{Object: name, Err: errRecord})
	}
	l.settleLost(s.Lost)
	l.settle(s)
	l.lookAtTrust(s)
	l.snapshots = len(s.Snapshots) > 0
	l.status.Missing = missing(s.Reports, s.Snapshots, l.now, uint64(l.status.count(KindReport)))
	if err := l.judge(ctx, s.BadReports == nil); err != nil {
		return nil, err
	}
	return l.status, nil
}

func newLook(r *repo.Repo, o Options) *look {
	l := &look{o: o.withDefaults(r), r: r, sources: map[[2]string]*sight{}, hit: map[string]*report{}, bad: map[string]bool{}}
	l.got = gathered{kits: map[string]*KitProof{}, reports: map[*repo.StoredReport]*report{}, bad: map[*repo.StoredReport]error{}, read: map[record.PackRef]time.Time{}}
	l.status = &Status{Sources: []*Source{}, Damaged: []string{}, Unreadable: []Unreadable{}, Warnings: []Warning{}, Run: l.o.Run,
		Trust: TrustChanges{Keys: []KeyChange{}, Kits: []KitState{}, NewHosts: []string{}, Outdated: []Outdated{}}}
	return l
}

// settle gives snapshots and reports to their sources.
func (l *look) settle(s *repo.Survey) {
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
	l.assign(l.sorted(s.Reports))
}

// settleClock decides up to when ages count. The storage's clock cannot be asked without writing; but it was at least what its newest
// object says.
func (l *look) settleClock(s *repo.Survey) {
	l.host = l.o.Now()
	var shown time.Time
	newest := func(t time.Time) {
		if t.After(shown) {
			shown = t
		}
	}
	for _, x := range s.Snapshots {
		newest(x.Stored)
	}
	for _, x := range s.Reports {
		newest(x.Stored)
	}
	l.now = l.host
	if shown.After(l.now) {
		l.now = shown
	}
	l.status.LookedAt, l.status.Newest = l.now.UTC(), shown.UTC()
	if behind := l.now.Sub(l.host); behind > time.Second { // some stores tell whole seconds
		l.status.ClockBehind = behind.Seconds()
	}
}

func (l *look) source(dataset, host string) *sight {
	key := [2]string{dataset, host}
	if l.sources[key] == nil {
		l.sources[key] = &sight{Source: &Source{Dataset: dataset, Host: host, State: Good, Backups: []Count{}, Drills: []Count{}, Damages: []SnapshotDamage{}, Lost: []verify.LostPoint{}}}
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
		var c *repo.CorruptError
		if kind == KindSnapshot && errors.As(err, &c) {
			l.bad[idOf(c.Object)] = true
		}
		l.newer = l.newer || errors.Is(err, repo.ErrNewer)
		l.corrupt = l.corrupt || errors.Is(err, repo.ErrCorrupt)
		l.status.Unreadable = append(l.status.Unreadable, Unreadable{kind, strings.ReplaceAll(err.Error(), "\n", "; ")})
	}
}

// lookAtConfig notes that the object config is damaged or gone, as opening the repository found it: why nothing may be written.
func (l *look) lookAtConfig(readOnly error) {
	if errors.Is(readOnly, repo.ErrCorrupt) {
		l.corrupt = true
		l.status.Unreadable = append(l.status.Unreadable, Unreadable{KindConfig, strings.ReplaceAll(readOnly.Error(), "\n", "; ")})
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
			l.trials = append(l.trials, rep)
			if l.sources[[2]string{rep.Dataset, rep.Host}] == nil && !cameBack(rep.drill) {
				continue
			}
			x := l.source(rep.Dataset, rep.Host)
			x.drills, x.seen = append(x.drills, rep), rep.at
		}
	}
	for key, x := range l.sources {
		expected := slices.ContainsFunc(l.o.Expected, func(e Expected) bool { return [2]string{e.Dataset, e.Host} == key })
		if !expected && len(x.snaps) == 0 && x.LostCount == 0 && l.now.Sub(x.seen) > Window {
			delete(l.sources, key)
		}
	}
}

// proveKit notes the last drill that proved each recovery kit. It is called under the lock. When the report was stored counts, unless the drill says
// that it was earlier.
func (l *look) proveKit(rep *report) {
	k := rep.drill.Kit
	if k == nil || !cameToData(rep.drill) {
		return
	}
	at := earlier(k.Proven, rep.at).UTC()
	if old := l.got.kits[k.Slot]; old == nil || at.After(old.Proven) || at.Equal(old.Proven) && rep.Name > old.Object {
		l.got.kits[k.Slot] = &KitProof{Proven: at, Slot: k.Slot, Object: rep.Name}
	}
}

// judge fills in the status. counted says that every report could be read.
func (l *look) judge(ctx context.Context, counted bool) error {
	unhealed := l.lookAtChecks()
	if err := l.findHit(ctx, unhealed); err != nil {
		return err
	}
	for _, x := range l.sources {
		l.lookAtDrills(x, counted)
		l.lookAtBackups(x, counted)
		l.countPoints(x)
		l.status.Sources = append(l.status.Sources, x.Source)
	}
	l.countRepository(counted)
	l.measure(counted)
	l.lookAtPrograms()
	l.warn()
	slices.SortFunc(l.status.Sources, func(a, b *Source) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), exposedSince(a).Compare(exposedSince(b)), strings.Compare(a.Name(), b.Name()))
	})
	l.fillFigures()
	l.status.ExitCode = l.exitCode()
	return l.fillDocuments(ctx)
}

// document returns the document of a report, which is read again when it was too long to keep; nil when it cannot be read any more.
func (l *look) document(ctx context.Context, r *report) (json.RawMessage, error) {
	if r.Document == nil {
		again, err := l.r.Report(ctx, r.Name)
		switch {
		case errors.Is(err, repo.ErrCorrupt), errors.Is(err, repo.ErrNewer):
			return nil, nil
		case err != nil:
			return nil, err
		}
		return again.Document, nil
	}
	return r.Document, nil
}

// fillDocuments puts the documents into what is shown.
func (l *look) fillDocuments(ctx context.Context) error {
	var err error
	fill := func(to *json.RawMessage, r *report) {
		if *to == nil && err == nil {
			*to, err = l.document(ctx, r)
		}
	}
	for _, x := range l.status.Sources {
		x.Measured = x.measured
		for _, d := range []*Drill{x.LastDrill, x.LastProven, x.Measured, x.UnhealedDamage, x.FailedProbe} {
			if d != nil {
				fill(&d.Document, d.rep)
			}
		}
	}
	v := &l.status.Verify
	for _, c := range []*Check{v.Structure.Last, v.Data.Last, v.Part, v.Unhealed} {
		if c != nil && c.rep.check != nil {
			fill(&c.Document, c.rep)
		}
	}
	return err
}

func (l *look) exitCode() int {
	harmed := slices.ContainsFunc(l.status.Sources, func(s *Source) bool { return s.UnhealedDamage != nil || s.FailedProbe != nil || s.LostCount > 0 })
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

var errRecord = errors.New("it cannot be read, and may be about any pack")
