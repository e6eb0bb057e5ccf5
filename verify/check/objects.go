package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/verify"
)

// objects is what the small objects of a repository said.
type objects struct {
	snapshots []*repo.Snapshot  // that are looked at and can be read, newest window first
	all       []*repo.Snapshot  // those that are not looked at among them
	lost      []repo.Object     // manifests that cannot be read
	unread    []string          // manifests that the store does not give
	sources   map[string]string // by the folder of their snapshots
	reports   []*repo.StoredReport
	losses    *repo.Losses // of what reports of backups say was published
	chains    chains
}

// takeListed takes in what was read when the repository was listed.
func (c *checker) takeListed() {
	for _, s := range c.x.Condemned {
		c.small(CodeCondemned, verify.Risk, s.Object, "backups store everything again until it is whole; "+c.putBack())
	}
	for _, s := range c.x.Gone {
		c.small(CodeCondemned, verify.Note, s.Object, "nothing: a later prune removes it")
	}
	for _, s := range c.x.Marks {
		c.small(CodeMark, verify.Risk, s.Object, "backups store everything again until it is whole; "+c.putBack())
	}
	c.takeSnapshots()
}

// lookAtObjects reads everything else but segments, packs and trees.
func (c *checker) lookAtObjects(ctx context.Context) error {
	if c.o.Scope.OfSnapshots() {
		return c.lookAtScope(ctx)
	}
	config, err := c.x.Config(ctx)
	if err != nil {
		return err
	}
	c.small(CodeConfig, verify.Risk, config, "nothing is lost: everything is read with the copy in the key slot, and nothing is written until config is whole; "+c.putBack())
	if err := c.x.Keys(ctx, func(o repo.Object) error {
		c.small(CodeKeySlot, verify.Risk, o, "its secret opens the repository no more: make sure that another one does, as with "+c.o.Command("key", "list")+"; "+c.putBack())
		return nil
	}); err != nil {
		return err
	}
	if err := c.x.Leases(ctx, func(l repo.Inspected[record.Lease]) error {
		c.small(CodeLease, verify.Note, l.Object, "nothing: leases are judged by their names and times alone")
		return nil
	}); err != nil {
		return err
	}
	if err := c.lookAtReports(ctx); err != nil {
		return err
	}
	if err := c.lookForPublished(ctx); err != nil {
		return err
	}
	if err := c.lookForGaps(ctx); err != nil {
		return err
	}
	if err := c.x.Outside(ctx); err != nil {
		return err
	}
	for _, name := range c.x.NotOurs() {
		c.findings.add(verify.Finding{Code: CodeNotOurs, Object: name, Message: "it is no object of a repository", Harm: verify.Note,
			Next: "nothing; move it away if nothing else needs it there"})
	}
	return nil
}

// lookAtScope is lookAtObjects when only some snapshots are looked at: reports are read for what they say of packs and of these.
func (c *checker) lookAtScope(ctx context.Context) error {
	if err := c.lookAtReports(ctx); err != nil || len(c.o.Scope.Snapshots) > 0 {
		return err
	}
	if err := c.lookForPublished(ctx); err != nil {
		return err
	}
	return c.lookForGaps(ctx)
}

// small adds a finding for an object that is damaged, and that no snapshot needs for its bytes.
func (c *checker) small(code verify.Code, harm verify.Harm, o repo.Object, next string) {
	c.o.Events.step(1)
	if o.Damage == nil {
		return
	}
	f := verify.Finding{Code: code, Object: o.Name, Message: message(o.Damage), Harm: harm, Next: newerFirst(o.Damage, next)}
	if c.o.Scope.OfSnapshots() {
		f = c.beside(f)
	}
	c.findings.add(f)
}

// takeSnapshots takes in the manifests.
func (c *checker) takeSnapshots() {
	c.objects.sources, c.objects.losses = map[string]string{}, c.x.Losses()
	for _, s := range c.x.Snapshots {
		c.o.Events.step(1)
		if s.Unread != nil {
			c.objects.unread = append(c.objects.unread, s.Name)
			continue
		}
		if s.Damage != nil {
			c.objects.lost = append(c.objects.lost, s.Object)
			continue
		}
		c.objects.all = append(c.objects.all, s.Value)
		c.objects.sources[folderOf(s.Name)] = s.Value.Source()
		if !c.o.Scope.wants(s.Value) {
			continue
		}
		if err := c.x.SnapshotFault(s.Value); err != nil {
			c.findings.add(verify.Finding{Code: CodeSnapshot, Object: s.Name, Message: message(err), Harm: verify.Risk,
				Next: "look at it with " + c.o.Command("ls", s.Value.Short())})
		}
		snap := s.Value
		if snap.Late && len(c.o.Scope.Snapshots) > 0 { // who names it wants to know whether it is whole, whatever it counts for
			timely := *snap
			timely.Late = false
			snap = &timely
		}
		c.objects.snapshots = append(c.objects.snapshots, snap)
	}
	for _, list := range [][]*repo.Snapshot{c.objects.snapshots, c.objects.all} {
		slices.SortFunc(list, func(a, b *repo.Snapshot) int {
			return cmp.Or(b.Start().Compare(a.Start()), b.End().Compare(a.End()), cmp.Compare(b.Seq, a.Seq), strings.Compare(a.Name, b.Name))
		})
	}
	slices.SortFunc(c.objects.lost, func(a, b repo.Object) int { return strings.Compare(a.Name, b.Name) })
	c.counts.Snapshots = uint64(len(c.x.Snapshots))
}

