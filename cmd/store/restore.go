package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/storage/s3"
	"savepoint/repo/tree"
	"savepoint/verify"
	"savepoint/verify/drill"
	"savepoint/verify/health"
)

type restoreOptions struct {
	selection
	target string
	all    bool
}

func (a *app) restoreCommand() *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore [SNAPSHOT[:SUBPATH]]",
		Short: "Restore a snapshot, or what there was at a time, into a new or empty folder",
		Long: "restore brings back a snapshot, named by the beginning of its ID or \"latest\", or the newest one that had ended at\n" +
			"the time of --at. Without --target it goes into a new folder ./DATASET-TIME. Nothing is ever written over.\n\n" + timeForms,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return hinted(usagef("%d arguments, where one snapshot is named at most", len(args)),
					"The folder to restore into is given with --target; a time with blanks in it in quotes: --at \"yesterday 18:00\".")
			}
			return nil
		},
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.runRestore(ctx, o, strings.Join(args, ""))
		}),
	}
	o.register(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&o.target, "target", "", "`FOLDER` to restore into: new or empty")
	f.BoolVar(&o.all, "all", false, "when several sources fit: each into a folder of its own beneath --target or here")
	return cmd
}

func (a *app) runRestore(ctx context.Context, o restoreOptions, argument string) error {
	if err := o.parse(a, argument); err != nil {
		return err
	}
	if o.target != "" && !o.all {
		if err := emptyOrMissing(o.target); err != nil {
			return err
		}
	}
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	// The lease comes before the choice, so that prune leaves alone what is chosen.
	return r.Read(ctx, o.dataset, func(ctx context.Context) error { return a.chooseAndRestore(ctx, r, o) })
}

func (a *app) chooseAndRestore(ctx context.Context, r *repo.Repo, o restoreOptions) error {
	choices, err := o.choose(ctx, a, r, o.all)
	if errors.Is(err, repo.ErrNoSnapshot) {
		err = a.explainLost(ctx, r, o.selection, err)
	}
	if err != nil {
		var own []string
		if o.target != "" {
			own = []string{"--target", o.target}
		}
		return o.offer(a, err, "restore", own...)
	}
	without := choices[0].Without
	if len(without) > 0 && o.all {
		a.warnf("nothing of that time is there of %s: %s", plural(len(without), "other source", "other sources"), printable(strings.Join(without, ", ")))
	}
	tasks, err := a.planRestores(ctx, r, o, choices)
	if err != nil {
		return err
	}
	doc := restoreDocument{Restores: []restoredElement{}, Without: append([]string{}, without...), Run: a.runID}
	if o.at != "" {
		at := o.moment.UTC()
		doc.At = &at
	}
	soon, cancel := context.WithTimeout(ctx, damageWithin)
	lost := a.lostSoon(ctx, soon, r, o.selection, choices)
	found := a.knownSoon(ctx, soon, r, o.found)
	cancel()
	for i, t := range tasks {
		tasks[i].lost = lostAfter(lost, o.selection, t.choice.Snapshot)
		a.warnLost(tasks[i])
		a.warnTooLate(t.choice)
		a.warnFound(t.choice.Snapshot, found)
		a.warnProbe(t.choice.Snapshot, found)
		if b := t.choice.Before; b != nil {
			_, tasks[i].hit = found.Damaged[b.ID()]
		}
	}
	failed := a.restoreEach(ctx, r, o, tasks, found, &doc)
	doc.Storage, doc.Usage = a.storageTotals(), verify.UsageOf(a.usage)
	a.noteUsage(doc.Usage)
	a.noteDamage()
	if doc.ExitCode = worst(a.found, exitCode(failed)); a.g.json && len(doc.Restores) > 0 {
		failed = errors.Join(failed, a.printJSON(doc))
	}
	return failed
}

// task is one snapshot to restore.
type task struct {
	choice repo.Choice
	place  *wanted // nil: all of it
	target string
	hit    bool                // the snapshot before it is known to be damaged too
	lost   []repo.LostSnapshot // newer ones, which are gone, the newest first
}

// planRestores finds and checks the targets of all, before anything is fetched.
func (a *app) planRestores(ctx context.Context, r *repo.Repo, o restoreOptions, choices []repo.Choice) ([]task, error) {
	var tasks []task
	taken := map[string]bool{}
	for _, c := range choices {
		place, err := o.where(c.Snapshot)
		if err != nil {
			return nil, err
		}
		target, err := o.targetFor(c.Snapshot, taken)
		if err != nil {
			return nil, err
		}
		if place != nil && place.original() == target {
			if place.folder, err = isFolder(ctx, r, c.Snapshot, place); err != nil {
				return nil, err
			}
		}
		if err := a.checkTarget(target, c.Snapshot, place); err != nil {
			return nil, err
		}
		taken[target] = true
		tasks = append(tasks, task{choice: c, place: place, target: target})
	}
	return tasks, nil
}

