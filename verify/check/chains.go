package check

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/verify"
)

// chains are the reports of all writers. Each report carries its number and the hash of the writer's report before it, so that one that is
// taken away, or exchanged, shows.
type chains struct {
	links  []link
	unread int // reports that cannot be read: any of them may be one that is missed
}

// link is one report, in little memory: hashes are cut to 16 bytes.
type link struct {
	writer     record.ID
	seq        uint64
	hash, prev [16]byte
	name       string
}

func (c *chains) add(rep *repo.StoredReport) {
	c.links = append(c.links, link{rep.Writer, rep.Seq, [16]byte(rep.Hash[:16]), [16]byte(rep.Previous[:16]), rep.Name})
}

const forkNext = "nothing can be done about reports that are written; a machine that was cloned together with its cache makes such forks: " +
	"delete the cache of the clone"

// faults returns what is wrong with the chains, and with the heads of chains that snapshots name. putBack says how an object comes back.
func (c *chains) faults(snaps []*repo.Snapshot, putBack string) []verify.Finding {
	slices.SortFunc(c.links, func(a, b link) int {
		return cmp.Or(bytes.Compare(a.writer[:], b.writer[:]), cmp.Compare(a.seq, b.seq), cmp.Compare(a.name, b.name))
	})
	var gaps, forks []verify.Finding
	missing := uint64(0)
	type number struct {
		writer record.ID
		seq    uint64
	}
	for i := range c.links {
		l := &c.links[i]
		before := &link{writer: l.writer}
		if i > 0 && c.links[i-1].writer == l.writer {
			before = &c.links[i-1]
		}
		switch {
		case l.seq == before.seq:
			forks = append(forks, verify.Finding{Code: CodeReportFork, Object: l.name, Harm: verify.Note, Next: forkNext,
				Message: fmt.Sprintf("its writer made another report of the same number %d: %s", l.seq, before.name)})
		case l.seq > before.seq+1:
			missing += l.seq - before.seq - 1
			gaps = append(gaps, verify.Finding{Code: CodeReportGone, Object: l.name, Harm: verify.Note, Next: "if nobody deleted them on purpose, " + putBack,
				Message: fmt.Sprintf("reports %d to %d of its writer, before it, are gone", before.seq+1, l.seq-1)})
		case before.seq > 0 && l.prev != before.hash && !c.follows(i):
			forks = append(forks, verify.Finding{Code: CodeReportFork, Object: l.name, Harm: verify.Note, Next: forkNext,
				Message: "it follows another report than " + before.name + ", which is the one before it"})
		}
	}
	heads := map[number]bool{}
	for _, s := range snaps {
		for _, h := range s.Chains {
			n := number{h.Writer, h.Seq}
			if heads[n] {
				continue
			}
			heads[n] = true
			switch found, same := c.find(h.Writer, h.Seq, [16]byte(h.Hash[:16])); {
			case same:
			case found:
				forks = append(forks, verify.Finding{Code: CodeReportFork, Object: s.Name, Harm: verify.Note, Next: forkNext,
					Message: fmt.Sprintf("it names report %d of a chain, in whose place another one stands", h.Seq)})
			case !c.inGap(h.Writer, h.Seq):
				missing++
				gaps = append(gaps, verify.Finding{Code: CodeReportGone, Object: s.Name, Harm: verify.Note, Next: "if nobody deleted it on purpose, " + putBack,
					Message: fmt.Sprintf("report %d of a chain, which it names, is gone", h.Seq)})
			}
		}
	}
	if missing <= uint64(c.unread) {
		gaps = nil // those that cannot be read are the ones
	}
	return append(gaps, forks...)
}

// follows reports whether link i follows any of those with the number before its own.
func (c *chains) follows(i int) bool {
	l := &c.links[i]
	for j := i - 1; j >= 0 && c.links[j].writer == l.writer && c.links[j].seq+1 >= l.seq; j-- {
		if c.links[j].seq+1 == l.seq && c.links[j].hash == l.prev {
			return true
		}
	}
	return false
}

// find looks a report up by writer and number, and by its hash as well.
func (c *chains) find(writer record.ID, seq uint64, hash [16]byte) (found, same bool) {
	i := c.search(writer, seq)
	for ; i < len(c.links) && c.links[i].writer == writer && c.links[i].seq == seq; i++ {
		found = true
		same = same || c.links[i].hash == hash
	}
	return found, same
}

// inGap reports whether a later report of the writer is there, so that the gap is told already.
func (c *chains) inGap(writer record.ID, seq uint64) bool {
	i := c.search(writer, seq+1)
	return i < len(c.links) && c.links[i].writer == writer
}

// search returns the index of the first link of the writer with that number or a later one, or where it would be.
func (c *chains) search(writer record.ID, seq uint64) int {
	i, _ := slices.BinarySearchFunc(c.links, link{writer: writer, seq: seq}, func(a, b link) int {
		return cmp.Or(bytes.Compare(a.writer[:], b.writer[:]), cmp.Compare(a.seq, b.seq))
	})
	return i
}
