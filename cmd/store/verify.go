package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"savepoint/repo"
	"savepoint/verify"
	"savepoint/verify/check"
)

func (a *app) verifyCommand() *cobra.Command {
	var w verifyWords
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the repository, and say what damage costs",
		Long: "verify looks at every object of the repository, at where each chunk of every snapshot lies, and, with --read-data, at the\n" +
			"bytes of packs, those first that were not read for the longest time. It says which snapshots and files need what is damaged, and\n" +
			"what to do next. Damaged packs are marked, so that the next backup stores again what its source still has. Backups may\n" +
			"go on meanwhile.\n\n" +
			"--snapshot, --dataset and --host look at some snapshots alone, and at the packs that these need. --shard divides the packs among\n" +
			"hosts or nights. What was left out is said in the first line; such a run stands for no full one.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return hinted(usagef("verify takes no argument, and was given %q", args[0]),
					"How much is read back is written with an equals sign: --read-data=5%%. One snapshot: --snapshot ID.")
			}
			return nil
		},
	}
	w.register(cmd)
	cmd.RunE = a.action(func(ctx context.Context, _ []string) error { return a.runVerify(ctx, &w) })
	return cmd
}

func (a *app) runVerify(ctx context.Context, w *verifyWords) error {
	o := check.Options{Now: a.now, Run: a.runID, Program: version, Logger: a.log, Command: func(args ...string) string {
		return a.commandLine(append(append([]string{args[0]}, a.again()...), args[1:]...)...)
	}}
	if err := w.parse(&o); err != nil {
		return err
	}
	var err error
	if o.Host, err = a.hostname(""); err != nil {
		return err
	}
	r, err := a.openRepo(ctx)
	if o.Folder = a.place.bucket == nil; err != nil {
		return err
	}
	bar := &verifyProgress{a: a}
	if t := o.Budget.Time(); t > 0 {
		bar.until = a.now().Add(t)
	}
	o.Events = check.Events{Phase: bar.phase, Step: bar.step}
	doc, err := check.Run(ctx, r, o)
	bar.end()
	if doc == nil {
		return a.verifyFailed(&o.Scope, err)
	}
	err = a.verifyError(doc, err)
	if doc.ExitCode != exitInterrupted {
		a.found = worst(a.found, doc.ExitCode)
		doc.ExitCode = worst(a.found, exitCode(err))
	}
	a.noteUsage(doc.Usage)
	if a.g.json {
		return errors.Join(a.printJSON(doc), err)
	}
	return errors.Join(a.printVerified(doc), err)
}

// verifyError returns the error of a verification that has a result: it ended early, its report could not be stored, or objects could not
// be read.
func (a *app) verifyError(d *verify.CheckDocument, err error) error {
	switch {
	case err != nil && !d.Complete:
		next := "What was not looked at is not known. Run the same command again."
		if exitCode(err) == exitInterrupted {
			next = "What was not looked at is not known. What was read back is noted; the same command goes on from there."
		}
		return hinted(err, "%s", sentences("What was found stands, and the document says that it is not complete.", next, a.storageAdvice(err)))
	case err != nil:
		return hinted(err, "The result stands; the next run does not know which packs this one read back. %s", first(a.storageAdvice(err), "May this credential write?"))
	case d.ExitCode == exitFailure:
		n := uint64(0)
		for _, c := range d.ByCode {
			if c.Harm == verify.Unknown {
				n += c.Count
			}
		}
		return hinted(coded(exitFailure, fmt.Errorf("%s could not be looked at", plural(n, "object", "objects"))),
			"What could be looked at is whole. See each finding for what to do, then run the same command again.")
	}
	return nil
}

// verifyFailed returns the error of a verification that did not come to its end and found nothing.
func (a *app) verifyFailed(s *check.Scope, err error) error {
	switch {
	case errors.Is(err, repo.ErrNoSnapshot) && len(s.Snapshots) == 0:
		return hinted(coded(exitUsage, err), "Nothing was looked at. `store snapshots` lists what datasets and hosts there are.")
	case errors.Is(err, repo.ErrNoSnapshot):
		return hinted(err, "Nothing was looked at. `store snapshots` lists the IDs.")
	}
	return hinted(err, "%s", verifyHint(err))
}

// verifyHint says what is known after a verification that did not come to its end and found nothing.
func verifyHint(err error) string {
	if exitCode(err) == exitInterrupted {
		return "Nothing was found until then, which says nothing about the rest. What was read back is noted; the same command goes on from there."
	}
	return sentences("This says nothing about the repository: it could not be looked at in full.", hint(err))
}
