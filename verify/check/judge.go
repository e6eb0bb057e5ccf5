package check

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/storage"
	"savepoint/verify"
)

// judge turns what is known at the end into findings.
func (c *checker) judge() {
	c.judgeSnapshots()
	for i := range c.packs.states {
		c.judgePack(cause(i))
	}
	c.judgeSegments()
	for i, f := range c.bill.trees {
		t := c.bill.tolls[causeTrees-cause(i)]
		c.findings.add(c.harmed(verify.Finding{Code: CodeTree, Object: f.object, Message: message(f.err)}, t, verify.Risk))
	}
	if t := c.bill.tolls[causeLength]; t != nil {
		f := verify.Finding{Code: CodeTree, Object: "index/", Message: "trees say of chunks that they have other lengths than the index says"}
		c.findings.add(c.harmed(f, t, verify.Risk))
	}
	if t := c.bill.tolls[causeCondemned]; t != nil {
		c.findings.add(verify.Finding{Code: CodeNeedsCondemned, Object: "condemned/", Harm: verify.Note, Snapshots: t.weak.snapshots, Files: t.weak.files,
			Message: "chunks that snapshots need lie in packs alone that prune will delete; they can be read", Next: "nothing: prune copies them out first"})
	}
	if t := c.bill.tolls[causeVoid]; t != nil {
		f := verify.Finding{Code: CodeNeedsVoid, Object: "index/", Message: "chunks that snapshots need are named by index segments alone that are out of force; they can be read"}
		c.findings.add(c.harmed(f, t, verify.Note))
	}
	if c.bill.uncounted {
		c.findings.add(verify.Finding{Code: CodeUncounted, Object: "snapshots/", Harm: verify.Unknown, Next: "restore what lies there, to see whether it is whole",
			Message: fmt.Sprintf("folders lie more than %d deep in each other; what the damage costs there was not worked out", maxNesting)})
	}
	c.judgeUnread()
}

// harmed fills in what a toll says; otherwise is the harm when nothing needs it.
func (c *checker) harmed(f verify.Finding, t *toll, otherwise verify.Harm) verify.Finding {
	switch {
	case t != nil && t.lost.snapshots > 0:
		f.Harm, f.Snapshots, f.Files, f.AtLeast = verify.Loss, t.lost.snapshots, t.lost.files, t.lost.atLeast
		_, isPack := parsePack(f.Object)
		f.Next = c.afterLoss(t.sources, !isPack) // a mark makes every backup look chunks up
	case t != nil && t.weak.snapshots > 0:
		f.Harm, f.Snapshots, f.Files = verify.Risk, t.weak.snapshots, t.weak.files
		f.Next = "back up the sources whose data it is: what they still have is stored again; until then nothing else holds it"
	case t != nil && t.unseen.snapshots > 0:
		f.Harm, f.Snapshots, f.Files = verify.Risk, t.unseen.snapshots, t.unseen.files
		f.Message += "; what snapshots need of it may lie elsewhere, in what could not be read"
		f.Next = c.o.Command("verify") + " once that can be read"
	case c.partial() && otherwise != verify.Note:
		f.Harm = otherwise
		f.Message += "; " + notWeighed
		f.Next = c.o.Command("verify") + ", which says who needs it when it comes to its end"
	case c.o.Scope.OfSnapshots():
		f.Harm, f.Next = otherwise, "none of these snapshots needs it; whether others do says "+c.o.Command("verify")
	default:
		f.Harm, f.Next = otherwise, "nothing: no snapshot needs it"
	}
	return f
}

const notWeighed = "whether snapshots need it was not found out"

// judgeSnapshots makes findings and hits of the manifests that cannot be read.
func (c *checker) judgeSnapshots() {
	for _, o := range c.objects.lost {
		id := o.Name[strings.LastIndexByte(o.Name, '-')+1:]
		source := c.objects.sources[folderOf(o.Name)]
		next := c.putBackPoint()
		if source != "" {
			next = c.afterLoss([]string{source}, false)
		}
		f := verify.Finding{Code: CodeSnapshot, Object: o.Name, Message: message(o.Damage), Harm: verify.Loss, Snapshots: 1, Next: newerFirst(o.Damage, next)}
		if !c.mayWant(o.Name) {
			c.findings.add(c.beside(f))
			continue
		}
		c.findings.add(f)
		dataset, host := splitSource(source)
		start := startOf(o.Name)
		hit := verify.Hit{Snapshot: id, Dataset: dataset, Host: host, WindowStart: start, WindowEnd: start, Paths: []string{}, All: true, AtLeast: true}
		c.bill.atLeast = true
		if c.bill.hitCount++; len(c.bill.hits) < verify.MaxListed {
			c.bill.hits = append(c.bill.hits, hit)
		}
	}
}

