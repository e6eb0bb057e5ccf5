package repo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// InspectedSegment is an index segment. Segment is nil when it is damaged or could not be read.
type InspectedSegment struct {
	Object
	Kind    pack.Kind
	Segment *record.Segment
	// Void is set when another segment in good standing supersedes it, or it came after its session's time: it protects nothing, but what
	// it says is true.
	Void bool
	// Marked is set when a mark says that the segment is damaged: backups do not rely on it.
	Marked bool
	// FromPack is set when this is no object, but what a pack that only damaged segments name says of itself: restores read it there.
	FromPack bool
}

func (x *Inspection) lookIndex(ctx context.Context) error {
	infos, err := x.ours(ctx, "index/", segmentName)
	if err == nil {
		x.setSegments(infos)
	}
	return err
}

func (x *Inspection) setSegments(infos []storage.Info) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.segments = infos
}

func (x *Inspection) listedSegments(kind pack.Kind) []listedSegment {
	x.mu.Lock()
	defer x.mu.Unlock()
	return segmentsOf(x.segments, kind)
}

// IndexVersion tells listings of the index apart: it grows when one shows a segment that was not there before, which happens in Segments
// as well, when a segment vanishes.
func (x *Inspection) IndexVersion() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.version
}

// ListIndexAgain lists the index segments once more.
func (x *Inspection) ListIndexAgain(ctx context.Context) error {
	infos, err := x.r.list(ctx, "index/")
	if err != nil {
		return err
	}
	infos = slices.DeleteFunc(infos, func(i storage.Info) bool { return !segmentName.MatchString(i.Name) })
	x.mu.Lock()
	defer x.mu.Unlock()
	more := false
	for _, i := range infos {
		_, known := slices.BinarySearchFunc(x.segments, i.Name, func(i storage.Info, name string) int { return strings.Compare(i.Name, name) })
		more = more || !known
	}
	if x.segments = infos; more {
		x.version++
	}
	return nil
}

// Segments reads all segments of a kind and calls each for them, newest first, and then, when some are damaged, for the packs that only those
// name. It holds a few of them in memory.
func (x *Inspection) Segments(ctx context.Context, kind pack.Kind, each func(*InspectedSegment) error) error {
	w := segmentWalk{x: x, kind: kind, each: each, done: map[record.ID]bool{}, superseded: map[record.ID]bool{}, known: map[pack.ID]bool{}}
	for try := 0; ; try++ {
		err := w.walk(ctx)
		if err == nil && w.damaged {
			return w.orphans(ctx)
		}
		if !errors.Is(err, errVanished) || try == 3 {
			return err
		}
		if err := x.ListIndexAgain(ctx); err != nil {
			return err
		}
	}
}

// segmentWalk walks segments as a locator does: what makes one void is known when its turn comes.
type segmentWalk struct {
	x          *Inspection
	kind       pack.Kind
	each       func(*InspectedSegment) error
	done       map[record.ID]bool
	superseded map[record.ID]bool
	held       []heldInspected
	size       int64
	damaged    bool
	known      map[pack.ID]bool // packs that a segment names
}

type heldInspected struct {
	id record.ID
	*InspectedSegment
}

// maxHeldInspected bounds the bytes of segments of one second that are held. What is let go before its time may be taken for better than it
// is: a pack that a merge has left out is then looked for, and nothing needs it.
const maxHeldInspected = 64 << 20

func (w *segmentWalk) walk(ctx context.Context) error {
	segs := slices.DeleteFunc(w.x.listedSegments(w.kind), func(i listedSegment) bool { return w.done[i.id] })
	slices.SortStableFunc(segs, func(a, b listedSegment) int { return b.Time.Compare(a.Time) })
	err := readAhead(ctx, segs, func(ctx context.Context, i listedSegment) (*record.Segment, error) {
		s, err := readTwice(ctx, w.x.r, i.Info, reading(w.x.r, seal.Segment, record.DecodeSegment))
		if gone(err) {
			return nil, errVanished
		}
		if err == nil && s.Kind != w.kind {
			err = corrupt(i.Name, errors.New("it is a segment of the other kind"))
		}
		return s, err
	}, func(i listedSegment, s *record.Segment, err error) error {
		seg := &InspectedSegment{Kind: w.kind, Segment: s}
		if seg.Object, err = inspected(i.Info, err); err != nil {
			return err
		}
		if seg.Damage != nil || seg.Unread != nil {
			w.done[i.id], seg.Segment = true, nil
			w.damaged = w.damaged || seg.Damage != nil
			_, seg.Marked = w.x.list.damaged[i.Name]
			return w.each(seg)
		}
		if len(w.held) > 0 && (w.size >= maxHeldInspected || !sameSecond(w.held[0].Stored, i.Time)) {
			if err := w.emit(); err != nil {
				return err
			}
		}
		if seg.Void = w.x.list.late(s.Session, i.Info); !seg.Void {
			for _, old := range s.Supersedes {
				w.superseded[old] = true
			}
		}
		w.held = append(w.held, heldInspected{i.id, seg})
		w.size += i.Size
		return nil
	})
	if err != nil && !errors.Is(err, errVanished) {
		return err
	}
	if emitErr := w.emit(); emitErr != nil {
		return emitErr
	}
	return err
}

// orphans calls each for the packs that no segment names which can be read.
func (w *segmentWalk) orphans(ctx context.Context) error {
	var failed error
	err := w.x.r.orphans(ctx, w.kind, w.known, func(p *record.SegmentPack) {
		s, err := segmentOfPack(w.kind, p)
		if err == nil && failed == nil {
			err = w.each(&InspectedSegment{Object: Object{Name: pack.Name(w.kind, p.ID)}, Kind: w.kind, Segment: s, FromPack: true})
		}
		if failed == nil {
			failed = err
		}
	})
	return errors.Join(err, failed)
}

func (w *segmentWalk) emit() error {
	for _, h := range w.held {
		w.done[h.id] = true
		h.Void = h.Void || w.superseded[h.id]
		for i := range h.Segment.Packs {
			w.known[h.Segment.Packs[i].ID] = true
		}
		if err := w.each(h.InspectedSegment); err != nil {
			return err
		}
	}
	clear(w.held)
	w.held, w.size = w.held[:0], 0
	return nil
}

// readAhead reads segments, several at once, and calls each for all of them, in order, until it returns an error.
func readAhead(ctx context.Context, infos []listedSegment, read func(context.Context, listedSegment) (*record.Segment, error),
	each func(listedSegment, *record.Segment, error) error) error {
	type result struct {
		s   *record.Segment
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	results := make([]chan result, len(infos))
	next, size := 0, int64(0)
	for i, info := range infos {
		for next < len(infos) && (next == i || next-i < aheadSegments && size+infos[next].Size <= aheadBytes) {
			at, c := infos[next], make(chan result, 1)
			wg.Go(func() {
				s, err := read(ctx, at)
				c <- result{s, err}
			})
			results[next] = c
			size += at.Size
			next++
		}
		got := <-results[i]
		results[i] = nil
		size -= info.Size
		if err := each(info, got.s, got.err); err != nil {
			return err
		}
	}
	return nil
}
