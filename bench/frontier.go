package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"savepoint/chunk"
)

// splitters are what the frontier compares; the first is the default.
var splitters = []string{
	"rabin:96KiB/15/1MiB", "rabin:64KiB/14/1MiB", "rabin:32KiB/14/1MiB", "rabin:512KiB/20/8MiB",
	"fixed:4KiB", "fixed:8KiB", "fixed:16KiB", "fixed:64KiB",
}

// A frontierRow is what one splitter makes of a corpus.
type frontierRow struct {
	Splitter string  `json:"splitter"`
	Chunks   int     `json:"chunks"`     // different ones of the first state: what the index has to hold
	Plain    int64   `json:"plain"`      // bytes of the second state in chunks that the first does not have
	Zstd     int64   `json:"zstd"`       // those bytes, compressed one after the other
	CPU      float64 `json:"cut_hash_s"` // seconds on one core to read, cut and hash the first state
	Bytes    int64   `json:"bytes"`      // of the second state
}

// measureFrontier cuts the states before and after a change with each splitter.
func measureFrontier(ctx context.Context, before, after string) ([]frontierRow, error) {
	pol, err := chunk.RandomPolynomial()
	if err != nil {
		return nil, err
	}
	var rows []frontierRow
	for _, name := range splitters {
		params, err := chunk.ParseParams(name)
		if err != nil {
			return nil, err
		}
		if params.Kind == chunk.Rabin {
			params.Polynomial = pol
		}
		row, err := measureSplitter(ctx, params, before, after)
		if err != nil {
			return nil, fmt.Errorf("splitter %s: %w", name, err)
		}
		log.Printf("frontier: %s: %s MiB again", name, mib(row.Plain))
		rows = append(rows, row)
	}
	return rows, nil
}

func measureSplitter(ctx context.Context, p chunk.Params, before, after string) (frontierRow, error) {
	row := frontierRow{Splitter: p.String()}
	known := make(map[chunk.ID]struct{})
	key := chunk.NewKey([32]byte{1})
	start := time.Now()
	err := eachChunk(ctx, before, p, func(data []byte) error {
		known[key.Sum(data)] = struct{}{}
		return nil
	})
	if err != nil {
		return row, err
	}
	row.CPU = time.Since(start).Seconds()
	row.Chunks = len(known)
	row.Zstd, err = compressed(ctx, func(w io.Writer) error {
		return eachChunk(ctx, after, p, func(data []byte) error {
			row.Bytes += int64(len(data))
			id := key.Sum(data)
			if _, ok := known[id]; ok {
				return nil
			}
			known[id] = struct{}{}
			row.Plain += int64(len(data))
			_, err := w.Write(data)
			return err
		})
	})
	return row, err
}

// eachChunk cuts all files of a tree. The bytes are valid until fn returns.
func eachChunk(ctx context.Context, dir string, p chunk.Params, fn func([]byte) error) error {
	r := chunk.NewReader(nil, p, nil)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		r.Reset(f)
		for {
			data, err := r.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err == nil {
				err = fn(data)
			}
			if err != nil {
				return fmt.Errorf("cut %s: %w", path, err)
			}
		}
	})
}

// compressed returns how many bytes zstd makes of what fill writes, at a level close to that of packs and with a window
// as long as a block.
func compressed(ctx context.Context, fill func(io.Writer) error) (int64, error) {
	cmd := command(ctx, "", "zstd", "-1", "-q", "-c")
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	var n counter
	cmd.Stdout = &n
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	fillErr := errors.Join(fill(in), in.Close())
	return int64(n), errors.Join(fillErr, cmd.Wait())
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func frontierTable(b *strings.Builder, r *result) {
	fmt.Fprintf(b, "\n### Splitters on %s\n\n", r.Corpus)
	b.WriteString("| splitter | stored again, MiB | of all | compressed, MiB | chunks of the first state | read, cut and hash it, s |\n|---|--:|--:|--:|--:|--:|\n")
	for _, f := range r.Frontier {
		fmt.Fprintf(b, "| %s | %.1f | %.1f%% | %.1f | %d | %.2f |\n", f.Splitter, float64(f.Plain)/(1<<20), 100*float64(f.Plain)/float64(max(f.Bytes, 1)),
			float64(f.Zstd)/(1<<20), f.Chunks, f.CPU)
	}
}