// judgePack makes a finding of a pack that is damaged, or marked.
func (c *checker) judgePack(at cause) {
	s := &c.packs.states[at]
	t := c.bill.tolls[at]
	if s.err == nil && !s.marked && !c.bill.gone[at] || s.unread != nil && s.err == nil && !s.marked {
		return // what cannot be read is told apart
	}
	standing := s.standing || !c.indexed
	if s.err == nil && !t.needed() && !c.covers(s) {
		return // it was marked before, and is none of what is looked at
	}
	if !t.needed() && (s.condemned || !standing && !s.marked && s.code == CodePackMissing) {
		return // it is being deleted, or was since the index was read
	}
	f := verify.Finding{Code: s.code, Object: s.Name()}
	switch {
	case s.err != nil:
		f.Message = message(s.err)
	case c.bill.gone[at]:
		f.Code, f.Message = CodePackMissing, "it is missing"
	default:
		f.Code, f.Message = CodePackMarked, "it was found damaged before"
	}
	if f.Code == CodePackMissing && s.err != nil && !c.confirmed {
		f.Harm, f.Next = verify.Unknown, c.o.Command("verify")
		f.Message += "; whether a prune has deleted it was not found out"
		c.findings.add(f)
		return
	}
	marked := s.marked || slices.Contains(c.marks.Names, f.Object)
	otherwise := verify.Risk
	if marked && !c.partial() && !c.o.Scope.OfSnapshots() || s.marked || !standing { // snapshots that were not looked at may need it
		otherwise = verify.Note
	}
	f = c.harmed(f, t, otherwise)
	c.explain(&f, s, t, marked)
	c.findings.add(f)
}

// explain says of a damaged pack what its harm comes from.
func (c *checker) explain(f *verify.Finding, s *packState, t *toll, marked bool) {
	switch {
	case f.Harm == verify.Note && !c.partial():
		f.Message += "; everything in it that " + c.those() + " need lies elsewhere too"
		f.Next = "nothing: backups do not rely on it; it stays where it is, for this version removes no packs"
	case f.Harm == verify.Note:
		f.Message += "; nothing that was looked at needs it"
		f.Next = "nothing: backups do not rely on it"
	case !t.needed() && marked:
		f.Message += "; everything in it that " + c.those() + " need lies elsewhere too"
	case !t.needed() && !c.partial() && c.o.Scope.OfSnapshots():
		f.Message += "; everything in it that these snapshots need lies elsewhere too, but it is not marked, so backups rely on it"
	case !t.needed() && !c.partial():
		f.Message += "; everything in it that snapshots need lies elsewhere too, but it is not marked, so backups rely on it"
		f.Next = "run " + c.o.Command("verify") + " with credentials that may write"
	case f.Harm == verify.Risk && t.needed() && t.weak.snapshots > 0:
		f.Message += "; what snapshots need of it can be read, and lies nowhere else"
	}
	if !marked && !s.dead() && f.Harm != verify.Note {
		f.Message += "; it is not marked: " + c.whyNot(f, s)
	}
	if errors.Is(s.err, repo.ErrNewer) {
		f.Next = newerFirst(s.err, f.Next)
	}
	if t != nil && t.late.snapshots > 0 && !t.needed() {
		f.Message += fmt.Sprintf("; %d snapshots that came too late, and count for nothing, lack it", t.late.snapshots)
	}
}

