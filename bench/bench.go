package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Steps, in the order of the table.
const (
	stepFirst     = "first backup"
	stepUnchanged = "unchanged"
	stepPart      = "unchanged, half the files"
	stepChanged   = "changed"
	stepRestore1  = "restore before"
	stepRestore2  = "restore after"
	stepDrill     = "drill"
	stepVerify    = "verify"
	stepReadBack  = "verify, all data read"
)

// settle is how old files must be at the start of a backup so that the one after it takes them for unchanged, and
// some more.
const settle = 65 * time.Second

// repeats is how often a backup of nothing new is measured: it is short, and the slope is a difference of two.
const repeats = 3

// bench runs the corpora in the folder dir.
type bench struct {
	options
	dir    string
	bin    string // store
	server *minio // where the repositories lie; nil: in folders
}

// all runs what was asked for into rep. It goes on with the next corpus after one that failed only if that was by a
// difference, which rep notes.
func (b *bench) all(ctx context.Context, rep *report) error {
	frontier := slices.Contains(b.corpora, "frontier")
	for _, name := range names[:len(names)-1] {
		asked := slices.Contains(b.corpora, name)
		measured := frontier && (name == "db" || name == "bigfile")
		if !asked && !measured {
			continue
		}
		c := &cell{bench: b, source: newSource(name, b.sizes), compete: asked, frontier: measured, res: &result{Corpus: name}}
		rep.Results = append(rep.Results, c.res)
		if err := c.run(ctx); err != nil {
			return fmt.Errorf("corpus %s: %w", name, err)
		}
	}
	return nil
}

// A cell runs one corpus with all tools.
type cell struct {
	*bench
	source
	compete, frontier bool
	res               *result

	live  string // what is backed up, always under this path
	kept  string // a copy of live before the change
	tools [][]tool
}

func (c *cell) run(ctx context.Context) error {
	dir := filepath.Join(c.dir, c.name)
	c.live, c.kept = filepath.Join(dir, "live"), filepath.Join(dir, "kept")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	log.Printf("%s: making it", c.name)
	if err := c.make(ctx, c.live); err != nil {
		return err
	}
	made := time.Now()
	if c.change != nil {
		if err := runQuiet(command(ctx, "", "cp", "-a", c.live, c.kept)); err != nil {
			return err
		}
	}
	var err error
	if c.res.Before, err = warm(c.live); err != nil {
		return err
	}
	if c.compete {
		if err := c.before(ctx, made); err != nil {
			return err
		}
	}
	at, err := c.changeOver(ctx)
	if err != nil {
		return err
	}
	if c.frontier {
		if c.res.Frontier, err = measureFrontier(ctx, c.kept, c.live); err != nil {
			return err
		}
	}
	if c.compete {
		if err := c.after(ctx, at); err != nil {
			return err
		}
	}
	if c.keep {
		return nil
	}
	return removeAll(dir)
}

// before measures everything up to the change.
func (c *cell) before(ctx context.Context, made time.Time) error {
	runs := c.runs
	if !c.peer {
		runs = 1 // nothing to compare with
	}
	for run := range runs {
		tools, err := c.open(fmt.Sprint(run))
		if err != nil {
			return err
		}
		if run%2 == 1 {
			slices.Reverse(tools)
		}
		c.tools = append(c.tools, tools)
		for _, t := range tools {
			if err := t.init(ctx); err != nil {
				return err
			}
			if err := c.backup(ctx, t, c.live, "before", stepFirst); err != nil {
				return err
			}
			if err := c.res.addSize(t, stepFirst); err != nil {
				return err
			}
		}
	}
	if !c.quick {
		log.Printf("%s: waiting until the files are old enough to be trusted", c.name)
		if err := until(ctx, made.Add(settle)); err != nil {
			return err
		}
	}
	for _, tools := range c.tools {
		if err := c.unchanged(ctx, tools, c.live, stepUnchanged); err != nil {
			return err
		}
	}
	if c.part == "" {
		return nil
	}
	return c.halfway(ctx)
}

