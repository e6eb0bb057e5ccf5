package drill

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/restore"
	"savepoint/repo/tree"
	"savepoint/verify"
)

// newDocument returns a document in which nothing is known. No list in it is nil but those that are not known.
func (x *run) newDocument() *verify.DrillDocument {
	return &verify.DrillDocument{
		Reasons: []string{}, Commands: []string{}, Dataset: x.o.Dataset, Host: x.o.Host, Damaged: []verify.Lost{}, Program: x.o.Version, Run: x.o.Run,
		RTO:      verify.Recovery{Objective: x.o.RTO.Seconds(), Phases: []verify.Phase{}},
		RPO:      verify.Exposure{Objective: x.o.RPO.Seconds()},
		Compared: verify.Comparison{Differences: []verify.Difference{}, NotCompared: []string{}},
		Conditions: verify.Conditions{Scenario: x.o.Scenario, Full: x.o.Sample.All(), Sample: x.o.Sample.text(), IndexCold: x.o.Scenario != Warm, Root: unix.Geteuid() == 0, CPUs: runtime.GOMAXPROCS(0),
			MemoryBytes: memory(), System: system()},
	}
}

// describeHost notes the conditions that are known once the repository is open.
func (x *run) describeHost() {
	c := &x.doc.Conditions
	c.Machine, c.KeyFrom, c.KeySlot = x.opened.Options().Host, x.opened.KeyFrom, x.opened.Slot()
	c.Throttled, c.StorageLocal = verify.Known(x.opened.Throttled), verify.Known(x.opened.Local)
}

// notIndependent says what lies on the host of the source and so would be lost with it: a host that replaces it would not have had it.
func (x *run) notIndependent() []string {
	out := []string{}
	if x.doc.Conditions.SourceHost != verify.Yes && x.o.Scenario != Site {
		return out
	}
	if x.opened.KeyOnHost {
		out = append(out, "the secret")
	}
	if x.opened.Local {
		out = append(out, "the repository")
	}
	return out
}

// knownSource reports whether there are snapshots of the source that was wanted, though none fits, and names it in full when it is only one.
func (x *run) knownSource(snaps []*repo.Snapshot) bool {
	sources := map[string]*repo.Snapshot{}
	for _, s := range snaps {
		if (x.o.Dataset == "" || s.Dataset == x.o.Dataset) && (x.o.Host == "" || s.Host == x.o.Host) {
			sources[s.Source()] = s
		}
	}
	if len(sources) == 1 {
		for _, s := range sources {
			x.doc.Dataset, x.doc.Host = s.Dataset, s.Host
		}
	}
	return len(sources) == 1 || len(sources) > 1 && x.o.Dataset != ""
}

func complete(s *repo.Snapshot) bool { return s.Completeness == tree.Complete && !s.Suspect }

// recoveryPoint returns the snapshot that the RPO counts from: the newest complete one of the source, at or before the one chosen, that was
// there at the moment of --at. One that was read before that moment and stored after it would have been lost with its host. Nil: none.
func (x *run) recoveryPoint(c repo.Choice) *repo.Snapshot {
	if x.o.At.IsZero() {
		if complete(c.Snapshot) {
			return c.Snapshot
		}
		return c.Clean
	}
	var best *repo.Snapshot
	for _, s := range x.snaps {
		if s.Dataset == c.Dataset && s.Host == c.Host && s.Restorable() && complete(s) && !s.End().After(c.End()) && !published(s).After(x.o.At) &&
			(best == nil || s.End().After(best.End())) {
			best = s
		}
	}
	return best
}

// published returns when a snapshot was stored. A copy that was made by other means has the times of its making: then it is the last time that
// the backup is known to have run at, by the storage's clock.
func published(s *repo.Snapshot) time.Time {
	renewed := time.Unix(0, s.LeaseRenewed)
	if after := s.Stored.Sub(renewed); after < 0 || after > repo.TTL {
		return renewed
	}
	return s.Stored
}

// restored notes what came back and what did not.
func (x *run) restored(res *restore.Result) {
	if res == nil {
		return
	}
	x.doc.Restored = verify.Restore{Files: res.Files, Directories: res.Directories, Others: res.Others, HardLinks: res.HardLinks,
		Bytes: res.Bytes, Fetched: res.FetchedBytes}
	for _, d := range res.Damaged {
		x.lost(d.Path, d.Err)
	}
}

// took notes how much damage took of a snapshot.
func (x *run) took(res *restore.Result) {
	if res != nil && len(res.Damaged) > 0 {
		x.doc.Took = tookOf(res.Lost)
	}
}

func tookOf(l restore.Loss) *verify.Took {
	return &verify.Took{Files: l.Files, Bytes: l.Bytes, AtLeast: l.AtLeast, All: l.All}
}

// lost notes something that damage took.
func (x *run) lost(name string, err error) {
	x.doc.DamagedCnt++
	if len(x.doc.Damaged) >= verify.MaxListed {
		return
	}
	l := verify.Lost{Path: name, Message: oneLine(err)}
	var c *repo.CorruptError
	if errors.As(err, &c) {
		l.Object = c.Object
	}
	x.doc.Damaged = append(x.doc.Damaged, l)
}

