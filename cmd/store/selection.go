package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"savepoint/internal/when"
	"savepoint/repo"
	"savepoint/repo/tree"
)

// selection is which snapshot, and what in it, a command is about: SNAPSHOT[:SUBPATH] and the flags beside it.
type selection struct {
	at, dataset, host, path string

	id, sub string    // of the argument
	moment  time.Time // of at; zero is now
	found   []*repo.Snapshot
	byKit   bool // the secret comes from the recovery kit that the command names
}

func (s *selection) register(f *pflag.FlagSet) {
	f.StringVar(&s.at, "at", "", "the newest snapshot of what was there at this `TIME`: 2026-11-20T01:41:00Z, 2026-11-20 02:41, 02:41,\n"+
		"\"yesterday 18:00\", now, or an age: 2h, 3d12h")
	f.StringVar(&s.dataset, "dataset", "", "only of this dataset")
	f.StringVar(&s.host, "host", "", "only of this host")
	f.StringVar(&s.path, "path", "", "original absolute `PATH` of what is wanted")
}

// parse reads the argument and the flags.
func (s *selection) parse(a *app, argument string) error {
	var err error
	if s.path, err = cleanWanted(s.path); err != nil {
		return err
	}
	if argument != "" {
		if err := s.parseArgument(argument); err != nil {
			return err
		}
	}
	if s.at == "" {
		return nil
	}
	if s.id != "" && s.id != "latest" {
		return usagef("--at and the snapshot %s contradict each other: leave one out", s.id)
	}
	now := a.now()
	if s.moment, err = when.Parse(s.at, now, a.zone); err != nil {
		return coded(exitUsage, fmt.Errorf("--at: %w", err))
	}
	if s.moment.IsZero() { // the year 1, and no snapshot; elsewhere that is "no time"
		s.moment = s.moment.Add(1)
	}
	elsewhere, err := when.Parse(s.at, now, time.FixedZone("", 3600))
	if tz := a.unknownZone(); tz != "" && (err != nil || !elsewhere.Equal(s.moment)) {
		return hinted(usagef("--at: no such time zone as TZ says is known here, %q: what is meant by %s cannot be told", tz, printable(s.at)),
			"Give the moment in UTC, as 2026-11-20T01:41:00Z, or set TZ to a name like Europe/Berlin.")
	}
	return nil
}

// unknownZone returns what TZ says when Go does not understand it, and so takes UTC without a word: the rules that POSIX
// has there, as CET-1CEST, or a slip.
func (a *app) unknownZone() string {
	tz := strings.TrimPrefix(a.getenv("TZ"), ":")
	_, err := time.LoadLocation(tz)
	if filepath.IsAbs(tz) {
		var rules []byte
		if rules, err = os.ReadFile(tz); err == nil {
			_, err = time.LoadLocationFromTZData(tz, rules)
		}
	}
	if err == nil {
		return ""
	}
	return tz
}

func (s *selection) parseArgument(argument string) error {
	id, sub, has := strings.Cut(argument, ":")
	if id != "latest" && (id == "" || len(id) > 32 || strings.Trim(strings.ToLower(id), "0123456789abcdef") != "") {
		return hinted(usagef("%q is no snapshot", argument),
			"A snapshot is named by the beginning of its ID, which `store snapshots` lists, or \"latest\". What was at a path: --path PATH.")
	}
	if has && s.path != "" {
		return usagef("--path and :SUBPATH are both given: which one is meant?")
	}
	if has && sub == "" {
		return usagef("%q: nothing after the colon", argument)
	}
	s.id, s.sub = strings.ToLower(id), sub
	if strings.HasPrefix(sub, "/") {
		s.path, s.sub = filepath.Clean(sub), ""
	}
	return nil
}

// cleanWanted returns an absolute path of the source cleaned; "" stays.
func cleanWanted(path string) (string, error) {
	if path != "" && !filepath.IsAbs(path) {
		return "", hinted(usagef("--path %q is not absolute", path), "Give the path that the file had on the host that was backed up.")
	}
	if path == "" {
		return "", nil
	}
	return filepath.Clean(path), nil
}

