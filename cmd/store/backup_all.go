package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"savepoint/internal/policy"
	"savepoint/repo"
	"savepoint/repo/backup"
)

// backupAllDocument is what `backup --all --json` prints.
type backupAllDocument struct {
	ExitCode int              `json:"exit_code"`
	Host     string           `json:"host"`
	Datasets []*datasetBackup `json:"datasets"`
	Run      string           `json:"run"`
}

// datasetBackup is what came of one dataset.
type datasetBackup struct {
	Dataset  string          `json:"dataset"`
	ExitCode int             `json:"exit_code"`
	Backup   *backupDocument `json:"backup,omitempty"`
	Error    *errorBody      `json:"error,omitempty"`

	res *backup.Result
}

// allRun is one run over all datasets of this host.
type allRun struct {
	a    *app
	o    backupOptions
	repo *repo.Repo
	seen []string // damage that was met before the dataset at hand
	doc  backupAllDocument
}

// runBackupAll backs up every dataset of the configuration that this host has, one after the other. What becomes of one stops no other.
func (a *app) runBackupAll(ctx context.Context, args []string, o backupOptions) error {
	if len(args) > 0 || o.dataset != "" {
		return usagef("--all is every dataset of the configuration: leave PATH and --dataset out")
	}
	if _, err := o.check(); err != nil {
		return err
	}
	if a.config.Path == "" {
		return hinted(usagef("--all wants a configuration, and there is none"), "%s", configHint)
	}
	host, err := a.hostname(o.host)
	if err != nil {
		return err
	}
	x := &allRun{a: a, o: o, doc: backupAllDocument{Host: host, Run: a.runID}}
	datasets := a.config.OfHost(host)
	if len(datasets) == 0 {
		return hinted(usagef("no dataset of %s is of host %s", printable(a.config.Path), printable(host)), "%s", a.datasetHint())
	}
	if x.repo, err = a.openForBackup(ctx); err != nil {
		return err
	}
	x.seen = a.noteDamage()
	opened := a.found
	for _, e := range datasets {
		if ctx.Err() != nil {
			break
		}
		a.found = exitOK
		x.doc.Datasets = append(x.doc.Datasets, x.one(ctx, e))
	}
	a.found = opened
	return x.conclude(ctx, len(datasets))
}

// one backs up one dataset, and says at once what came of it.
func (x *allRun) one(ctx context.Context, e *policy.Effective) *datasetBackup {
	out := &datasetBackup{Dataset: e.Name}
	o := x.o
	o.dataset = e.Name
	opt, _, err := x.a.backupOptions(nil, o)
	if err == nil {
		out.res, err = x.a.backUp(ctx, x.repo, opt)
	}
	if out.res != nil {
		noted := x.note(out.res, e)
		doc := x.a.backupDocumentOf(out.res, noted, err)
		out.Backup, out.ExitCode = &doc, doc.ExitCode
		if !x.a.g.json {
			x.a.sayBackup(out.res)
		}
	}
	if err == nil {
		return out
	}
	out.ExitCode = worst(x.a.found, exitCode(err))
	out.Error = &errorBody{Code: exitCode(err), Message: oneLine(err), Hint: hint(err), Run: x.a.runID}
	if !x.a.g.json && ctx.Err() == nil {
		x.a.warnf("dataset %s: %s", e.Name, strings.TrimSuffix(out.Error.Message+"\n"+out.Error.Hint, "\n"))
	}
	return out
}

// note is noteBackup, but for damage that was met before this dataset: that is in the exit code of the one that met it.
func (x *allRun) note(res *backup.Result, e *policy.Effective) []string {
	found := x.a.found
	noted := x.a.noteBackup(res, e)
	fresh := slices.DeleteFunc(slices.Clone(noted), func(name string) bool { return slices.Contains(x.seen, name) })
	x.seen = noted
	if len(fresh) == 0 && len(res.Damaged) == 0 && x.a.found == exitDamage {
		x.a.found = found
		if res.Faulty() {
			x.a.found = worst(found, exitFaults)
		}
	}
	return fresh
}

// conclude prints the table, and returns the error of those that failed.
func (x *allRun) conclude(ctx context.Context, all int) error {
	a, total := x.a, x.a.found
	var failed []string
	for _, d := range x.doc.Datasets {
		code := d.ExitCode
		if !slices.Contains([]int{exitOK, exitFaults, exitObjective, exitFailure, exitDamage}, code) {
			code = exitFailure // what would end a command alone is a failure among others
		}
		total = worst(total, code)
		if d.Error != nil {
			failed = append(failed, d.Dataset)
		}
	}
	var err error
	switch {
	case ctx.Err() != nil:
		err = hinted(context.Cause(ctx), "%d of %d datasets were begun; their snapshots are safe. The same command goes on from there.", len(x.doc.Datasets), all)
		total = exitInterrupted
	case len(failed) > 0:
		others := "; the others are backed up"
		if len(failed) == all {
			others = ""
		}
		err = hinted(coded(exitFailure, fmt.Errorf("%d of %d datasets failed: %s", len(failed), all, strings.Join(failed, ", "))),
			"What became of each is said above%s. The same command can be run again.", others)
	}
	x.doc.ExitCode = total
	if total != exitInterrupted {
		a.found = total
	}
	if a.g.json {
		return errors.Join(a.printJSON(x.doc), err)
	}
	return errors.Join(x.print(total), err)
}

// print prints the table to stderr when there is something to see, or somebody.
func (x *allRun) print(total int) error {
	if x.a.g.logFormat == "json" || total == exitOK && !x.a.talks() {
		return nil
	}
	t := table{header: []string{"DATASET", "EXIT", "SNAPSHOT", "FILES", "SIZE", "NEW", "TIME", "RESULT"}, right: map[int]bool{1: true, 3: true, 4: true, 5: true, 6: true}}
	for _, d := range x.doc.Datasets {
		if d.res == nil {
			t.add(d.Dataset, fmt.Sprint(d.ExitCode), "-", "-", "-", "-", "-", "failed")
			continue
		}
		s := d.res.Snapshot
		t.add(d.Dataset, fmt.Sprint(d.ExitCode), s.Short(), humanize.Comma(int64(s.Stats.Files)), sizeText(s.Stats.FileBytes),
			sizeText(s.Stats.NewPackBytes+s.Stats.NewTreePack), durationText(d.res.Duration), stateOf(s))
	}
	return t.print(x.a.err)
}
