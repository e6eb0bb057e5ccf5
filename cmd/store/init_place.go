package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"savepoint/repo"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// ours are the names at the top of a repository: what an init that was cut off can leave, and what becomes of it.
var ours = []string{seal.ConfigName, "keys", "data", "meta", "index", "snapshots", "condemned", "leases", "marks", "reports"}

// placeForInit returns an error when a repository cannot be made at the location. A bucket is opened, and made if that is asked
// for, and probed; a folder is made later, once its secrets exist.
func (a *app) placeForInit(ctx context.Context, l location, o initOptions) (storage.Store, *probeDocument, error) {
	if l.bucket == nil {
		if o.createBucket {
			return nil, nil, usagef("--create-bucket is for s3://BUCKET/PREFIX, and the repository is %s", printable(l.path))
		}
		if err := l.refuseForInit(); err != nil {
			return nil, nil, err
		}
		return nil, nil, l.refuseSecrets(o.generate, o.machineKey, o.kit)
	}
	st, err := a.openStore(ctx, l, o.createBucket)
	if errors.Is(err, repo.ErrNoRepository) {
		return nil, nil, hinted(coded(exitFailure, fmt.Errorf("bucket %s does not exist at %s", l.bucket.Bucket, a.endpoints())),
			"Nothing was made. Check the name and the endpoint; --create-bucket makes the bucket.")
	}
	if err != nil {
		return nil, nil, err
	}
	if err := refuseObjects(ctx, l, st); err != nil {
		return nil, nil, err
	}
	found, err := a.probe(ctx)
	return st, found, err
}

// refuseObjects returns an error when there is a repository in the bucket's prefix, or something else. It asks for one name in
// each folder.
func refuseObjects(ctx context.Context, l location, st storage.Store) error {
	if _, err := st.Stat(ctx, seal.ConfigName); err == nil {
		return hinted(fmt.Errorf("repository %s: %w", l, repo.ErrExists), "%s", initHint(repo.ErrExists))
	}
	after := ""
	for {
		found := false
		for info, err := range st.List(ctx, "", after) {
			if err != nil {
				return fmt.Errorf("look into %s: %w", l, err)
			}
			top, _, inFolder := strings.Cut(info.Name, "/")
			if !slices.Contains(ours, top) && top != probeFolder {
				return hinted(usagef("%s is not empty: it holds %s", l, printable(info.Name)),
					"Nothing was changed. Choose a prefix of its own for the repository: s3://%s/PREFIX?…", l.bucket.Bucket)
			}
			if after, found = top, true; inFolder {
				after = top + "0" // the character after the slash: the next name is in no folder, or another
			}
			break
		}
		if !found {
			return nil
		}
	}
}

// refuseForInit returns an error when the folder holds anything but what an init that was cut off leaves. What looks
// like a repository is for repo.Init to judge.
func (l location) refuseForInit() error {
	entries, err := os.ReadDir(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return hinted(usagef("repository %s: %w", printable(l.path), err), "Choose a folder, new or empty.")
	}
	for _, e := range entries {
		if e.Name() == seal.ConfigName && e.Type().IsRegular() {
			return hinted(fmt.Errorf("repository %s: %w", printable(l.path), repo.ErrExists), "%s", initHint(repo.ErrExists))
		}
		if !slices.Contains(ours, e.Name()) && e.Name() != ".tmp" && e.Name() != "lost+found" {
			return hinted(usagef("folder %s is not empty: it holds %s", printable(l.path), printable(e.Name())),
				"Nothing was changed. Choose a folder of its own for the repository, new or empty.")
		}
	}
	return nil
}

// refuseSecrets returns an error when a file of a new secret would lie beside what it locks.
func (l location) refuseSecrets(files ...string) error {
	for _, f := range files {
		if f == "" || f == "-" {
			continue
		}
		in, err := beneath(f, l.path)
		if err != nil {
			return fmt.Errorf("compare %s with the repository: %w", printable(f), err)
		}
		if in {
			return hinted(usagef("the file %s would lie in the repository that it opens: whoever gets the one would get the other", printable(f)),
				"Nothing was changed. Choose a place elsewhere.")
		}
	}
	return nil
}
