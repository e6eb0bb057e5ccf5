package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"savepoint/verify"
)

// A drill is what one drill measured itself, in seconds.
type drill struct {
	Wall    float64 `json:"wall_s"` // of the whole program
	RTO     float64 `json:"rto_s"`
	Compare float64 `json:"compare_s"`
	Restore float64 `json:"restore_s"` // of store restore of the same state, a moment before
	Read    float64 `json:"read_s"`    // of a program that reads a copy of the tree from disk and does nothing else
	Remove  float64 `json:"remove_s"`  // of rm -rf of that copy
}

// beyond returns what a drill took beyond a restore, as a share of that.
func (d drill) beyond(restore float64) float64 {
	if restore <= 0 {
		return 0
	}
	return (d.Wall - restore) / restore
}

// floor returns the least that a drill needs beyond the restore, as a share of that.
func (d drill) floor() float64 { return (d.Read + d.Remove) / d.RTO }

// prove measures a drill of the newest state and verifications of the repository.
func (c *cell) prove(ctx context.Context, t tool) error {
	if err := c.drill(ctx, t); err != nil {
		return err
	}
	for _, step := range []string{stepVerify, stepReadBack} {
		s, err := measure(t.verify(ctx, step == stepReadBack))
		if err != nil {
			return err
		}
		log.Printf("%s: %s: %s: %.2f s, %d MiB anonymous", c.name, t.name(), step, s.Wall, s.Anon>>20)
		c.res.add(t.name(), step, s)
	}
	return nil
}

// drill measures a drill; one that does not end well ends the run.
func (c *cell) drill(ctx context.Context, t tool) error {
	scratch := filepath.Join(c.dir, c.name, "scratch") // not one that the repository lies in
	cmd := t.drill(ctx, c.live, scratch)
	if cmd == nil {
		return nil
	}
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return err
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	s, err := measure(cmd)
	if err != nil {
		return err
	}
	var doc verify.DrillDocument
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		return fmt.Errorf("read what the drill printed: %w", err)
	}
	if doc.Verdict != verify.Restored || doc.Compared.DifferenceCount > 0 || doc.Compared.Files == 0 {
		return fmt.Errorf("the drill says %q, %d differences, %d files compared", doc.Verdict, doc.Compared.DifferenceCount, doc.Compared.Files)
	}
	last := stepRestore2
	if c.change == nil {
		last = stepRestore1
	}
	d := drill{Wall: s.Wall, RTO: doc.RTO.Seconds, Compare: doc.Compared.Seconds, Restore: c.res.last(t.name(), last)}
	if d.Read, d.Remove, err = c.floor(ctx); err != nil {
		return err
	}
	log.Printf("%s: %s: drill: %.2f s (RTO %.2f, comparison %.2f, restore alone %.2f; reading alone %.2f, rm -rf %.2f), %d MiB anonymous",
		c.name, t.name(), d.Wall, d.RTO, d.Compare, d.Restore, d.Read, d.Remove, s.Anon>>20)
	c.res.add(t.name(), stepDrill, s)
	c.res.Drills = append(c.res.Drills, d)
	return nil
}
