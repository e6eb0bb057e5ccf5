package health

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/verify"
)

// Limits of what is kept of a report. A document can have 8 MiB, and there can be many: those that are shown are read again.
const (
	keptDocument = 16 << 10 // bytes
	keptText     = 500      // bytes of a message or a reason
	keptName     = 64       // bytes of a verdict, an ID, a phase or a level
	keptPhases   = 16
	keptCommands = 8
	maxSeconds   = 1e10 // no run took 300 years
	maxCount     = 1e15
)

// kitField stands in the document of a drill that proved a recovery kit: it counts for the repository, whichever sources are looked at.
var kitField = []byte(`"recovery_kit"`)

var errNoDocument = errors.New("it carries no document")

// report is a report with what is kept of its document.
type report struct {
	*repo.StoredReport
	at    time.Time
	drill *verify.DrillDocument
	check *verify.CheckDocument // nil for a verification that did not come to its end

	counted *counted // of a backup; nil when it does not say
	trial   *trial   // of a drill in which everything came back

	lostManifest bool     // of a drill: a manifest that it might have chosen could not be read, or is gone
	manifests    []string // the IDs of those
	older        []tried  // of a drill: what it tried after that
	isOlder      bool     // it stands for one of these
	// onlyOlderThanWanted says of a drill that all of its snapshot came back, and that a newer one was lost.
	onlyOlderThanWanted bool
	dataLost            bool // of a drill: something of the snapshot itself did not come back as it was
	lostFile            string
	silent              bool // of a drill: files of the source differ from it though nothing has changed them
	likeSource          bool // of a drill: it was compared with all of the source that could be read, and no file did so
	probePassed         bool // of a drill, whatever its verdict
	probeFailed         bool // of a drill: all came back as it was, and its probe found it wanting
	harm, seen          bool // of a verification: it found damage; every later one sees that too, whatever it reads
}

// gathered is what was taken of reports, each when it was read.
type gathered struct {
	reports map[*repo.StoredReport]*report
	bad     map[*repo.StoredReport]error // documents that are none
	read    map[record.PackRef]time.Time // when packs were read back
	kits    map[string]*KitProof         // the last of each key slot
}

