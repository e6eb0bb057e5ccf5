package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/tree"
	"savepoint/verify"
)

// findings are collected in any order; of many notes only the first are kept.
type findings struct {
	list  []verify.Finding
	count uint64
	notes int
}

// add takes findings in.
func (f *findings) add(list ...verify.Finding) {
	for _, x := range list {
		f.count++
		if x.Harm == verify.Note {
			if f.notes++; f.notes > verify.MaxListed {
				continue
			}
		}
		f.list = append(f.list, x)
	}
}

// sorted returns at most verify.MaxListed findings, the worst first.
func (f *findings) sorted() []verify.Finding {
	rank := map[verify.Harm]int{verify.Loss: 0, verify.Risk: 1, verify.Note: 2}
	slices.SortStableFunc(f.list, func(a, b verify.Finding) int {
		return cmp.Or(rank[a.Harm]-rank[b.Harm], strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Object, b.Object))
	})
	return f.list[:min(len(f.list), verify.MaxListed)]
}

// judge turns what is known at the end into findings.
func (c *checker) judge() {
	c.judgeSnapshots()
	for i := range c.packs.states {
		c.judgePack(cause(i))
	}
	c.judgeSegments()
	for i, f := range c.bill.trees {
		t := c.bill.toll(causeTrees - cause(i))
		c.findings.add(c.harmed(verify.Finding{Code: CodeTree, Object: f.object, Message: message(f.err)}, t, verify.Risk))
	}
	if t := c.bill.tolls[causeCondemned]; t != nil {
		c.findings.add(verify.Finding{Code: CodeNeedsCondemned, Object: "condemned/", Harm: verify.Note, Snapshots: t.weak.snapshots, Files: t.weak.files,
			Message: "chunks that snapshots need lie in packs alone that prune will delete; they can be read", Next: "nothing: prune copies them out first"})
	}
	if t := c.bill.tolls[causeVoid]; t != nil {
		f := verify.Finding{Code: CodeNeedsVoid, Object: "index/", Message: "chunks that snapshots need are named by index segments alone that are out of force; they can be read"}
		c.findings.add(c.harmed(f, t, verify.Note))
	}
}

// harmed fills in what a toll says; otherwise is the harm when nothing needs it.
func (c *checker) harmed(f verify.Finding, t *toll, otherwise verify.Harm) verify.Finding {
	switch {
	case t != nil && t.lost.snapshots > 0:
		f.Harm, f.Snapshots, f.Files = verify.Loss, t.lost.snapshots, t.lost.files
		_, isPack := parsePack(f.Object)
		f.Next = c.afterLoss(t.sources, !isPack) // a mark makes every backup look chunks up
	case t != nil && t.weak.snapshots > 0:
		f.Harm, f.Snapshots, f.Files = verify.Risk, t.weak.snapshots, t.weak.files
		f.Next = "back up the sources whose data it is: what they still have is stored again; until then nothing else holds it"
	default:
		f.Harm, f.Next = otherwise, "nothing: no snapshot needs it"
	}
	return f
}

// judgeSnapshots makes findings and hits of the manifests that cannot be read.
func (c *checker) judgeSnapshots() {
	for _, o := range c.objects.lost {
		id := o.Name[strings.LastIndexByte(o.Name, '-')+1:]
		source := c.objects.sources[folderOf(o.Name)]
		next := putBack
		if source != "" {
			next = c.afterLoss([]string{source}, false)
		}
		c.findings.add(verify.Finding{Code: CodeSnapshot, Object: o.Name, Message: message(o.Damage), Harm: verify.Loss, Snapshots: 1, Next: newerFirst(o.Damage, next)})
		dataset, host := splitSource(source)
		start := startOf(o.Name)
		hit := verify.Hit{Snapshot: id, Dataset: dataset, Host: host, WindowStart: start, WindowEnd: start, Paths: []string{}}
		if c.bill.hitCount++; len(c.bill.hits) < verify.MaxListed {
			c.bill.hits = append(c.bill.hits, hit)
		}
	}
}

// splitSource returns the dataset and the host of a source.
func splitSource(source string) (dataset, host string) {
	i := strings.LastIndexByte(source, '@')
	if i < 0 {
		return source, ""
	}
	return source[:i], source[i+1:]
}