// restoreEach restores one after the other. Damage in one does not keep the next from being restored; anything else does.
func (a *app) restoreEach(ctx context.Context, r *repo.Repo, o restoreOptions, tasks []task, found *health.Known, doc *restoreDocument) error {
	var failed []error
	for i, t := range tasks {
		for _, line := range a.choiceLines(o, t, found) {
			a.tellf("%s", line)
		}
		a.warnChoice(t.choice)
		res, err := a.restoreOne(ctx, r, t)
		a.markDamaged(ctx, r, res)
		if res != nil {
			doc.Restores = append(doc.Restores, elementOf(t, res, found))
			a.reportRestore(t, res, err)
		}
		if err == nil && res.ProblemCount == 0 {
			err = lostError(t)
		}
		if err == nil && res.ProblemCount > 0 {
			err = hinted(fmt.Errorf("snapshot %s is restored into %s, but %s not in all respects as it was", t.choice.Short(), printable(t.target),
				plural(res.ProblemCount, "entry is", "entries are")), "The list is above; the contents of files are right. A restore as root brings back owners, rights and devices.")
		}
		if err != nil {
			failed = append(failed, err)
		}
		if code := exitCode(err); err != nil && code != exitDamage && !errors.Is(err, restore.ErrSelection) && (res == nil || res.ProblemCount == 0) {
			if rest := len(tasks) - i - 1; rest > 0 {
				a.warnf("not tried: %s", plural(rest, "other snapshot", "other snapshots"))
			}
			break
		}
	}
	err := joinWorst(failed)
	if exitCode(err) == exitUsage && len(failed) < len(tasks) {
		err = coded(exitFailure, err) // something was done
	}
	return err
}

// joinWorst joins errors, the one with the worst exit code first.
func joinWorst(errs []error) error {
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	code := exitOK
	for _, err := range errs {
		code = worst(code, exitCode(err))
	}
	return coded(code, errors.Join(errs...))
}

func (a *app) restoreOne(ctx context.Context, r *repo.Repo, t task) (*restore.Result, error) {
	var sel restore.Selection
	if t.place != nil {
		sel = restore.Selection{Root: t.place.root, Sub: t.place.sub}
	}
	bar := a.newProgress("restore")
	defer bar.end()
	res, err := restore.Run(ctx, r, t.choice.Snapshot, sel, restore.Options{Target: t.target, Now: a.now, Events: restore.Events{
		Planned: bar.planned, Progress: bar.restored,
	}})
	return res, a.restoreError(t, res, err)
}

// restoreError says what an error of a restore means for what is in the target.
func (a *app) restoreError(t task, res *restore.Result, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, repo.ErrCorrupt) && res != nil && len(res.Damaged) > 0:
		if res.Lost.All {
			return &exitError{code: exitDamage, hint: damageHint(t), err: fmt.Errorf("of snapshot %s no file is in %s: the repository lost %s to damage",
				t.choice.Short(), printable(t.target), drill.TookText(tookOf(res.Lost)))}
		}
		return &exitError{code: exitDamage, hint: damageHint(t), err: fmt.Errorf(
			"snapshot %s is restored into %s without %s, which the repository lost to damage", t.choice.Short(),
			printable(t.target), drill.TookText(tookOf(res.Lost)))}
	case exitCode(err) == exitInterrupted:
		return hinted(err, "%s is incomplete: remove it and run the command again. The repository is unharmed.", printable(t.target))
	case errors.Is(err, restore.ErrSelection):
		return hinted(fmt.Errorf("snapshot %s: %w", t.choice.Short(), err), "`store ls %s` lists what it holds.", t.choice.Short())
	}
	if errors.Is(err, s3.ErrBucketGone) {
		return err
	}
	if advice := a.storageAdvice(err); advice != "" {
		return hinted(err, "The repository is unharmed. %s", advice)
	}
	return err
}

// reportRestore says what was done, and what was not, always.
func (a *app) reportRestore(t task, res *restore.Result, failed error) {
	if text := damageList(res.Damaged); text != "" {
		a.warnf("not restored, because the repository is damaged:%s", text)
	}
	if text := problemList(res); text != "" {
		a.warnf("not as it was:%s", text)
	}
	if res.OwnersSkipped > 0 {
		a.tellf("%s as yours: only root can restore owners", plural(res.OwnersSkipped, "entry is", "entries are"))
	}
	if failed == nil {
		a.tellf("restored %s in %s, %s, into %s in %s", plural(res.Files, "file", "files"), plural(res.Directories, "folder", "folders"),
			sizeText(res.Bytes), printable(t.target), durationText(durationOf(res)))
	}
}

func durationOf(res *restore.Result) time.Duration {
	var d time.Duration
	for _, p := range res.Phases {
		d += p.Duration
	}
	return d
}

// targetFor returns the folder that a snapshot goes into.
func (o *restoreOptions) targetFor(s *repo.Snapshot, taken map[string]bool) (string, error) {
	if o.target != "" && !o.all {
		return filepath.Abs(o.target)
	}
	name := folderName(s, o.all)
	base, err := filepath.Abs(first(o.target, "."))
	if err != nil {
		return "", err
	}
	return newName(filepath.Join(base, name), taken)
}

// isFolder reports whether what is wanted of a snapshot is a folder.
func isFolder(ctx context.Context, r *repo.Repo, s *repo.Snapshot, place *wanted) (bool, error) {
	trees, err := r.Trees(ctx)
	if err != nil {
		return false, err
	}
	defer trees.Close()
	root, _, _ := s.Split(place.root)
	if root == nil {
		return false, nil
	}
	e, err := tree.Lookup(ctx, trees, &root.Entry, place.sub)
	if errors.Is(err, tree.ErrNotFound) {
		return false, nil // the restore says so
	}
	return err == nil && e.Type == tree.Directory, err
}

// timeForms says what --at takes.
const timeForms = "A time is 02:41 (the last time that it passed), \"yesterday 18:00\", 2026-11-20 (its 00:00), \"2026-11-20 02:41\",\n" +
	"2026-11-20T02:41:00Z, an age (2h, 3d12h) or now; local times by TZ."
