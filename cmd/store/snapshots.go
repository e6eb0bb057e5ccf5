package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"savepoint/repo"
	"savepoint/verify"
	"savepoint/verify/health"
)

type snapshotsOptions struct {
	dataset, host, path string
	latest              int
}

// snapshotsDocument is what `snapshots --json` prints.
type snapshotsDocument struct {
	Snapshots []*snapshotDocument `json:"snapshots"`
	Damaged   []string            `json:"damaged"`
	Lost      []lostDocument      `json:"lost_recovery_points,omitempty"`
}

// lostDocument is a snapshot of a source that is gone, though nobody forgot it.
type lostDocument struct {
	Dataset     string    `json:"dataset"`
	Host        string    `json:"host"`
	Snapshot    string    `json:"snapshot"`
	Object      string    `json:"object"`
	WindowStart time.Time `json:"window_start"`
	Published   time.Time `json:"published_at"`
}

func (a *app) snapshotsCommand() *cobra.Command {
	var o snapshotsOptions
	cmd := &cobra.Command{
		Use:   "snapshots",
		Short: "List the snapshots, oldest first",
		Args:  cobra.NoArgs,
		RunE:  a.action(func(ctx context.Context, _ []string) error { return a.runSnapshots(ctx, o) }),
	}
	f := cmd.Flags()
	f.StringVar(&o.dataset, "dataset", "", "only of this dataset")
	f.StringVar(&o.host, "host", "", "only of this host")
	f.StringVar(&o.path, "path", "", "only those of which a path is this absolute one or above it")
	f.IntVar(&o.latest, "latest", 0, "only the newest `N` of each source")
	return cmd
}

func (a *app) runSnapshots(ctx context.Context, o snapshotsOptions) error {
	if o.latest < 0 {
		return usagef("--latest %d: a number from 1 up", o.latest)
	}
	path, err := cleanWanted(o.path)
	if err != nil {
		return err
	}
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	snaps, bad, err := a.listSnapshots(ctx, r)
	if err != nil {
		return err
	}
	none := "no snapshots yet"
	if len(snaps) > 0 {
		none = fmt.Sprintf("none of %s fits", plural(len(snaps), "snapshot", "snapshots"))
	}
	found := a.knownDamage(ctx, r, snaps)
	lost, err := a.lostOf(ctx, r, snaps, o)
	if err != nil {
		return err
	}
	snaps = slices.DeleteFunc(slices.Clone(snaps), func(s *repo.Snapshot) bool {
		return o.dataset != "" && s.Dataset != o.dataset || o.host != "" && s.Host != o.host || path != "" && !s.HasPath(path)
	})
	if o.latest > 0 {
		snaps = newestOfEach(snaps, o.latest)
	}
	readOnly := r.ReadOnly()
	if !errors.Is(readOnly, repo.ErrCorrupt) {
		readOnly = nil
	}
	if err := a.printSnapshots(snaps, found, lost, errors.Join(readOnly, bad)); err != nil {
		return err
	}
	if len(snaps) == 0 && bad == nil {
		a.tellf("%s", none)
	}
	if len(lost) > 0 {
		a.warnf("%s. %s", a.lostText(lost), undoHint)
	}
	if readOnly != nil {
		a.warnf("Everything can be read; nothing is written until config is whole again. %s", undoHint)
	}
	if bad != nil {
		return hinted(bad, "The snapshots listed are readable. The damaged ones are missing from the list; earlier and later ones of the same source hold most of the same data.")
	}
	return nil
}

// lostOf returns the snapshots of the sources wanted that are gone, though nobody forgot them, the newest first. snaps are all that are listed. That
// reports cannot be read is said, and no error.
func (a *app) lostOf(ctx context.Context, r *repo.Repo, snaps []*repo.Snapshot, o snapshotsOptions) ([]repo.LostSnapshot, error) {
	lost, err := r.LostSince(ctx, snaps, time.Time{})
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		a.warnf("whether snapshots were lost is not known in full: %s; `store verify` says", oneLine(err))
	}
	return slices.DeleteFunc(lost, func(x repo.LostSnapshot) bool {
		return o.dataset != "" && x.Dataset != o.dataset || o.host != "" && x.Host != o.host
	}), nil
}

// listSnapshots returns the snapshots that can be read and, apart, what is wrong with the others.
func (a *app) listSnapshots(ctx context.Context, r *repo.Repo) (snaps []*repo.Snapshot, bad, err error) {
	snaps, err = r.Snapshots(ctx)
	if errors.Is(err, repo.ErrCorrupt) || errors.Is(err, repo.ErrNewer) {
		return snaps, err, nil
	}
	return snaps, nil, err
}

// newestOfEach keeps the newest n snapshots of each source.
func newestOfEach(snaps []*repo.Snapshot, n int) []*repo.Snapshot {
	seen := map[string]int{}
	var out []*repo.Snapshot
	for _, s := range slices.Backward(snaps) {
		if seen[s.Source()]++; seen[s.Source()] <= n {
			out = append(out, s)
		}
	}
	slices.Reverse(out)
	return out
}

func (a *app) printSnapshots(snaps []*repo.Snapshot, found *health.Known, lost []repo.LostSnapshot, bad error) error {
	if a.g.json {
		doc := snapshotsDocument{Snapshots: []*snapshotDocument{}, Damaged: []string{}}
		for _, s := range snaps {
			doc.Snapshots = append(doc.Snapshots, foundDocumentOf(s, found))
		}
		for _, x := range lost[:min(len(lost), verify.MaxListed)] {
			doc.Lost = append(doc.Lost, lostDocument{x.Dataset, x.Host, x.ID(), x.Name, x.Start, x.Published})
		}
		if bad != nil {
			for _, e := range flatten(bad) {
				doc.Damaged = append(doc.Damaged, e.Error())
			}
		}
		return a.printJSON(doc)
	}
	t := table{
		header: []string{"ID", "WINDOW END", "SOURCE", "FILES", "SIZE", "NEW", "STATE", "TAGS"},
		right:  map[int]bool{3: true, 4: true, 5: true},
	}
	for _, s := range snaps {
		t.add(s.Short(), a.endText(s), printable(s.Source()), humanize.Comma(int64(s.Stats.Files)),
			sizeText(s.Stats.FileBytes), sizeText(s.Stats.NewPackBytes+s.Stats.NewTreePack), stateWith(s, found), printable(strings.Join(s.Tags, ",")))
	}
	return t.print(a.out)
}
