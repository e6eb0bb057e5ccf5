package check

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"savepoint/repo"
	"savepoint/repo/storage"
	"savepoint/verify"
)

// findings are collected in any order; of many notes only the first are kept.
type findings struct {
	list  []verify.Finding
	count map[verify.Count]uint64 // by code and harm
	notes int
}

// add takes findings in.
func (f *findings) add(list ...verify.Finding) {
	if f.count == nil {
		f.count = map[verify.Count]uint64{}
	}
	for _, x := range list {
		f.count[verify.Count{Code: x.Code, Harm: x.Harm}]++
		if x.Harm == verify.Note {
			if f.notes++; f.notes > verify.MaxListed {
				continue
			}
		}
		x.Message = short(x.Message, maxMessage)
		x.Next, x.Commands = splitNext(x.Next)
		f.list = append(f.list, x)
	}
}

// The length of what a finding says, in bytes.
const (
	maxMessage = 1000
	maxNext    = 2000
)

// short returns a text that is not longer than that.
func short(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// rank is the order of harms, the worst first.
func rank(h verify.Harm) int {
	return slices.Index([]verify.Harm{verify.Loss, verify.Risk, verify.Unknown, verify.Note}, h)
}

// sorted returns at most verify.MaxListed findings, the worst first.
func (f *findings) sorted() []verify.Finding {
	slices.SortStableFunc(f.list, func(a, b verify.Finding) int {
		return cmp.Or(rank(a.Harm)-rank(b.Harm), strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Object, b.Object))
	})
	return append([]verify.Finding{}, f.list[:min(len(f.list), verify.MaxListed)]...)
}

// counts returns how many findings there are of each code and harm, in the order of findings, and of all.
func (f *findings) counts() (list []verify.Count, all uint64) {
	list = []verify.Count{}
	for c, n := range f.count {
		c.Count = n
		all += n
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b verify.Count) int {
		return cmp.Or(rank(a.Harm)-rank(b.Harm), strings.Compare(string(a.Code), string(b.Code)))
	})
	return list, all
}

// has reports whether there are findings of a harm.
func (f *findings) has(harms ...verify.Harm) bool {
	for c := range f.count {
		if slices.Contains(harms, c.Harm) {
			return true
		}
	}
	return false
}

// document makes the document of a run, which stopped, if it did not come to its end, ended early.
func (c *checker) document(ctx context.Context, stopped error) *verify.CheckDocument {
	if c.indexed {
		for i := range c.packs.states {
			if s := &c.packs.states[i]; !s.named && s.stored > 0 {
				c.counts.Orphans++
				c.counts.OrphanBytes += uint64(s.stored)
			}
		}
	}
	c.judge()
	d := &verify.CheckDocument{Complete: stopped == nil, Began: c.x.Began.UTC(), Level: "structure", Structure: c.counts, ReadBack: c.readBack.ReadBack,
		Findings: c.findings.sorted(), Hit: c.bill.hits, HitCount: c.bill.hitCount, FilesHit: c.bill.filesHit, HitAtLeast: c.bill.atLeast, Marked: c.marks.Names,
		Program: c.o.Program, Run: c.o.Run}
	d.Scope = c.scopeDocument()
	if c.read && !c.o.ReadData.IsZero() {
		d.Level = "data"
	}
	d.ByCode, d.FindingCnt = c.findings.counts()
	if stopped != nil {
		d.Stopped = reason(ctx, stopped)
	}
	d.ExitCode = c.exitCode(ctx, stopped)
	if d.Hit == nil {
		d.Hit = []verify.Hit{}
	}
	if d.Marked == nil {
		d.Marked = []string{}
	}
	if c.unmarked != nil {
		d.NotMarked = short(oneLine(c.unmarked), maxMessage)
	}
	d.Seconds = max(0, c.o.Now().Sub(c.began).Seconds())
	return d
}

// exitCode returns what the run came to: 130, 4, 1 or 0.
func (c *checker) exitCode(ctx context.Context, stopped error) int {
	switch {
	case stopped != nil && isInterrupted(ctx, stopped):
		return exitInterrupted
	case c.findings.has(verify.Loss, verify.Risk):
		return exitDamage
	case stopped != nil, c.findings.has(verify.Unknown):
		return exitFailed
	}
	return 0
}

// partial reports whether it is not known of everything whether snapshots need it.
func (c *checker) partial() bool {
	return !c.weighed || slices.ContainsFunc(c.objects.unread, c.mayWant) || len(c.pages.unread) > 0 || c.bill.uncounted || slices.Contains(c.blindIndex[:], true)
}

func isInterrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.Canceled)
}

// reason says why a run ended early.
func reason(ctx context.Context, stopped error) string {
	if isInterrupted(ctx, stopped) {
		return "interrupted"
	}
	return short(oneLine(stopped), maxMessage)
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// message returns what is wrong, without the name of the object, which a finding has already.
func message(err error) string {
	var op *storage.OpError
	if damage := corruptOf(err); damage != nil && damage.Err != nil {
		err = damage.Err
	} else if repo.Unread(err) && errors.As(err, &op) {
		err = op.Err
	}
	return oneLine(err)
}