// whyNot says why a damaged pack was not marked.
func (c *checker) whyNot(f *verify.Finding, s *packState) string {
	why, judged := c.marks.Not[f.Object]
	switch {
	case judged && why == nil:
		f.Next = "test the network, the disk and the memory between this host and the repository; then " + c.o.Command("verify", "--read-data=all")
		return "when it was read again it was whole"
	case judged:
		return message(why)
	case c.unmarked != nil:
		return oneLine(c.unmarked)
	case !s.standing && c.indexed:
		return "no index segment in force names it any more"
	}
	return "the run ended before"
}

// judgeSegments makes findings of segments that cannot be read, and of chunks that none locates.
func (c *checker) judgeSegments() {
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		t := c.bill.tolls[indexCause(kind)]
		named := false
		for _, s := range c.badSegments {
			if s.kind != kind {
				continue
			}
			named = true
			f := c.harmed(verify.Finding{Code: CodeSegment, Object: s.Name, Message: message(s.Damage)}, t, verify.Risk)
			if !t.needed() && !c.partial() {
				f.Message += "; everything that " + c.those() + " need is located by others, or by the packs themselves"
				if c.o.Scope.OfSnapshots() {
					c.findings.add(c.beside(f))
					continue
				}
				f.Next = "nothing is lost, and the next backups store again what only it located; " + c.putBack()
				if s.marked {
					f.Harm, f.Next = verify.Note, "nothing: backups do not rely on it, and restores do not need it"
				}
			}
			f.Next = newerFirst(s.Damage, c.mendIndex(f))
			c.findings.add(f)
		}
		if !named && t != nil {
			f := verify.Finding{Code: CodeIndex, Object: "index/00000000/" + kind.String() + "/"}
			f.Message = "chunks that snapshots need are located by no segment: one is gone"
			if c.counts.Orphans > 0 {
				f.Message += fmt.Sprintf("; %d packs are there that no segment names, and may hold them", c.counts.Orphans)
			}
			f = c.harmed(f, t, verify.Note)
			f.Next = c.mendIndex(f)
			c.findings.add(f)
		}
	}
}

// mendIndex adds to what to do about a part of the index what comes before it: the packs may all be whole, and readable again with it.
func (c *checker) mendIndex(f verify.Finding) string {
	if f.Harm != verify.Loss {
		return f.Next
	}
	return "the packs may all be whole: with what is missing of index/ put back, from a replica or a copy, everything that it locates can be read again, and " +
		c.o.Command("verify") + " says so; else " + f.Next
}

// judgeUnread makes findings of what the store does not give, with who needs it as far as that is known.
func (c *checker) judgeUnread() {
	for _, u := range c.x.Unread() {
		f := verify.Finding{Code: CodeUnreadable, Object: u.Object, Message: message(u), Harm: verify.Unknown}
		f.Next = "the storage does not give it: look at its log and its disk; then " + c.o.Command("verify")
		if errors.Is(u, storage.ErrDenied) || errors.Is(u, fs.ErrPermission) {
			f.Next = "let these credentials read it; then " + c.o.Command("verify")
		}
		var t *toll
		if ref, ok := parsePack(u.Object); ok {
			if i, ok := c.packs.at[ref]; ok {
				t = c.bill.tolls[cause(i)]
			}
			f.Next += ". If it can never be read again, move it away there: verify then says what it costs, and backups store again what their sources have"
		} else if kind, ok := segmentKind(u.Object); ok {
			t = c.bill.tolls[blindCause(kind)]
		}
		switch folder, _, _ := strings.Cut(u.Object, "/"); folder {
		case "condemned", "marks":
			f.Message += "; no backup can begin until it can be read"
		case "leases":
			f.Harm, f.Next = verify.Note, "nothing: leases are judged by their names and times alone"
		}
		if t != nil {
			f.Snapshots, f.Files = t.unseen.snapshots, t.unseen.files
		}
		if c.isBeside(u.Object, t) {
			f = c.beside(f)
		}
		c.findings.add(f)
	}
}

// segmentKind returns the kind of packs that a segment of this name is about.
func segmentKind(name string) (pack.Kind, bool) {
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		if strings.HasPrefix(name, "index/00000000/"+kind.String()+"/") {
			return kind, true
		}
	}
	return 0, false
}

// corruptOf returns the damage that an error says, or nil.
func corruptOf(err error) *repo.CorruptError {
	var damage *repo.CorruptError
	if errors.As(err, &damage) {
		return damage
	}
	return nil
}