// query leaves the path out beside an ID: where then says what that snapshot holds.
func (s *selection) query() repo.Query {
	at := s.moment
	if !at.IsZero() {
		at = when.Told(at)
	}
	if strings.TrimSpace(s.at) == "now" { // the newest, whatever the difference between this clock and the storage's
		at = time.Time{}
	}
	q := repo.Query{At: at, ID: s.id, Dataset: s.dataset, Host: s.host, Path: s.path}
	if s.id != "" && s.id != "latest" {
		q.Path = ""
	}
	return q
}

// choose picks the snapshot, or one for each source when every one is wanted. Damaged manifests are left out and noted:
// they may be what would have been chosen.
func (s *selection) choose(ctx context.Context, a *app, r *repo.Repo, all bool) ([]repo.Choice, error) {
	snaps, bad, err := a.listSnapshots(ctx, r)
	if err != nil {
		return nil, err
	}
	s.found = snaps
	if err := s.refuseFuture(a); err != nil {
		return nil, err
	}
	if bad != nil {
		a.damaged(bad)
		if len(snaps) == 0 {
			return nil, hinted(errors.New("every snapshot is damaged as it is read now"), "Run the command again, from another host too: if the way here is at fault, nothing is lost. "+
				"Otherwise copy the repository as it is before anything is tried on it; the data may well be whole.")
		}
		a.warnf("the damaged snapshots are left out: what is chosen may be older than what is wanted")
	}
	choice, err := repo.Select(snaps, s.query())
	var several *repo.AmbiguousError
	switch {
	case err == nil:
		return []repo.Choice{choice}, nil
	case errors.As(err, &several) && all:
		several.Choices[0].Without = several.Without
		return several.Choices, nil
	case errors.Is(err, repo.ErrNoSnapshot):
		return nil, s.explainNone(a, err)
	}
	return nil, err
}

// refuseFuture refuses a time that has not come, by this host's clock and by what the storage's clock has said.
func (s *selection) refuseFuture(a *app) error {
	newest := a.now().Add(time.Minute)
	for _, x := range s.found {
		if x.End().After(newest) {
			newest = x.End()
		}
	}
	if s.at == "" || !s.moment.After(when.Incident(newest)) {
		return nil
	}
	return hinted(usagef("--at: %s has not come yet", when.Format(s.moment, a.zone)), "Without --at the newest snapshot is taken.")
}

// explainNone says what there is when nothing fits. A path, dataset or host that no snapshot has is a slip in the
// command line; that there was nothing yet at a time is not.
func (s *selection) explainNone(a *app, err error) error {
	if len(s.found) == 0 {
		return hinted(err, "`store backup PATH` makes the first snapshot.")
	}
	var fits []*repo.Snapshot
	for _, x := range s.found {
		if (s.dataset == "" || x.Dataset == s.dataset) && (s.host == "" || x.Host == s.host) && (s.path == "" || x.HasPath(s.path)) {
			fits = append(fits, x)
		}
	}
	if len(fits) == 0 {
		return hinted(coded(exitUsage, err), "There is:%s", sourceList(s.found))
	}
	if !slices.ContainsFunc(fits, (*repo.Snapshot).Restorable) {
		return hinted(err, "%s", howUnfinished(fits))
	}
	if s.at != "" {
		return hinted(reworded{"nothing was backed up at or before " + when.Format(s.moment, a.zone), err},
			"The oldest is %s. `store snapshots` lists what there is.", a.oldest(fits))
	}
	return hinted(err, "`store snapshots` lists what there is.")
}

// reworded is an error in other words: its own have a time in UTC, where everything else on the screen is local.
type reworded struct {
	text string
	err  error
}

func (e reworded) Error() string { return e.text }
func (e reworded) Unwrap() error { return e.err }

// oldest names the restorable snapshot that ended first, of which there is one, in the zone of the person.
func (a *app) oldest(snaps []*repo.Snapshot) string {
	restorable := slices.DeleteFunc(slices.Clone(snaps), func(x *repo.Snapshot) bool { return !x.Restorable() })
	x := slices.MinFunc(restorable, func(x, y *repo.Snapshot) int { return x.End().Compare(y.End()) })
	return fmt.Sprintf("%s of %s, read to %s", x.Short(), printable(x.Source()), a.endText(x))
}

