package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"savepoint/internal/policy"
)

// dataset is what one backup is of.
type dataset struct {
	name   string
	class  string
	paths  []string // absolute, clean
	policy []byte   // JSON; nil without a policy

	effective *policy.Effective // nil without a policy
}

// resolveDataset finds out what `backup [PATH…] [--dataset NAME]` means. A PATH that the configuration gives to a dataset is
// that dataset, with all its paths. One path of no dataset is a dataset under its own name; several want a name.
func (a *app) resolveDataset(args []string, name string) (dataset, error) {
	paths, err := absolutePaths(args)
	if err != nil {
		return dataset{}, err
	}
	if len(paths) == 0 {
		if name == "" {
			return dataset{}, hinted(usagef("nothing to back up: no PATH and no --dataset"), "%s", a.datasetHint())
		}
		d, ok := a.config.Datasets[name]
		if !ok {
			return dataset{}, hinted(usagef("dataset %q is in no configuration, and no PATH is given", name), "%s", a.datasetHint())
		}
		return configured(d)
	}
	owner, owned, err := a.ownerOf(paths)
	if err != nil {
		return dataset{}, err
	}
	if owner != "" {
		if name != "" && name != owner {
			return dataset{}, usagef("%s belongs to dataset %s of the configuration, not to %q", printable(paths[0]), owner, name)
		}
		return configured(owned)
	}
	if _, taken := a.config.Datasets[name]; taken {
		return dataset{}, hinted(usagef("dataset %s of the configuration does not have the path %s", name, printable(paths[0])),
			"Leave the path out to back up the dataset as it is configured, or choose another name.")
	}
	if name == "" && len(paths) > 1 {
		return dataset{}, usagef("several paths need a name: add --dataset NAME, the same in every run")
	}
	d := dataset{name: first(name, paths[0]), paths: paths}
	return d, d.check()
}

// ownerOf returns the dataset of the configuration that all paths belong to; "" when none does.
func (a *app) ownerOf(paths []string) (string, *policy.Effective, error) {
	var owner string
	var owned *policy.Effective
	for i, p := range paths {
		name, d, _ := a.config.Dataset(p)
		if i > 0 && name != owner {
			return "", d, hinted(usagef("%s and %s are not of one dataset in %s", printable(paths[0]), printable(p), printable(a.config.Path)),
				"Run store backup once for each.")
		}
		owner, owned = name, d
	}
	return owner, owned, nil
}

func configured(e *policy.Effective) (dataset, error) {
	text, err := e.Encode()
	if err != nil {
		return dataset{}, fmt.Errorf("dataset %s: %w", e.Name, err)
	}
	d := dataset{name: e.Name, class: string(e.Class), paths: slices.Clone(e.Paths), policy: text, effective: e}
	return d, d.check()
}

// check refuses names that cannot be kept or told apart, paths that are not there and paths beneath each other.
func (d dataset) check() error {
	if !utf8.ValidString(d.name) || strings.ContainsFunc(d.name, unicode.IsControl) {
		return hinted(usagef("%q cannot be the name of a dataset", d.name), "Add --dataset NAME.")
	}
	slices.Sort(d.paths)
	for i, p := range d.paths {
		for _, q := range d.paths[:i] {
			if strings.HasPrefix(p, strings.TrimSuffix(q, "/")+"/") {
				return usagef("%s lies in %s, which is backed up anyway: leave it out", printable(p), printable(q))
			}
		}
		if _, err := os.Stat(p); err != nil {
			return hinted(fmt.Errorf("nothing is backed up: %w", err), "Earlier snapshots are safe. Check that the path is right and mounted.")
		}
	}
	return nil
}

// datasetHint says which datasets there are.
func (a *app) datasetHint() string {
	if len(a.config.Datasets) == 0 {
		return "Give the folders to back up: store backup PATH."
	}
	return "Datasets of " + printable(a.config.Path) + ": " + strings.Join(slices.Sorted(maps.Keys(a.config.Datasets)), ", ") + "."
}

// absolutePaths makes paths absolute and clean, each once. Symbolic links stay in them: the name counts.
func absolutePaths(args []string) ([]string, error) {
	var out []string
	for _, p := range args {
		if p == "" {
			return nil, usagef("an empty PATH")
		}
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, fmt.Errorf("path %s: %w", printable(p), err)
		}
		if !slices.Contains(out, abs) {
			out = append(out, abs)
		}
	}
	return out, nil
}

// refuseOverlap refuses a repository in what is backed up, which would back itself up for ever, and the reverse. A bucket is in
// nothing.
func (d dataset) refuseOverlap(loc location) error {
	if loc.bucket != nil {
		return nil
	}
	for _, p := range d.paths {
		in, err := beneath(loc.path, p)
		if err != nil {
			return fmt.Errorf("compare %s with the repository: %w", printable(p), err)
		}
		if in {
			return hinted(usagef("the repository %s lies in %s, which is to be backed up", printable(loc.path), printable(p)),
				"Move the repository elsewhere, best to another disk, or back up the folders beside it.")
		}
		if in, err = loc.contains(p); err != nil {
			return fmt.Errorf("compare %s with the repository: %w", printable(p), err)
		}
		if in {
			return usagef("%s lies in the repository %s itself", printable(p), printable(loc.path))
		}
	}
	return nil
}
