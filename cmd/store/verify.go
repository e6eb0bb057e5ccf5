package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"savepoint/verify"
	"savepoint/verify/check"
)

func (a *app) verifyCommand() *cobra.Command {
	var readData string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the repository, and say what damage costs",
		Long: "verify looks at every object of the repository, at where each chunk of every snapshot lies, and, with --read-data, at the\n" +
			"bytes of packs, those first that were not read for the longest time. It says which snapshots and files need what is damaged, and\n" +
			"what to do next. Damaged packs are marked, so that the next backup stores again what its source still has. Backups may\n" +
			"go on meanwhile.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return hinted(usagef("verify takes no argument, and was given %q", args[0]), "How much is read back is written with an equals sign: --read-data=5%%.")
			}
			return nil
		},
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.runVerify(ctx, readData) }),
	}
	f := cmd.Flags()
	f.StringVar(&readData, "read-data", "", "read packs back: `AMOUNT` is all (when none is given), a percentage such as 5%, or a size such as 10GiB")
	f.Lookup("read-data").NoOptDefVal = "all"
	return cmd
}

func (a *app) runVerify(ctx context.Context, readData string) error {
	o := check.Options{Now: a.now, Run: a.runID, Program: version, Logger: a.log, Command: func(args ...string) string {
		return a.commandLine(append(append([]string{args[0]}, a.again()...), args[1:]...)...)
	}}
	var err error
	if readData != "" {
		if o.ReadData, err = check.ParseAmount(readData); err != nil {
			return coded(exitUsage, err)
		}
	}
	if o.Host, err = a.hostname(""); err != nil {
		return err
	}
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	bar := &verifyProgress{a: a}
	o.Events = check.Events{Phase: bar.phase, Step: bar.step}
	doc, err := check.Run(ctx, r, o)
	bar.end()
	if doc == nil {
		return hinted(err, "%s", verifyHint(err))
	}
	err = a.verifyError(doc, err)
	if doc.ExitCode != exitInterrupted {
		a.found = worst(a.found, doc.ExitCode)
		doc.ExitCode = worst(a.found, exitCode(err))
	}
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

// verifyHint says what is known after a verification that did not come to its end and found nothing.
func verifyHint(err error) string {
	if exitCode(err) == exitInterrupted {
		return "Nothing was found until then, which says nothing about the rest. What was read back is noted; the same command goes on from there."
	}
	return sentences("This says nothing about the repository: it could not be looked at in full.", hint(err))
}

// verifyProgress is a bar for each part of a verification.
type verifyProgress struct {
	a *app

	mu    sync.Mutex
	bar   *progress
	bytes bool // what is counted
}

// phase puts up the bar of a part.
func (v *verifyProgress) phase(name string, total uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bar != nil {
		v.bar.end()
	}
	v.bar, v.bytes = v.a.newProgress("verify "+name), name == "data"
	if v.bytes {
		v.bar.ofBytes.Store(total)
	} else {
		v.bar.ofEntries.Store(total)
	}
}

// step moves it.
func (v *verifyProgress) step(n uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bar == nil {
		return
	}
	if v.bytes {
		v.bar.bytes.Add(n)
		v.bar.entries.Add(1)
	} else {
		v.bar.entries.Add(n)
	}
	v.bar.update()
}

func (v *verifyProgress) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bar != nil {
		v.bar.end()
		v.bar = nil
	}
}