// howUnfinished says how to get at what there is when no backup has finished. The snapshots are in order of window.
func howUnfinished(fits []*repo.Snapshot) string {
	for _, x := range slices.Backward(fits) {
		if x.Completeness == tree.Interrupted {
			return fmt.Sprintf("`store restore %s` restores what the newest of them had finished, %s; what came later in the source is missing. "+
				"The next backup goes on from there.", x.Short(), plural(x.Stats.Files, "file", "files"))
		}
	}
	return "`store snapshots` lists what there is; an ID restores it all the same."
}

// sourceList lists the sources with their paths, one a line.
func sourceList(snaps []*repo.Snapshot) string {
	seen := map[string]bool{}
	var lines []string
	for _, x := range slices.Backward(snaps) {
		if seen[x.Source()] {
			continue
		}
		seen[x.Source()] = true
		var paths []string
		for _, r := range x.Roots {
			paths = append(paths, printable(r.Path))
		}
		lines = append(lines, fmt.Sprintf("\n  --dataset %s --host %s (%s)", shellQuote(x.Dataset), shellQuote(x.Host), strings.Join(paths, ", ")))
	}
	slices.Sort(lines)
	return strings.Join(lines[:min(len(lines), listedFaults)], "")
}

// where returns the root that is wanted and the path beneath it; nil is the whole snapshot.
func (s *selection) where(snap *repo.Snapshot) (*wanted, error) {
	switch {
	case s.path != "":
		root, rest, ok := snap.Split(s.path)
		if !ok {
			return nil, hinted(usagef("snapshot %s does not hold %s", snap.Short(), printable(s.path)),
				"It holds:%s", sourceList([]*repo.Snapshot{snap}))
		}
		return &wanted{root: root.Path, sub: rest}, nil
	case s.sub != "" && len(snap.Roots) != 1:
		return nil, hinted(usagef("snapshot %s has %d paths: %q could be beneath any", snap.Short(), len(snap.Roots), s.sub),
			"Give the absolute path: --path, or %s:/PATH.", snap.Short())
	case s.sub != "":
		sub := strings.TrimPrefix(filepath.Clean("/"+s.sub), "/")
		return &wanted{root: snap.Roots[0].Path, sub: sub}, nil
	}
	return nil, nil
}

// wanted is a place in a snapshot: a root and a path beneath it.
type wanted struct {
	root, sub string
	folder    bool // it is known to be one
}

func (w *wanted) original() string { return joinPath(w.root, w.sub) }

// joinPath joins a path and a name beneath it, neither of which is changed.
func joinPath(base, name string) string {
	if name == "" {
		return base
	}
	return strings.TrimSuffix(base, "/") + "/" + name
}

// choiceError is the error of a command that several sources fit: one command for each.
type choiceError struct {
	err      error
	commands []string
	all      bool // the command has a flag for all of them
}

func (e *choiceError) Error() string {
	if e.all {
		return e.err.Error() + "; say which one is meant, or --all:"
	}
	return e.err.Error() + "; say which one is meant:"
}
func (e *choiceError) Unwrap() error { return e.err }

// offer makes ready-to-run commands of what several sources fit, newest first. own are the flags of the command itself.
func (s *selection) offer(a *app, err error, name string, own ...string) error {
	var several *repo.AmbiguousError
	if !errors.As(err, &several) {
		return err
	}
	e := &choiceError{err: err, all: name == "restore"}
	for _, c := range several.Choices {
		words := append([]string{name}, a.againWith(s.byKit)...)
		words = append(words, "--dataset", c.Dataset, "--host", c.Host)
		if s.at != "" {
			words = append(words, "--at", s.moment.UTC().Format(time.RFC3339Nano))
		}
		if s.path != "" {
			words = append(words, "--path", s.path)
		}
		words = append(words, own...)
		if s.sub != "" {
			words = append(words, "latest:"+s.sub)
		}
		e.commands = append(e.commands, a.commandLine(words...))
	}
	return e
}