// halfway measures the smaller tree of the slope, in repositories of its own.
func (c *cell) halfway(ctx context.Context) error {
	part := filepath.Join(c.live, c.part)
	var err error
	if c.res.Part, err = warm(part); err != nil {
		return err
	}
	tools, err := c.open("part")
	if err != nil {
		return err
	}
	for _, t := range tools {
		if err := t.init(ctx); err != nil {
			return err
		}
	}
	for range c.runs {
		if err := c.unchanged(ctx, tools, part, stepPart); err != nil {
			return err
		}
	}
	return nil
}

// unchanged measures backups of what the backup before has seen, after one that is not counted: it reads again what was
// too young at its parent.
func (c *cell) unchanged(ctx context.Context, tools []tool, path, step string) error {
	for _, t := range tools {
		if err := runQuiet(t.backup(ctx, path, "settled")); err != nil {
			return err
		}
	}
	for range repeats {
		for _, t := range tools {
			if err := c.backup(ctx, t, path, "unchanged", step); err != nil {
				return err
			}
		}
	}
	return nil
}

// changeOver changes the corpus. It returns a time between the states.
func (c *cell) changeOver(ctx context.Context) (time.Time, error) {
	// Whole seconds are what --at takes at least: the next one is after all that was backed up.
	at := time.Now().Truncate(time.Second).Add(time.Second)
	if err := until(ctx, at); err != nil {
		return at, err
	}
	if c.change == nil {
		c.kept = c.live
		return at, nil
	}
	log.Printf("%s: changing it", c.name)
	if err := c.change(ctx, c.live); err != nil {
		return at, err
	}
	var err error
	c.res.After, err = warm(c.live)
	return at, err
}

// after measures the backup of the changed corpus, and restores and compares both states.
func (c *cell) after(ctx context.Context, at time.Time) error {
	if c.change != nil {
		for _, tools := range c.tools {
			for _, t := range tools {
				if err := c.res.startGrowth(t); err != nil {
					return err
				}
				if err := c.backup(ctx, t, c.live, "after", stepChanged); err != nil {
					return err
				}
				if err := c.res.addSize(t, stepChanged); err != nil {
					return err
				}
			}
		}
	}
	for _, tools := range c.tools {
		for _, t := range tools {
			if err := c.restore(ctx, t, moment{tag: "before", at: at}, c.kept, stepRestore1); err != nil {
				return err
			}
			if c.change != nil {
				if err := c.restore(ctx, t, moment{tag: "after"}, c.live, stepRestore2); err != nil {
					return err
				}
			}
			if err := c.prove(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// open returns tools that have not been used yet.
func (c *cell) open(suffix string) ([]tool, error) {
	kinds := []string{toolStore}
	if c.peer {
		kinds = append(kinds, toolRestic)
	}
	var tools []tool
	for _, kind := range kinds {
		t, err := newTool(kind, c.bin, filepath.Join(c.dir, c.name, kind+"-"+suffix), c.server)
		if err != nil {
			return nil, err
		}
		tools = append(tools, t)
	}
	return tools, nil
}

func (c *cell) backup(ctx context.Context, t tool, path, tag, step string) error {
	s, err := measure(t.backup(ctx, path, tag))
	if err != nil {
		return err
	}
	log.Printf("%s: %s: %s: %.2f s, %d MiB anonymous", c.name, t.name(), step, s.Wall, s.Anon>>20)
	c.res.add(t.name(), step, s)
	return nil
}

// restore measures a restore, compares what came with want, and removes it. From a server it is that of a host which has nothing.
func (c *cell) restore(ctx context.Context, t tool, m moment, want, step string) error {
	if c.server != nil {
		if err := t.forget(); err != nil {
			return err
		}
	}
	target := filepath.Join(c.dir, c.name, "restored")
	s, err := measure(t.restore(ctx, c.live, m, target))
	if err != nil {
		return err
	}
	log.Printf("%s: %s: %s: %.2f s, %d MiB anonymous", c.name, t.name(), step, s.Wall, s.Anon>>20)
	c.res.add(t.name(), step, s)
	found, err := compare(ctx, want, t.restored(c.live, target))
	if err != nil {
		return err
	}
	c.res.addCheck(t.name(), step, found)
	return removeAll(target)
}

// until waits for a time.
func until(ctx context.Context, t time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(t)):
		return nil
	}
}
