package check

import (
	"context"
	"slices"

	"savepoint/repo"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// class says how badly a chunk stands that snapshots reach and that lies in no good pack.
type class uint8

// The classes, from the mildest on.
const (
	condemnedOnly class = iota + 1 // in packs that prune will delete, after it has copied them out
	voidOnly                       // in packs that only segments out of force name
	weak                           // in damaged packs, but what they hold of it can be read
	unseen                         // perhaps in what the store does not give
	lost                           // nowhere
)

// cause is what a finding is about: a pack by its number in the table, or one of those below.
type cause int32

const (
	causeData      cause = -1 // the index of data chunks lacks something
	causeMeta      cause = -2
	causeCondemned cause = -3
	causeVoid      cause = -4
	causeBlindData cause = -5 // segments of data chunks that the store does not give
	causeBlindMeta cause = -6
	causeLength    cause = -7 // trees and index tell different lengths
	causeTrees     cause = -8 // and below: parts of trees that are not what they should be
)

func indexCause(kind pack.Kind) cause {
	if kind == pack.Meta {
		return causeMeta
	}
	return causeData
}

func blindCause(kind pack.Kind) cause {
	if kind == pack.Meta {
		return causeBlindMeta
	}
	return causeBlindData
}

// suspect is a chunk that is reached and has no good place.
type suspect struct {
	id     prefix
	class  class
	other  bool    // the index has the chunk with another length
	places []cause // packs that hold it; then, once its class is known, its causes
}

// suspects are in order of id.
type suspects []suspect

func (s suspects) find(id prefix) *suspect {
	i, ok := slices.BinarySearchFunc(s, id, func(a suspect, id prefix) int {
		switch {
		case a.id < id:
			return -1
		case a.id > id:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &s[i]
}

// unlocated returns the chunks that are reached and that no segment in force locates in a pack that counts.
func (c *checker) unlocated() (out [kinds][]prefix, err error) {
	for _, kind := range []pack.Kind{pack.Data, pack.Meta} {
		n, err := c.reach[kind].missingFrom(c.places[kind], func(p prefix) { out[kind] = append(out[kind], p) })
		if err != nil {
			return out, err
		}
		if kind == pack.Data {
			c.counts.Chunks = n
		}
	}
	return out, nil
}

// suspectsOf finds out how those chunks of a kind stand that are unlocated, or lie in packs that are damaged. It reads the index up to
// three times.
func (c *checker) suspectsOf(ctx context.Context, kind pack.Kind, unlocated []prefix) (suspects, error) {
	candidates, err := c.candidates(ctx, kind, unlocated)
	if err != nil || len(candidates) == 0 {
		return nil, err
	}
	list := make(suspects, len(candidates))
	for i, id := range candidates {
		list[i].id = id
	}
	err = c.eachSegment(ctx, kind, nil, func(s *record.Segment, at []cause) error {
		i := 0 // entries are in the order of list, but for lengths
		for j := range s.Len() {
			p, e := s.Entry(j)
			id := c.keys.of(kind, &e)
			for i < len(list) && list[i].id|mixed < id {
				i++
			}
			for n := i; n < len(list) && list[n].id&^mixed <= id; n++ {
				switch {
				case list[n].id == id && !slices.Contains(list[n].places, at[p]):
					list[n].places = append(list[n].places, at[p])
				case kind == pack.Data && list[n].id != id && alike(list[n].id, id):
					list[n].other = true
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(s suspect) bool { return slices.ContainsFunc(s.places, c.goodPlace) })
	readable, err := c.salvage(ctx, kind, list)
	if err != nil {
		return nil, err
	}
	for i := range list {
		c.classify(&list[i], kind, readable)
	}
	return list, nil
}

// candidates returns the chunks that are unlocated, and those reached ones that lie in packs that are damaged or not read, in order.
func (c *checker) candidates(ctx context.Context, kind pack.Kind, unlocated []prefix) ([]prefix, error) {
	damaged := func(at cause) bool { s := &c.packs.states[at]; return s.suspect() && !s.dead() }
	any := false
	for i := range c.packs.states {
		any = any || c.packs.states[i].Kind == kind && damaged(cause(i))
	}
	if !any {
		return unlocated, nil
	}
	var held []prefix
	err := c.eachSegment(ctx, kind, damaged, func(s *record.Segment, at []cause) error {
		for j := range s.Len() {
			if p, e := s.Entry(j); damaged(at[p]) {
				held = append(held, c.keys.of(kind, &e))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(held)
	out := slices.Clone(unlocated)
	err = c.reach[kind].among(slices.Compact(held), func(p prefix) { out = append(out, p) })
	slices.Sort(out)
	return slices.Compact(out), err
}

// eachSegment calls each for the readable segments that name a pack that wanted says, nil being all, with the numbers of its packs.
func (c *checker) eachSegment(ctx context.Context, kind pack.Kind, wanted func(cause) bool, each func(*record.Segment, []cause) error) error {
	return c.x.Segments(ctx, kind, func(s *repo.InspectedSegment) error {
		if s.Unread != nil {
			c.blindIndex[kind] = true
		}
		if s.Segment == nil {
			return nil
		}
		at := make([]cause, len(s.Segment.Packs))
		any := wanted == nil
		for i := range at {
			at[i] = cause(c.packs.index(c.x, record.PackRef{Kind: kind, ID: s.Segment.Packs[i].ID}))
			any = any || wanted(at[i])
		}
		if !any {
			return nil
		}
		return each(s.Segment, at)
	})
}

// goodPlace reports whether a chunk that lies in a pack needs no other place.
func (c *checker) goodPlace(at cause) bool {
	s := &c.packs.states[at]
	return s.standing && !s.dead() && !s.suspect()
}

// salvage reads the damaged packs that hold suspects and returns, for each that is there, which chunks can be read, in order. What several
// segments say of a pack is all tried.
func (c *checker) salvage(ctx context.Context, kind pack.Kind, list suspects) (map[cause][]prefix, error) {
	readable := map[cause][]prefix{}
	wanted := map[cause]bool{}
	for i := range list {
		for _, at := range list[i].places {
			if s := &c.packs.states[at]; s.stored > 0 && s.code != CodePackMissing && s.unread == nil && (s.marked || s.err != nil) {
				wanted[at] = true
			}
		}
	}
	if len(wanted) == 0 {
		return readable, nil
	}
	type try struct {
		at        cause
		directory [32]byte
	}
	tried := map[try]bool{}
	err := c.eachSegment(ctx, kind, func(at cause) bool { return wanted[at] }, func(s *record.Segment, at []cause) error {
		for n, p := range s.Directories() {
			if !wanted[at[n]] {
				continue
			}
			t := try{at[n], repo.NewIndexedPack(kind, &p).Directory}
			if tried[t] {
				continue
			}
			tried[t] = true
			good, err := c.x.Salvage(ctx, kind, &p)
			if repo.Unread(err) {
				c.packs.unread(c.packs.states[at[n]].ref(), err)
			} else if err != nil {
				return err
			}
			for i, isGood := range good {
				if isGood {
					readable[at[n]] = append(readable[at[n]], c.keys.of(kind, &p.Entries[i]))
				}
			}
			slices.Sort(readable[at[n]])
		}
		return nil
	})
	return readable, err
}

// classify decides how a suspect stands, and why.
func (c *checker) classify(s *suspect, kind pack.Kind, readable map[cause][]prefix) {
	s.class = lost
	var why [lost + 1][]cause
	for _, at := range s.places {
		p := &c.packs.states[at]
		_, good := slices.BinarySearch(readable[at], s.id)
		how := lost
		because := at
		switch {
		case p.suspect() || p.marked:
			if good {
				how = weak
			} else if p.unread != nil {
				how = unseen
			}
		case p.stored == 0:
			c.bill.gone[at] = true
		case p.condemned:
			how, because = condemnedOnly, causeCondemned
		default:
			how, because = voidOnly, causeVoid
		}
		s.class = min(s.class, how)
		if !slices.Contains(why[how], because) {
			why[how] = append(why[how], because)
		}
	}
	if s.class == lost && c.blindIndex[kind] {
		s.class = unseen
		why[unseen] = append(why[lost], blindCause(kind))
	}
	s.places = why[s.class]
	switch {
	case len(s.places) > 0:
	case s.other:
		s.places = []cause{causeLength}
	default:
		s.places = []cause{indexCause(kind)}
	}
}
