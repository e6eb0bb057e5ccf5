package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"savepoint/internal/policy"
	"savepoint/internal/when"
	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/storage"
	"savepoint/repo/tree"
)

// The exit codes. A Go panic exits with 2, which therefore means nothing here.
const (
	exitOK           = 0
	exitFailure      = 1
	exitFaults       = 3
	exitDamage       = 4
	exitObjective    = 5
	exitNoRepository = 10
	exitHeld         = 11
	exitWrongSecret  = 12
	exitUsage        = 64
	exitInterrupted  = 130
)

// exitTable returns what the codes mean, for the help.
func exitTable() string {
	rows := []struct {
		code int
		text string
	}{
		{exitOK, "done"},
		{exitFailure, "failed; the message says what is safe and what to do"},
		{exitFaults, "done, but files of the source are missing from the snapshot or torn"},
		{exitDamage, "damage found in the repository"},
		{exitObjective, "an objective was missed"},
		{exitNoRepository, "no repository there"},
		{exitHeld, "another process is at the same work"},
		{exitWrongSecret, "wrong password or key"},
		{exitUsage, "the command line or the configuration is wrong; nothing was done"},
		{exitInterrupted, "interrupted by a signal"},
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "  %3d  %s\n", r.code, r.text)
	}
	return b.String()
}

// worst returns the more serious of two outcomes: 4 > 1 > 5 > 3 > 0. Every other code ends a command at once and stands
// above these.
func worst(a, b int) int {
	order := []int{exitOK, exitFaults, exitObjective, exitFailure, exitDamage}
	ra, rb := slices.Index(order, a), slices.Index(order, b)
	if ra < 0 || rb >= 0 && ra >= rb {
		return a
	}
	return b
}

// exitError gives an error an exit code (0: that of the error it wraps) and a hint at what to do next.
type exitError struct {
	code int
	hint string
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usagef returns an error of the command line or the configuration.
func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// hinted adds what to do next to an error; nil stays nil.
func hinted(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &exitError{hint: fmt.Sprintf(format, args...), err: err}
}

// coded gives an error an exit code.
func coded(code int, err error) error { return &exitError{code: code, err: err} }

// errInterrupted is the cause of a context that a signal cancelled.
var errInterrupted = errors.New("interrupted")

// explicit returns the code that an error was given, 0 if none.
func explicit(err error) int {
	var e *exitError
	for errors.As(err, &e) {
		if e.code != 0 {
			return e.code
		}
		err = e.err
	}
	return 0
}

// exitCode is the one place where an error becomes an exit code.
func exitCode(err error) int {
	var (
		ambiguous *repo.AmbiguousError
		syntax    *when.SyntaxError
		twice     *when.AmbiguousError
		config    *policy.Error
	)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case explicit(err) != 0:
		return explicit(err)
	case errors.Is(err, repo.ErrCorrupt):
		return exitDamage
	case errors.Is(err, repo.ErrNoRepository):
		return exitNoRepository
	case errors.Is(err, repo.ErrHeld):
		return exitHeld
	case errors.Is(err, repo.ErrWrongSecret):
		return exitWrongSecret
	case errors.Is(err, restore.ErrNotEmpty), errors.Is(err, restore.ErrSelection), errors.Is(err, tree.ErrNotFound):
		return exitUsage
	case errors.As(err, &ambiguous), errors.As(err, &syntax), errors.As(err, &twice), errors.As(err, &config):
		return exitUsage
	}
	return exitFailure
}

// undoHint says how what is damaged may come back, wherever the repository lies.
const undoHint = "An object that was overwritten or deleted comes back from a replica or a copy; from a snapshot of the file system, where the repository is a folder; from an earlier version, " +
	"in a bucket with versioning: docs/guide/night.md."

// pointHint is undoHint for a manifest.
const pointHint = undoHint + " A snapshot that is put back more than half an hour after its backup, into a folder or as a new object, is restored by its ID and never by time: " +
	"back up at once, so that there is a new recovery point."

// hint returns what to do next about an error: what the command said, else what is true wherever such an error comes up.
func hint(err error) string {
	var e *exitError
	for next := err; errors.As(next, &e); next = e.err {
		if e.hint != "" {
			return e.hint
		}
	}
	switch {
	case errors.Is(err, repo.ErrNewer):
		return "Nothing was changed. Use a newer store: `store version` says what this one knows."
	case errors.Is(err, repo.ErrCorrupt):
		return "Nothing was changed. Copy the repository as it is before anything is tried on it; what other snapshots need may well be whole. " + undoHint
	case errors.Is(err, repo.ErrNoRepository):
		return "Check --repo, and that the disk is mounted. `store init` makes a new repository."
	case errors.Is(err, repo.ErrHeld):
		return "Let it finish; nothing needs to be done."
	case errors.Is(err, repo.ErrCopied):
		return "Nothing was written; every snapshot restores. If this copy is to take backups from now on: `store adopt`."
	case errors.Is(err, repo.ErrWrongSecret):
		return "Nothing was changed. Check which repository is meant, and that the password or key file is one that `store init` was given or made for it."
	case errors.Is(err, repo.ErrLapsed):
		return "Earlier snapshots are safe. Run the command again."
	case errors.Is(err, storage.ErrNotExist):
		return "Check --repo, and that the disk is mounted."
	case exitCode(err) == exitInterrupted:
		return "The repository is consistent. Run the command again."
	}
	return ""
}
