package repo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

const indexDomain = "index/00000000/"

func segmentPrefix(k pack.Kind) string { return indexDomain + k.String() + "/" }

// errVanished says that a listed segment is gone: a merged one has taken its place, list again.
var errVanished = errors.New("segment vanished")

// listedSegment is a listed segment of one kind.
type listedSegment struct {
	storage.Info
	id record.ID
}

func segmentsOf(infos []storage.Info, kind pack.Kind) []listedSegment {
	var out []listedSegment
	for _, i := range infos {
		if rest, ok := strings.CutPrefix(i.Name, segmentPrefix(kind)); ok {
			if id, err := parseID(rest); err == nil {
				out = append(out, listedSegment{i, id})
			}
		}
	}
	return out
}

// readSegment reads a segment of a kind. The error is errVanished when there is none; it wraps ErrCorrupt or ErrNewer when the segment cannot be
// read: what only it locates will be stored again, or missed.
func (r *Repo) readSegment(ctx context.Context, i listedSegment, kind pack.Kind) (*record.Segment, error) {
	s, err := readRecord(ctx, r, seal.Segment, i.Info, record.DecodeSegment)
	if gone(err) {
		return nil, fmt.Errorf("%s: %w", i.Name, errVanished)
	}
	if err == nil && s.Kind != kind {
		err = corrupt(i.Name, fmt.Errorf("segment of kind %d among kind %d", s.Kind, kind))
	}
	if unreadable(err) {
		r.note(err)
		r.o.Logger.Warn("index segment cannot be read; what only it locates will be stored again or missed", "err", err)
	}
	return s, err
}

// Limits of reading segments ahead of their use: what their reading takes is the way to the store and back.
const (
	aheadSegments = 8
	aheadBytes    = 16 << 20
)

// readSegments reads segments, several at once, and calls each for all of them, in order; each may be called with an error of
// readSegment. It ends with the first error that each returns.
func (r *Repo) readSegments(ctx context.Context, infos []listedSegment, kind pack.Kind, each func(listedSegment, *record.Segment, error) error) error {
	return readAhead(ctx, infos, func(ctx context.Context, i listedSegment) (*record.Segment, error) {
		return r.readSegment(ctx, i, kind)
	}, each)
}

func unreadable(err error) bool { return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNewer) }
