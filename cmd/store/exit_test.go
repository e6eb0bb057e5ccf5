package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"savepoint/internal/policy"
	"savepoint/internal/when"
	"savepoint/repo"
	"savepoint/repo/restore"
	"savepoint/repo/tree"
)

func TestExitCode(t *testing.T) {
	damage := &repo.CorruptError{Object: "config", Err: errors.New("x")}
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{errors.New("disk full"), exitFailure},
		{damage, exitDamage},
		{fmt.Errorf("open: %w", errors.Join(damage, repo.ErrWrongSecret)), exitDamage},
		{fmt.Errorf("at /r: %w", repo.ErrNoRepository), exitNoRepository},
		{repo.ErrHeld, exitHeld},
		{fmt.Errorf("2 slots: %w", repo.ErrWrongSecret), exitWrongSecret},
		{repo.ErrExists, exitFailure},
		{repo.ErrNewer, exitFailure},
		{repo.ErrNoSnapshot, exitFailure},
		{&repo.AmbiguousError{}, exitUsage},
		{&choiceError{err: &repo.AmbiguousError{}}, exitUsage},
		{&when.SyntaxError{}, exitUsage},
		{&when.AmbiguousError{}, exitUsage},
		{&policy.Error{}, exitUsage},
		{restore.ErrNotEmpty, exitUsage},
		{usagef("no"), exitUsage},
		{hinted(hinted(usagef("no"), "do"), "this"), exitUsage},
		{fmt.Errorf("wrapped: %w", hinted(usagef("no"), "do")), exitUsage},
		{fmt.Errorf("read: %w", context.Canceled), exitInterrupted},
		{errors.Join(errInterrupted, damage), exitInterrupted},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%v: code %d, want %d", tt.err, got, tt.want)
		}
	}
}

// TestWorst holds the order 4 > 1 > 5 > 3 > 0, whichever comes first.
func TestWorst(t *testing.T) {
	order := []int{exitOK, exitFaults, exitObjective, exitFailure, exitDamage, exitWrongSecret}
	for i, low := range order {
		for _, high := range order[i:] {
			if worst(low, high) != high || worst(high, low) != high {
				t.Errorf("worst of %d and %d is %d and %d", low, high, worst(low, high), worst(high, low))
			}
		}
	}
}

func TestHint(t *testing.T) {
	err := hinted(fmt.Errorf("outer: %w", repo.ErrWrongSecret), "said by the command")
	if got := hint(fmt.Errorf("more: %w", err)); got != "said by the command" {
		t.Errorf("the command's hint is lost: %q", got)
	}
	for _, err := range []error{repo.ErrCorrupt, repo.ErrNewer, repo.ErrNoRepository, repo.ErrHeld, repo.ErrWrongSecret, repo.ErrLapsed, context.Canceled} {
		if hint(err) == "" {
			t.Errorf("%v: no word about what to do next", err)
		}
	}
	if hinted(nil, "x") != nil {
		t.Error("a hint makes an error of nil")
	}
}

// TestBackupError holds what is said of a backup that ended early to what there is of it.
func TestBackupError(t *testing.T) {
	kept := &repo.Snapshot{Name: "snapshots/00000000/20260301T000000Z-66e75313000000000000000000000000", Manifest: &tree.Manifest{}}
	a := &app{}
	for _, tt := range []struct {
		name string
		err  error
		kept *repo.Snapshot
		want string
	}{
		{"interrupted", errInterrupted, nil, "No snapshot was made; earlier ones are safe. What was stored is used by the next run as far as"},
		{"interrupted, kept", errInterrupted, kept, "What was finished is kept as the interrupted snapshot 66e75313; earlier ones are safe. The same command goes on from there."},
		{"failed", errors.New("no"), nil, "No snapshot was made"},
		{"failed, kept", errors.New("no"), kept, "What was finished is kept as the interrupted snapshot 66e75313"},
		{"full, kept", syscall.ENOSPC, kept, "What was finished is kept as the interrupted snapshot 66e75313"},
		{"not allowed, kept", syscall.EACCES, kept, "What was finished is kept as the interrupted snapshot 66e75313"},
		{"damage", repo.ErrCorrupt, nil, "Nothing was changed. Copy the repository"},
		{"damage, kept", repo.ErrCorrupt, kept, "What was finished is kept as the interrupted snapshot 66e75313"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := hint(a.backupError(tt.err, nil, tt.kept))
			if !strings.HasPrefix(got, tt.want) || tt.kept != nil && strings.Contains(got, "No snapshot was made") {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