// take takes what is needed from a report that is read now, and leaves in it no more than that.
func (l *look) take(s *repo.StoredReport) {
	var rep *report
	var err error
	wanted := s.Kind == record.VerifyReport || l.o.wants(s.Dataset, s.Host)
	if wanted || s.Kind == record.DrillReport && bytes.Contains(s.Document, kitField) {
		rep, err = decodeReport(s)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && rep != nil && rep.drill != nil {
		l.proveKit(rep)
	}
	if !wanted {
		rep, err = nil, nil
	}
	if rep != nil {
		l.got.reports[s] = rep
	}
	if err != nil {
		l.got.bad[s] = err
	}
	if s.Kind == record.VerifyReport {
		for _, b := range s.ReadBack {
			if t := earlier(time.Unix(0, b.Time), s.Stored); t.After(l.got.read[b.PackRef]) {
				l.got.read[b.PackRef] = t
			}
		}
	}
	if s.Usage = keptUsage(s.Usage); s.Kind != record.BackupReport {
		s.Usage = nil
	}
	s.Stats, s.Phases, s.ReadBack, s.Message = nil, nil, nil, cut(s.Message, keptText)
	if len(s.Document) > keptDocument {
		s.Document = nil
	}
}

// sorted returns the reports that are looked at in order of time. A drill or verification whose document is none counts as none, and is
// noted.
func (l *look) sorted(stored []*repo.StoredReport) []*report {
	var out []*report
	for _, s := range stored {
		l.unreadable(KindDocument, l.got.bad[s])
		if r := l.got.reports[s]; r != nil {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b *report) int { return a.at.Compare(b.at) })
	return out
}

func decodeReport(s *repo.StoredReport) (*report, error) {
	r := &report{StoredReport: s, at: endOf(s)}
	var err error
	switch {
	case s.Kind == record.BackupReport:
		r.counted = countedOf(s.Report)
		return r, nil
	case s.Kind != record.DrillReport && s.Kind != record.VerifyReport: // of a later program
		return nil, nil
	case len(s.Document) == 0 && s.Kind == record.VerifyReport && s.Exit != 0: // it was interrupted, and notes what it read back
		return r, nil
	case len(s.Document) == 0:
		err = errNoDocument
	case s.Kind == record.DrillReport:
		err = r.decodeDrill()
	default:
		err = r.decodeCheck()
	}
	if err != nil {
		return nil, fmt.Errorf("document of %s: %s", s.Name, cut(line(err.Error()), keptText))
	}
	return r, nil
}

// decodeDrill reads the document of a drill. What contradicts its report, or itself, is none.
func (r *report) decodeDrill() error {
	d, err := verify.DecodeDrill(r.Document)
	if err != nil {
		return err
	}
	switch {
	case d.Dataset != r.Dataset || d.Host != r.Host:
		return fmt.Errorf("it is of another source than its report, %w", verify.ErrDocument)
	case !sensible(d):
		return fmt.Errorf("no drill measures such times, %w", verify.ErrDocument)
	case cameWhole(d.Verdict) && (d.Snapshot == "" || foundWanting(d)), d.Verdict == passed && !probePassed(d):
		return fmt.Errorf("its verdict is not what it found, %w", verify.ErrDocument)
	}
	manifests := uint64(0)
	for _, x := range d.Damaged {
		if r.lostFile == "" {
			r.lostFile = cut(x.Path, keptText)
		}
		if x.Path == "" && strings.HasPrefix(x.Object, "snapshots/") {
			manifests++
			r.keepManifest(idOf(x.Object))
		}
	}
	if r.lostFile == "" && len(d.Compared.Differences) > 0 {
		r.lostFile = cut(d.Compared.Differences[0].Path, keptText)
	}
	if l := d.Loss; l != nil {
		r.silent, r.likeSource = l.DamagedCount > 0, l.DamagedCount == 0 && l.Unreadable == 0 && l.Same+l.Changed > 0
		if r.lostFile == "" && len(l.Damaged) > 0 {
			r.lostFile = cut(l.Damaged[0].Path, keptText)
		}
	}
	for _, p := range d.LostPoints {
		r.keepManifest(p.Snapshot)
	}
	r.keepOlder(d.Older)
	r.lostManifest, r.dataLost = manifests > 0 || len(d.LostPoints) > 0, d.DamagedCnt > manifests || d.Compared.DifferenceCount > 0
	r.probePassed = probePassed(d)
	r.probeFailed = d.Probe != nil && d.Probe.Result == verify.ProbeFailed && d.DamagedCnt+d.Compared.DifferenceCount == 0
	r.onlyOlderThanWanted = len(d.LostPoints) > 0 && !r.dataLost && !r.silent && d.Compared.Entries > 0
	r.trial = trialOf(d)
	r.drill = &verify.DrillDocument{Verdict: verify.Verdict(cut(string(d.Verdict), keptName)), Snapshot: cut(d.Snapshot, keptName), Incident: d.Incident, At: d.At,
		Conditions:  verify.Conditions{Scenario: cut(d.Conditions.Scenario, keptName), Full: d.Conditions.Full, Sample: cut(d.Conditions.Sample, keptName), Isolation: cut(d.Conditions.Isolation, keptName)},
		WindowStart: d.WindowStart, WindowEnd: d.WindowEnd, RTO: verify.Recovery{Seconds: d.RTO.Seconds, Judged: d.RTO.Judged}, RPO: verify.Exposure{Seconds: d.RPO.Seconds}, Restored: d.Restored,
		Leaks: min(d.Leaks, maxCount)}
	for _, what := range d.Conditions.NotIndependent[:min(keptCommands, len(d.Conditions.NotIndependent))] {
		r.drill.Conditions.NotIndependent = append(r.drill.Conditions.NotIndependent, cut(what, keptName))
	}
	if d.Kit != nil {
		r.drill.Kit = &verify.KitProof{Slot: cut(d.Kit.Slot, 4*keptName), Proven: d.Kit.Proven}
	}
	for _, p := range d.RTO.Phases[:min(keptPhases, len(d.RTO.Phases))] {
		r.drill.RTO.Phases = append(r.drill.RTO.Phases, verify.Phase{Name: cut(p.Name, keptName), Seconds: p.Seconds, Requests: min(p.Requests, maxCount)})
	}
	for _, x := range d.Reasons[:min(1, len(d.Reasons))] {
		r.drill.Reasons = []string{cut(x, keptText)}
	}
	return nil
}

// keepManifest notes a manifest that a drill missed.
func (r *report) keepManifest(id string) {
	if len(r.manifests) < keptOlder {
		r.manifests = append(r.manifests, cut(id, keptName))
	}
}

// probePassed reports whether a document says that a probe looked at something and found it good.
func probePassed(d *verify.DrillDocument) bool {
	return d.Probe != nil && d.Probe.Result == verify.ProbePassed && d.Probe.Checked > 0
}

// foundWanting reports whether a document tells of something that is damage, whatever verdict it gives.
func foundWanting(d *verify.DrillDocument) bool {
	return d.DamagedCnt > 0 || d.Compared.DifferenceCount > 0 || len(d.LostPoints) > 0 || d.Loss != nil && d.Loss.DamagedCount > 0 || d.Probe != nil && d.Probe.Result == verify.ProbeFailed
}

// sensible reports whether a drill's times can be times.
func sensible(d *verify.DrillDocument) bool {
	in := func(s float64) bool { return s >= 0 && s <= maxSeconds }
	return in(d.RTO.Seconds) && in(d.RPO.Seconds) && !slices.ContainsFunc(d.RTO.Phases, func(p verify.Phase) bool { return !in(p.Seconds) })
}

// decodeCheck reads the document of a verification.
func (r *report) decodeCheck() error {
	d, err := verify.DecodeCheck(r.Document)
	if err != nil {
		return err
	}
	if max(d.FindingCnt, d.Structure.Packs, d.ReadBack.Never) > maxCount {
		return fmt.Errorf("no repository has so much, %w", verify.ErrDocument)
	}
	r.harm, r.seen = harms(d), seenByStructure(d)
	r.check = &verify.CheckDocument{Level: cut(d.Level, keptName), Complete: d.Complete, Stopped: cut(d.Stopped, keptName), ExitCode: d.ExitCode, FindingCnt: d.FindingCnt, Structure: d.Structure, ReadBack: d.ReadBack}
	r.check.Scope = keptScope(d.Scope)
	r.check.ReadBack.Days = slices.Clone(d.ReadBack.Days[:min(verify.MaxDays, len(d.ReadBack.Days))])
	for _, f := range d.Findings {
		if harmful(f) {
			r.check.Findings = []verify.Finding{{Object: cut(f.Object, keptText), Message: cut(f.Message, keptText), Next: cut(f.Next, keptText),
				Commands: whole(f.Commands), Harm: f.Harm}}
			break
		}
	}
	for _, h := range d.Hit {
		if len(h.Paths) > 0 && len(h.Paths[0]) <= keptText {
			r.check.Hit = []verify.Hit{{Snapshot: cut(h.Snapshot, keptName), Paths: []string{strings.Clone(h.Paths[0])}}}
			break
		}
	}
	return nil
}

// whole returns those of some commands that are short enough to be kept: a part of one is none.
func whole(commands []string) []string {
	var out []string
	for _, c := range commands {
		if len(c) <= keptText && len(out) < keptCommands {
			out = append(out, strings.Clone(c))
		}
	}
	return out
}

// endOf returns when a run ended. What the report says is authentic; it was stored later, or much later when it lies in a copy.
func endOf(s *repo.StoredReport) time.Time {
	if t := time.Unix(0, s.Ran[1]); s.Ran[1] > 0 && t.Before(s.Stored) {
		return t.UTC()
	}
	return s.Stored.UTC()
}

// cut returns a copy of a text, of n bytes at most: what it was cut from need not be kept.
func cut(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return strings.Clone(s)
}

// line returns what a line can hold: it comes from a document, and has no full stop at its end.
func line(s string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text(s)), " .")
}

// text returns what a label can hold: bytes that are not UTF-8 are written as \xHH, so that two names stay two.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
