package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime/debug"
	"strings"

	"savepoint/repo"
	"savepoint/repo/storage/s3"
)

// location is where a repository is or shall be: a folder, or a prefix in a bucket.
type location struct {
	path   string     // of the folder
	bucket *s3.Config // nil: a folder
	create bool       // the bucket is made when it is missing
}

// String returns the location as --repo takes it. It holds no secrets.
func (l location) String() string {
	if l.bucket != nil {
		return l.bucket.String()
	}
	return l.path
}

// contains reports whether a path lies in the repository. Nothing of this host lies in a bucket.
func (l location) contains(path string) (bool, error) {
	if l.bucket != nil {
		return false, nil
	}
	return beneath(path, l.path)
}

// named returns the repository as the user named it, and where: by flag, environment or configuration.
func (a *app) named() (text, by string) {
	switch {
	case a.g.repo != "":
		return a.g.repo, "--repo"
	case a.getenv("STORE_REPO") != "":
		return a.getenv("STORE_REPO"), "STORE_REPO"
	}
	return a.config.Repository, "repository: in the configuration"
}

// repoText returns the repository in the form that finds it from every folder.
func (a *app) repoText() string {
	text, by := a.named()
	loc, err := parseLocation(text, by)
	if err != nil {
		return withoutSecrets(text)
	}
	return loc.String()
}

// location parses what the user named.
func (a *app) location() (location, error) {
	text, by := a.named()
	if text == "" {
		return location{}, hinted(usagef("no repository named"),
			"Give --repo PATH or --repo s3://BUCKET/PREFIX?endpoint=HOST:PORT, STORE_REPO, or repository: in the configuration.")
	}
	return parseLocation(text, by)
}

// parseLocation reads a path, file:///path or s3://bucket/prefix?endpoint=host:port. Its errors repeat nothing that can be a
// secret.
func parseLocation(text, by string) (location, error) {
	scheme, _, isURL := strings.Cut(text, "://")
	if !isURL || strings.ContainsAny(scheme, "/.") {
		abs, err := filepath.Abs(text)
		if err != nil {
			return location{}, fmt.Errorf("repository %s: %w", printable(text), err)
		}
		return location{path: abs}, nil
	}
	switch scheme {
	case "file":
		u, err := url.Parse(text)
		if err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.RawQuery != "" || u.Fragment != "" {
			return location{}, usagef("repository %q: a file URL is file:///ABSOLUTE/PATH", withoutSecrets(text))
		}
		return location{path: filepath.Clean(u.Path)}, nil
	case "s3":
		c, err := s3.ParseURL(text)
		if err != nil {
			return location{}, hinted(usagef("%s: %w", by, err), "It is s3://BUCKET/PREFIX?endpoint=HOST:PORT; further parameters are region=, tls=false, "+
				"path-style= and ca=FILE. Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials or the host's role.")
		}
		return location{bucket: &c}, nil
	}
	return location{}, usagef("repository %q: unknown scheme %s://; use a path, file:///PATH or s3://BUCKET/PREFIX?endpoint=HOST:PORT",
		withoutSecrets(text), printable(scheme))
}

// withoutSecrets returns a URL without what other programs take for a user, a password or a key in it. A path stays as it is.
func withoutSecrets(text string) string {
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		return text
	}
	rest, _, _ = strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "…" + rest[at:]
	}
	return scheme + "://" + rest
}

func (a *app) repoOptions() (repo.Options, error) {
	host, err := a.hostname("")
	return repo.Options{Now: a.now, Logger: a.log, Cache: a.cacheFolder(), Version: version, Host: host}, err
}

// openRepo opens the repository with the secret that is found. Damage that reading can go on after decides the exit code.
func (a *app) openRepo(ctx context.Context) (*repo.Repo, error) {
	r, _, err := a.openRepoAs(ctx, func(*repo.Options) {}, a.askPassword)
	return r, err
}

// openRepoAs is openRepo with other options, and another question for a password.
func (a *app) openRepoAs(ctx context.Context, change func(*repo.Options), ask func(context.Context) (string, error)) (*repo.Repo, secretSource, error) {
	var source secretSource
	loc, err := a.location()
	if err != nil {
		return nil, source, err
	}
	o, err := a.repoOptions()
	if err != nil {
		return nil, source, err
	}
	st, err := a.openStore(ctx, loc, false)
	if err != nil {
		return nil, source, err
	}
	o.SlowDowns, o.Place, o.Usage = a.meter.SlowDowns, loc.String(), a.usage
	change(&o)
	var secret repo.Secret
	var askErr error
	r, err := repo.OpenWith(ctx, st, func() (repo.Secret, error) {
		if source, askErr = a.secretSource(); askErr == nil {
			resume := a.usage.Pause() // a person may type it
			secret, askErr = a.readSecret(ctx, &source, ask)
			resume()
		}
		return secret, askErr
	}, o)
	if secret.Passphrase != "" {
		debug.FreeOSMemory() // scrypt took 64 MiB, which a backup would keep
	}
	switch {
	case askErr != nil:
		return nil, source, askErr
	case err != nil:
		return nil, source, hinted(openError(loc, source.named(), err), "%s", first(kitHint(source.kit, err), a.wrongSecretHint(&source, err)))
	}
	a.repo = r
	if err := r.ReadOnly(); errors.Is(err, repo.ErrCorrupt) {
		a.found = worst(a.found, exitDamage)
	}
	return r, source, nil
}

// openError says which repository could not be opened.
func openError(loc location, origin string, err error) error {
	switch {
	case errors.Is(err, repo.ErrNoRepository) && loc.bucket != nil:
		return hinted(fmt.Errorf("%w at %s", err, loc), "Check the bucket and the prefix. `store init` makes a new repository there.")
	case errors.Is(err, repo.ErrNoRepository):
		return fmt.Errorf("%w at %s", err, printable(loc.String()))
	case origin == "":
		return fmt.Errorf("repository %s: %w", printable(loc.String()), err)
	}
	return fmt.Errorf("repository %s (secret from %s): %w", printable(loc.String()), origin, err)
}