// lostManifests notes the unreadable manifests that might have been chosen: those of the source that are as new as the one chosen, or
// newer, and not newer than the incident of --at. With none chosen it is those of the source that was named, or of all when none was.
// The others are said.
func (x *run) lostManifests(bad error, chosen string) {
	folder := "snapshots/"
	switch {
	case chosen != "":
		folder = path.Dir(chosen) + "/"
	case x.o.Dataset != "" && x.o.Host != "":
		folder += x.opened.SourceTag(x.o.Dataset, x.o.Host) + "/"
	}
	from, until := "", "~" // names of manifests begin with the second in which their window began; of one second, none counts as older
	if chosen != "" {
		from, _, _ = strings.Cut(path.Base(chosen), "-")
	}
	if !x.o.At.IsZero() {
		until = x.o.At.UTC().Format("20060102T150405Z") + "~"
	}
	for _, err := range flatten(bad) {
		var c *repo.CorruptError
		if errors.As(err, &c) && strings.HasPrefix(c.Object, folder) && path.Base(c.Object) >= from && path.Base(c.Object) <= until {
			x.lost("", err)
			continue
		}
		x.o.Events.Notice(oneLine(err))
	}
}

// flatten returns the errors of a joined one.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if _, whole := err.(*repo.CorruptError); whole {
		return []error{err}
	}
	j, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range j.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}

// problems notes what the target, or the rights of the process, did not allow. A file or folder that is not there did not come back; for
// anything else it is said that it was not compared.
func (x *run) problems(res *restore.Result) {
	c := &x.doc.Compared
	byOp := map[string]uint64{}
	var ops []string
	for _, p := range res.Problems {
		if p.Missing && holdsData(p.Op) {
			c.DifferenceCount++
			if len(c.Differences) < verify.MaxListed {
				c.Differences = append(c.Differences, verify.Difference{Path: p.Path, What: fmt.Sprintf("is missing, the scratch folder did not take it: %s: %v", p.Op, p.Err)})
			}
			continue
		}
		if byOp[p.Op] == 0 {
			ops = append(ops, p.Op)
		}
		byOp[p.Op]++
	}
	slices.Sort(ops)
	for _, op := range ops {
		c.NotCompared = append(c.NotCompared, fmt.Sprintf("%s: the rights or the file system did not allow to %s", count(byOp[op], "entry", "entries"), op))
	}
}

// holdsData reports whether what a restore could not make holds data, as files and folders do. Links to what is missing miss with it.
func holdsData(op string) bool {
	return op != "create device" && op != "create fifo" && op != "create socket"
}

// report stores what was found. The document that it carries is shortened when it is too long to be carried.
func (x *run) report(ctx context.Context) error {
	d := *x.doc
	document, err := verify.Encode(&d)
	for most := 100; err != nil && most > 0; most /= 10 {
		if d.Loss != nil {
			short := *d.Loss
			short.Listed, short.Damaged = short.Listed[:min(most, len(short.Listed))], short.Damaged[:min(most, len(short.Damaged))]
			d.Loss = &short
		}
		d.Older, d.LostPoints = shortened(d.Older, most), d.LostPoints[:min(most, len(d.LostPoints))]
		d.Damaged, d.Compared.Differences = d.Damaged[:min(most, len(d.Damaged))], d.Compared.Differences[:min(most, len(d.Compared.Differences))]
		document, err = verify.Encode(&d)
	}
	if err != nil {
		return fmt.Errorf("report the drill: %w", err)
	}
	rep := &record.Report{Kind: record.DrillReport, Exit: uint8(d.ExitCode), Message: Line(&d, time.UTC), Document: document,
		Ran: [2]int64{d.Ordered.UnixNano(), d.Ordered.Add(x.watch.since()).UnixNano()}}
	for _, p := range d.RTO.Phases {
		rep.Phases = append(rep.Phases, record.Phase{Name: p.Name, Nanos: uint64(max(0, seconds(p.Seconds)))})
	}
	if err := x.opened.PutReport(ctx, d.Dataset, d.Host, rep); err != nil {
		return fmt.Errorf("the drill's report could not be stored, so nobody will know of it: %w", err)
	}
	return nil
}

// shortened returns the first tries, and the last good one, with one entry of each kind and no output of a probe.
func shortened(older []verify.Older, most int) []verify.Older {
	var out []verify.Older
	good := -1
	for i, o := range older {
		if o.Good {
			good = i
		}
	}
	for i, o := range older {
		if i >= most && i != good {
			continue
		}
		o.Damaged, o.Compared.Differences = o.Damaged[:min(1, len(o.Damaged))], o.Compared.Differences[:min(1, len(o.Compared.Differences))]
		o.Compared.NotCompared = o.Compared.NotCompared[:min(1, len(o.Compared.NotCompared))]
		if o.Probe != nil {
			p := *o.Probe
			p.Output = ""
			o.Probe = &p
		}
		out = append(out, o)
	}
	return out
}

// memory returns how much memory the machine has, 0 when that is not known.
func memory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}

// system names the operating system, its release and the architecture.
func system() string {
	name := runtime.GOOS + "/" + runtime.GOARCH
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		name += " " + unix.ByteSliceToString(u.Release[:])
	}
	return name
}
