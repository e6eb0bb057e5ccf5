package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// bigName is the one file of the corpus.
const bigName = "volume.dat"

// makeBigFile writes one file of size bytes: runs of 1 to 24 MiB of source text (35%), random bytes (30%), what
// looks like game assets (18%) and like the dump of a database (17%).
func makeBigFile(ctx context.Context, live string, size int64) (err error) {
	text, err := newTextReader(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(live, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(live, bigName))
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := fillBig(ctx, w, size, text); err != nil {
		return fmt.Errorf("make big file: %w", err)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func fillBig(ctx context.Context, w io.Writer, size int64, text io.Reader) error {
	rng := rand.New(rand.NewPCG(seed, 2))
	random := rand.NewChaCha8([32]byte{1})
	assets, dump := &assetReader{random: random}, &dumpReader{rng: rng}
	longest := min(24<<20, max(size/8, 64<<10))
	for left := size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(left, longest/24+rng.Int64N(longest-longest/24))
		var src io.Reader
		switch drawn := rng.IntN(100); {
		case drawn < 35:
			src = text
		case drawn < 65:
			src = random
		case drawn < 83:
			src = assets
		default:
			src = dump
		}
		if _, err := io.CopyN(w, src, n); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// An edit replaces cut bytes at an offset by put random ones.
type edit struct{ off, cut, put int64 }

// drawEdits draws inserts, deletions and overwrites of 1 byte to 64 KiB, short ones as likely as long ones, in the order
// of offsets and without overlaps, for a file of size bytes.
func drawEdits(rng *rand.Rand, size int64, n int) []edit {
	edits := make([]edit, n)
	for i := range edits {
		length := int64(math.Exp2(rng.Float64() * 16))
		edits[i] = [...]edit{{put: length}, {cut: length}, {cut: length, put: length}}[rng.IntN(3)]
		edits[i].off = rng.Int64N(size)
	}
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(a.off, b.off) })
	for i := range edits {
		end := size
		if i+1 < n {
			end = edits[i+1].off
		}
		edits[i].cut = min(edits[i].cut, end-edits[i].off)
	}
	return edits
}

// changeBigFile edits the file at n places; it stays the same inode.
func changeBigFile(live string, n int) error {
	path := filepath.Join(live, bigName)
	fresh := live + ".fresh"
	defer os.Remove(fresh)
	if err := writeEdited(path, fresh, n); err != nil {
		return fmt.Errorf("change big file: %w", err)
	}
	return copyOver(fresh, path)
}

// writeEdited writes the edited content of one file into another.
func writeEdited(from, to string, n int) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	w := bufio.NewWriterSize(out, 1<<20)
	if err := applyEdits(w, in, info.Size(), drawEdits(rand.New(rand.NewPCG(seed, 4)), info.Size(), n)); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return out.Close()
}

// copyOver replaces the content of a file that exists.
func copyOver(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// applyEdits copies size bytes of in to w with the edits applied.
func applyEdits(w io.Writer, in io.ReaderAt, size int64, edits []edit) error {
	random := rand.NewChaCha8([32]byte{2})
	at := int64(0)
	for _, e := range edits {
		if _, err := io.Copy(w, io.NewSectionReader(in, at, e.off-at)); err != nil {
			return err
		}
		if _, err := io.CopyN(w, random, e.put); err != nil {
			return err
		}
		at = e.off + e.cut
	}
	_, err := io.Copy(w, io.NewSectionReader(in, at, size-at))
	return err
}