// judgePack makes a finding of a pack that is damaged, or marked.
func (c *checker) judgePack(at cause) {
	s := &c.packs.states[at]
	if s.err == nil && !s.marked && !c.bill.gone[at] {
		return
	}
	t := c.bill.tolls[at]
	needed := t != nil && t.lost.snapshots+t.weak.snapshots > 0
	if s.condemned && !needed {
		return // it is being deleted
	}
	f := verify.Finding{Code: s.code, Object: s.Name()}
	if s.err != nil {
		f.Message = message(s.err)
	} else if c.bill.gone[at] {
		f.Code, f.Message = CodePackMissing, "it is missing"
	} else {
		f.Code, f.Message = CodePackMarked, "it was found damaged before"
	}
	marked := s.marked || slices.Contains(c.bill.marked, f.Object)
	otherwise := verify.Risk
	if marked || !s.standing {
		otherwise = verify.Note
	}
	f = c.harmed(f, t, otherwise)
	switch {
	case f.Harm == verify.Note:
		f.Message += "; everything in it that snapshots need lies elsewhere too"
		f.Next = "nothing: backups do not rely on it, and prune will remove it"
	case !needed:
		f.Message += "; everything in it that snapshots need lies elsewhere too, but it is not marked, so backups rely on it"
		f.Next = "run " + c.o.Command("verify") + " with credentials that may write"
	case f.Harm == verify.Risk:
		f.Message += "; what snapshots need of it can be read, and lies nowhere else"
	}
	if !marked && needed && c.bill.unmarked != nil {
		f.Message += "; it could not be marked: " + oneLine(c.bill.unmarked)
	}
	if t != nil && t.late.snapshots > 0 && !needed {
		f.Message += fmt.Sprintf("; %d snapshots that came too late, and count for nothing, lack it", t.late.snapshots)
	}
	c.findings.add(f)
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
			if f.Harm == verify.Risk {
				f.Message += "; everything that snapshots need is located by others"
				f.Next = "nothing is lost, and backups go on; " + putBack + ", or delete it"
			}
			f.Next = newerFirst(s.Damage, f.Next)
			c.findings.add(f)
		}
		if !named && t != nil {
			f := verify.Finding{Code: CodeIndex, Object: "index/00000000/" + kind.String() + "/"}
			f.Message = "chunks that snapshots need are located by no segment: one is gone"
			if c.counts.Orphans > 0 {
				f.Message += fmt.Sprintf("; %d packs are there that no segment names, and may hold them", c.counts.Orphans)
			}
			c.findings.add(c.harmed(f, t, verify.Note))
		}
	}
}

// afterLoss returns what to do for sources that lost something: a backup stores again what they still have; what they do not is in the newest
// snapshot that is whole.
func (c *checker) afterLoss(sources []string, full bool) string {
	const most = 3
	var parts []string
	for _, source := range sources[:min(most, len(sources))] {
		parts = append(parts, c.healing(source, full))
	}
	if more := len(sources) - most; more > 0 {
		parts = append(parts, fmt.Sprintf("likewise for %d more sources", more))
	}
	return strings.Join(parts, "; ")
}

// healing returns what to do for one source.
func (c *checker) healing(source string, full bool) string {
	var newest, whole *repo.Snapshot
	for _, s := range c.objects.snapshots {
		if s.Source() != source || s.Late {
			continue
		}
		if newest == nil {
			newest = s
		}
		if whole == nil && !c.bill.hit[s.Name] && s.Completeness != tree.Interrupted {
			whole = s
		}
	}
	if newest == nil {
		return putBack
	}
	words := []string{"backup"}
	if full {
		words = append(words, "--mode", "full")
	}
	var paths []string
	for _, r := range newest.Roots {
		paths = append(paths, r.Path)
	}
	if len(paths) != 1 || paths[0] != newest.Dataset {
		words = append(words, "--dataset", newest.Dataset)
	}
	text := fmt.Sprintf("on %s, which may still have it: %s", newest.Host, c.o.Command(append(words, paths...)...))
	if whole != nil {
		return text + "; the newest snapshot of it that is whole: " + c.o.Command("restore", whole.Short())
	}
	return text + "; no snapshot of it is whole, and restore brings back what can be read of one: " + c.o.Command("restore", newest.Short())
}

// plainCommand is how commands are shown where nobody says better.
func plainCommand(args ...string) string {
	return strings.Join(append([]string{"store"}, args...), " ")
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// document makes the document of a run that came to its end.
func (c *checker) document() *verify.CheckDocument {
	for i := range c.packs.states {
		if s := &c.packs.states[i]; !s.named && s.stored > 0 {
			c.counts.Orphans++
			c.counts.OrphanBytes += uint64(s.stored)
		}
	}
	c.judge()
	d := &verify.CheckDocument{Began: c.x.Began.UTC(), Level: "structure", Structure: c.counts, ReadBack: c.readBack.ReadBack,
		Findings: c.findings.sorted(), FindingCnt: c.findings.count, Hit: c.bill.hits, HitCount: c.bill.hitCount, Marked: c.bill.marked,
		Program: c.o.Program, Run: c.o.Run}
	if !c.o.ReadData.IsZero() {
		d.Level = "data"
	}
	if slices.ContainsFunc(d.Findings, func(f verify.Finding) bool { return f.Harm != verify.Note }) {
		d.ExitCode = exitDamage
	}
	if d.Findings == nil {
		d.Findings = []verify.Finding{}
	}
	if d.Hit == nil {
		d.Hit = []verify.Hit{}
	}
	if d.Marked == nil {
		d.Marked = []string{}
	}
	if c.bill.unmarked != nil {
		d.NotMarked = oneLine(c.bill.unmarked)
	}
	d.Seconds = c.o.Now().Sub(c.began).Seconds()
	return d
}