// folderOf returns the folder that an object lies in.
func folderOf(name string) string { return name[:strings.LastIndexByte(name, '/')+1] }

// takePublished notes a backup whose snapshot is not listed.
func (c *checker) takePublished(rep *record.Report) {
	if rep.Kind != record.BackupReport || rep.Manifest == "" {
		return
	}
	if folder := folderOf(rep.Manifest); c.objects.sources[folder] == "" {
		c.objects.sources[folder] = rep.Dataset + "@" + rep.Host
	}
	if !c.o.Scope.wantsSource(rep.Dataset, rep.Host) {
		return
	}
	c.objects.losses.Take(rep)
}

// lookForPublished finds snapshots that a backup's report says were published, that are gone, and that nobody forgot: what they held may be nowhere
// else.
func (c *checker) lookForPublished(ctx context.Context) error {
	lost, err := c.objects.losses.Find(ctx)
	for _, s := range lost {
		c.findings.add(verify.Finding{Code: CodeSnapshotGone, Object: s.Name, Harm: verify.Loss, Snapshots: 1,
			Message: fmt.Sprintf("a backup of %s@%s published it at %s; it is gone, and nobody forgot it", s.Dataset, s.Host, s.Published.Format(time.RFC3339)),
			Next:    c.putBackPoint() + ". What other snapshots there are: " + c.o.Command("snapshots", "--dataset", s.Dataset, "--host", s.Host)})
	}
	return err
}

// lookForGaps notes snapshots that are gone although nobody forgot them: each names the one of its source before it. Interrupted
// ones go after seven days, so what is older is not spoken of.
func (c *checker) lookForGaps(ctx context.Context) error {
	after := map[string]*repo.Snapshot{}
	var names []string
	for _, s := range c.objects.snapshots {
		if s.Prev == "" || after[s.Prev] != nil || c.objects.losses.Reported(s.Prev) {
			continue
		}
		if listed, forgotten := c.x.ListedSnapshot(s.Prev); listed || forgotten || !c.recent(s.Prev) {
			continue
		}
		after[s.Prev] = s
		names = append(names, s.Prev)
	}
	if len(names) == 0 {
		return nil
	}
	names, err := c.x.Vanished(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		s := after[name]
		c.findings.add(verify.Finding{Code: CodeSnapshotGone, Object: name, Harm: verify.Note,
			Message: fmt.Sprintf("snapshot %s of %s names it as the one before it; it is gone, and nobody forgot it", s.Short(), s.Source()),
			Next:    "if nobody deleted it on purpose, " + c.putBackPoint()})
	}
	return nil
}

// recent reports whether a snapshot is of the last seven days, by its name.
func (c *checker) recent(name string) bool {
	return c.storageNow().Sub(startOf(name)) < repo.MaxSession
}

// startOf returns the start of a snapshot's read window, in whole seconds, by its name; the zero time when that tells none.
func startOf(name string) time.Time {
	text, _, _ := strings.Cut(strings.TrimPrefix(name, folderOf(name)), "-")
	start, err := time.Parse("20060102T150405Z", text)
	if err != nil {
		return time.Time{}
	}
	return start
}

// lookAtReports reads all reports: what they say of packs read back, and whether their chains are whole. A chain that seems broken is
// looked at again: reports come in while others are listed.
func (c *checker) lookAtReports(ctx context.Context) error {
	known := map[string]bool{}
	for range 2 {
		err := c.x.Reports(ctx, func(name string) bool { return known[name] }, func(rep repo.Inspected[repo.StoredReport]) error {
			known[rep.Name] = true
			c.small(CodeReport, verify.Risk, rep.Object, "no data is lost, but what this run was is not known any more; "+c.putBack()+", or delete it")
			if rep.Value == nil {
				c.objects.chains.unread++
				return nil
			}
			c.objects.chains.add(rep.Value)
			c.takePublished(rep.Value.Report)
			if len(rep.Value.ReadBack) > 0 {
				slim := *rep.Value.Report
				slim.Document, slim.Stats, slim.Phases, slim.Message = nil, nil, nil, ""
				c.objects.reports = append(c.objects.reports, &repo.StoredReport{Name: rep.Name, Stored: rep.Stored, Report: &slim})
			}
			return nil
		})
		if err != nil {
			return err
		}
		if c.o.Scope.OfSnapshots() || len(c.objects.chains.faults(c.objects.snapshots, c.putBack())) == 0 {
			return nil
		}
	}
	c.findings.add(c.objects.chains.faults(c.objects.snapshots, c.putBack())...)
	return nil
}
