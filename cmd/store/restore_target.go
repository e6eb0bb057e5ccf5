package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"savepoint/internal/when"
	"savepoint/repo"
	"savepoint/repo/restore"
)

// pointLayout names a recovery point in a folder's name.
const pointLayout = "20060102T150405Z"

// folderName is the name of the new folder for a snapshot: what it is and from when. A snapshot may say anything of its dataset and host;
// the name is one element of a path all the same.
func folderName(s *repo.Snapshot, withHost bool) string {
	name := path.Base(s.Dataset)
	if name == "/" {
		name = "root"
	}
	if withHost {
		name += "@" + strings.ReplaceAll(s.Host, "/", "_")
	}
	const most = 200 // of 255 bytes: the time and a number follow
	name = strings.ToValidUTF8(name[:min(len(name), most)], "")
	return name + "-" + when.Point(s.End()).UTC().Format(pointLayout)
}

// newName returns base, or base-2 and so on, that nothing is called yet.
func newName(base string, taken map[string]bool) (string, error) {
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		if taken[name] {
			continue
		}
		_, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", fmt.Errorf("choose a new folder: %w", err)
		}
	}
}

// checkTarget refuses a target that something is in, or that is in the repository or in the source itself. The source's
// own path is fine when it is empty or gone: the disk was replaced. A source that is all of the host, "/", leaves no other
// place and refuses none.
func (a *app) checkTarget(target string, s *repo.Snapshot, place *wanted) error {
	if err := emptyOrMissing(target); err != nil {
		return err
	}
	loc, err := a.location()
	if err != nil {
		return err
	}
	in, err := loc.contains(target)
	if err != nil {
		return fmt.Errorf("compare the target with the repository: %w", err)
	}
	if in {
		return hinted(usagef("target %s lies in the repository %s", printable(target), printable(loc.String())), "Nothing was changed. Choose another --target.")
	}
	host, err := a.hostname("")
	if err != nil || host != s.Host {
		return err
	}
	if place != nil && place.folder && place.original() == target {
		return nil // put back where it was
	}
	for _, r := range s.Roots {
		if r.Path == "/" {
			continue
		}
		if in, err = beneath(target, r.Path); err != nil {
			return fmt.Errorf("compare the target with the source %s: %w", printable(r.Path), err)
		}
		if same, _ := sameFile(target, r.Path); in && !same {
			return hinted(usagef("target %s lies in the source %s itself", printable(target), printable(r.Path)),
				"Nothing was changed. The next backup would take the restored files as part of the source: choose a --target elsewhere.")
		}
	}
	return nil
}

func sameFile(a, b string) (bool, error) {
	ia, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	ib, err := os.Stat(b)
	return err == nil && os.SameFile(ia, ib), err
}

// emptyOrMissing refuses a target with something in it, and one that is no folder.
func emptyOrMissing(target string) error {
	info, err := os.Stat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return usagef("target: %w", err)
	}
	if !info.IsDir() {
		return hinted(usagef("target %s is no folder", printable(target)), "Nothing was changed. Choose a new or empty folder.")
	}
	d, err := os.Open(target)
	if err != nil {
		return usagef("target: %w", err)
	}
	defer d.Close()
	if _, err := os.Lstat(path.Join(target, restore.IncompleteMarker)); err == nil {
		return hinted(usagef("target %s holds a restore that did not finish", printable(target)), "Remove it, then run the command again: rm -r %s", shellQuote(target))
	}
	names, err := d.Readdirnames(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("target: %w", err)
	}
	if len(names) > 0 {
		return hinted(usagef("target %s is not empty: it holds %s", printable(target), printable(names[0])),
			"Nothing was changed. Choose a new or empty folder, or leave --target out for a new one.")
	}
	return nil
}
