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
	"savepoint/repo/storage"
	"savepoint/repo/storage/file"
)

// location is where a repository is or shall be: a folder.
type location struct{ path string }

// repoText returns the repository as the user named it: by flag, environment or configuration.
func (a *app) repoText() string {
	text := first(a.g.repo, a.getenv("STORE_REPO"), a.config.Repository)
	if loc, err := parseLocation(text); err == nil {
		return loc.path
	}
	return text
}

// location parses what repoText says.
func (a *app) location() (location, error) {
	text := first(a.g.repo, a.getenv("STORE_REPO"), a.config.Repository)
	if text == "" {
		return location{}, hinted(usagef("no repository named"),
			"Give --repo PATH, STORE_REPO, or repository: in the configuration.")
	}
	return parseLocation(text)
}

// parseLocation reads a path, file:///path or, some day, other URLs.
func parseLocation(text string) (location, error) {
	scheme, _, isURL := strings.Cut(text, "://")
	if !isURL || strings.ContainsAny(scheme, "/.") {
		abs, err := filepath.Abs(text)
		if err != nil {
			return location{}, fmt.Errorf("repository %s: %w", printable(text), err)
		}
		return location{abs}, nil
	}
	switch scheme {
	case "file":
		u, err := url.Parse(text)
		if err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.RawQuery != "" || u.Fragment != "" {
			return location{}, usagef("repository %q: a file URL is file:///ABSOLUTE/PATH", withoutSecrets(text))
		}
		return location{filepath.Clean(u.Path)}, nil
	case "s3":
		return location{}, hinted(usagef("repository %q: s3:// is not in this version", withoutSecrets(text)), "Use a path: --repo /srv/backup.")
	}
	return location{}, usagef("repository %q: unknown scheme %s://; use a path or file:///PATH", withoutSecrets(text), scheme)
}

// withoutSecrets returns a URL without what other programs take for a user, a password or a key in it.
func withoutSecrets(text string) string {
	scheme, rest, _ := strings.Cut(text, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "…" + rest[at:]
	}
	return scheme + "://" + rest
}

// open opens the folder. One that is missing is no repository.
func (l location) open() (storage.Store, error) {
	st, err := file.Open(l.path)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, fmt.Errorf("%w at %s: there is no such folder", repo.ErrNoRepository, printable(l.path))
	}
	if err != nil {
		return nil, err
	}
	return st, nil
}

func (a *app) repoOptions() (repo.Options, error) {
	host, err := a.hostname("")
	return repo.Options{Now: a.now, Logger: a.log, Cache: a.cacheFolder(), Version: version, Host: host}, err
}

// openRepo opens the repository with the secret that is found. Damage that reading can go on after decides the exit code.
func (a *app) openRepo(ctx context.Context) (*repo.Repo, error) {
	loc, err := a.location()
	if err != nil {
		return nil, err
	}
	o, err := a.repoOptions()
	if err != nil {
		return nil, err
	}
	st, err := loc.open()
	if err != nil {
		return nil, err
	}
	// Without a secret: nobody is asked for the password of what is not there.
	if _, err := repo.Open(ctx, st, repo.Secret{}, o); err != nil {
		switch {
		case errors.Is(err, repo.ErrNoRepository):
			return nil, fmt.Errorf("%w at %s", err, printable(loc.path))
		case !errors.Is(err, repo.ErrWrongSecret):
			return nil, fmt.Errorf("repository %s: %w", printable(loc.path), err)
		}
	}
	source, err := a.secretSource()
	if err != nil {
		return nil, err
	}
	secret, err := a.readSecret(ctx, source, a.askPassword)
	if err != nil {
		return nil, err
	}
	r, err := repo.Open(ctx, st, secret, o)
	if secret.Passphrase != "" {
		debug.FreeOSMemory() // scrypt took 64 MiB, which a backup would keep
	}
	if err != nil {
		return nil, fmt.Errorf("repository %s (secret from %s): %w", printable(loc.path), source.origin, err)
	}
	if err := r.ReadOnly(); errors.Is(err, repo.ErrCorrupt) {
		a.found = worst(a.found, exitDamage)
	}
	return r, nil
}
