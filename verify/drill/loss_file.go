package drill

import (
	"context"
	"errors"
	"io"

	"savepoint/repo"
	"savepoint/repo/source"
	"savepoint/repo/tree"
	"savepoint/verify"
)

// file compares the bytes of a live file with those of its entry, each chunk in its place, and closes it: what was inserted counts with
// everything behind it, what was appended counts alone. Trust says that times tell of changes.
func (l *losses) file(ctx context.Context, path string, e *tree.Entry, f *source.File, trust bool) error {
	defer f.Close()
	m := f.Meta()
	bytes, err := l.differing(ctx, e, f, m.Size)
	if errors.Is(err, repo.ErrCorrupt) {
		l.lost(verify.LossDamaged, path, m.Size, "its list of chunks is damaged")
		return nil
	}
	var of *source.Error
	if errors.As(err, &of) {
		l.unreadable(path, err)
		return nil
	}
	if err != nil {
		return err
	}
	unchanged := trust && e.Splitter == 0 && source.Unchanged(e, m, l.since)
	switch {
	case bytes == 0 && m.Size >= e.Size:
		l.note(func(x *verify.LossSet) { x.Same++ })
	case !unchanged:
		l.lost(verify.LossChanged, path, bytes, "has changed")
	default:
		return l.silent(path, f, bytes)
	}
	return nil
}

// silent notes a file whose bytes are others though its times say that nothing has changed it: source.Unchanged also knows of stores through
// mmap.
func (l *losses) silent(path string, f *source.File, bytes uint64) error {
	changed, err := f.Changed() // while it was read
	if err != nil {
		l.unreadable(path, err)
		return nil
	}
	if changed {
		l.lost(verify.LossChanged, path, bytes, "has changed")
		return nil
	}
	l.note(func(x *verify.LossSet) {
		x.DamagedCount++
		x.DamagedBytes += bytes
		if len(x.Damaged) < verify.MaxListed {
			x.Damaged = append(x.Damaged, verify.LostFile{Path: path, Kind: verify.LossDamaged, Bytes: bytes, What: "has other bytes than its backup, though nothing has changed it since"})
		}
	})
	return nil
}

// differing returns how many bytes of a live file are not in its entry at the same place.
func (l *losses) differing(ctx context.Context, e *tree.Entry, f *source.File, size uint64) (uint64, error) {
	bytes := size - min(size, e.Size) // appended
	var buf []byte
	for x, err := range tree.Elements(ctx, l.src, e.Content, 0) {
		if err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if x.Offset >= size {
			break
		}
		n := min(x.Length, size-x.Offset)
		var same bool
		if x.Hole {
			same, buf, err = zeros(f, x.Offset, n, buf)
		} else {
			if uint64(len(buf)) < n {
				buf = make([]byte, n)
			}
			var got int
			got, err = f.ReadAt(buf[:n], int64(x.Offset))
			same = n == x.Length && uint64(got) == n && l.key.Sum(buf[:n]) == x.ID
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if !same {
			bytes += n
		}
	}
	return bytes, nil
}

// zeros reports whether n bytes of a file are all zero.
func zeros(f *source.File, off, n uint64, buf []byte) (same bool, room []byte, err error) {
	const piece = 1 << 20
	if len(buf) < piece {
		buf = make([]byte, piece)
	}
	for end := off + n; off < end; {
		got, err := f.ReadAt(buf[:min(piece, end-off)], int64(off))
		if nonzero(buf[:got]) >= 0 {
			return false, buf, nil
		}
		if err != nil || got == 0 {
			return errors.Is(err, io.EOF), buf, err
		}
		off += uint64(got)
	}
	return true, buf, nil
}
