package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"savepoint/repo"
)

// adoptDocument is what `adopt --json` prints.
type adoptDocument struct {
	Already   bool   `json:"already"`
	Segments  int    `json:"segments"`
	Packs     int    `json:"packs"`
	Snapshots int    `json:"snapshots"`
	Run       string `json:"run"`
}

func (a *app) adoptCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "adopt",
		Short: "Let a copy of a repository, made by rsync or cp, take backups",
		Long: "The time at which an object was stored tells whether a backup that wrote it was still entitled to. A copy made by other\n" +
			"means, or chmod and chown of a repository's files, makes all times new: restores work, backups are refused. adopt compares\n" +
			"the index with the packs, verifies the structure of every snapshot, and then declares the copy a repository of its own. Nothing may\n" +
			"write to it meanwhile. Do not back up one source into both the original and the copy.",
		Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.runAdopt(ctx) }),
	}
}

func (a *app) runAdopt(ctx context.Context) error {
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	res, err := r.Adopt(ctx)
	if errors.Is(err, repo.ErrCorrupt) {
		return hinted(err, "Nothing was changed; the copy is not a whole one. Copy the repository again while no backup runs, then try again. What is whole restores.")
	}
	if err != nil {
		return err
	}
	if a.g.json {
		return a.printJSON(adoptDocument{res.Already, res.Segments, res.Packs, res.Snapshots, a.runID})
	}
	if res.Already {
		a.infof("nothing to adopt: this is no copy, or it was adopted before")
		return nil
	}
	a.infof("adopted %s in %s; backups may be made into it now", plural(res.Snapshots, "snapshot", "snapshots"), plural(res.Packs, "pack", "packs"))
	return nil
}
