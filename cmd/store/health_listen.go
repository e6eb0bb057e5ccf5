package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"savepoint/repo"
	"savepoint/repo/seal"
	"savepoint/repo/storage/file"
	"savepoint/verify/health"
	"savepoint/verify/health/serve"
)

// listenRetryFor is how long a server repeats a request to a bucket: it looks again anyway.
const listenRetryFor = time.Minute

// serveHealth serves what health finds until a signal, which is no failure.
func (a *app) serveHealth(ctx context.Context, o healthOptions, here string) error {
	address, err := listenAddress(o.listen)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return hinted(fmt.Errorf("listen at %s: %w", address, err), "Another process may be listening there, or this host has no such address.")
	}
	if text, _ := a.setting(a.g.retryFor, "retry-for"); text == "" {
		a.g.retryFor = listenRetryFor.String()
	}
	a.tellf("serving http://%s/", l.Addr())
	v := &liveRepo{a: a, o: o, here: here}
	server := serve.New(serve.Options{
		Look: v.look, Refresh: o.refresh, Now: a.now,
		Metrics: func(s *health.Status, at time.Time, up bool) ([]byte, error) { return o.metricsText(s, here, at, &up) },
		Page: func(s *health.Status, stale string) ([]byte, error) {
			return a.healthPage(s, pageOptions{reload: max(o.refresh, 10*time.Second), stale: printable(stale)})
		},
		Fatal: func(err error) bool {
			code := exitCode(err)
			return code == exitNoRepository || code == exitWrongSecret || code == exitUsage
		},
		Changed: func(err error) {
			if err == nil {
				a.notef("the repository can be looked at again")
				return
			}
			a.warnf("the repository cannot be looked at, and is tried again every %s: %s", o.refresh, oneLine(err))
		},
	})
	if err := server.Run(ctx, l); err != nil {
		return err
	}
	a.verdict = new(int) // what was found was served
	return nil
}

// liveRepo looks at a repository again and again. It stays open as long as it is where it was.
type liveRepo struct {
	a        *app
	o        healthOptions
	here     string
	repo     *repo.Repo
	config   []byte // as it was when the repository was opened
	password string // as it was typed
	seen     bool   // it could be looked at
}

func (v *liveRepo) look(ctx context.Context) (*health.Status, error) {
	if v.repo != nil {
		if now, err := v.a.configObject(ctx); err != nil || !bytes.Equal(now, v.config) {
			v.repo = nil
		}
	}
	if v.repo == nil {
		r, _, err := v.a.openRepoAs(ctx, func(*repo.Options) {}, v.ask)
		if err != nil {
			return nil, err
		}
		if v.config, err = v.a.configObject(ctx); err != nil && !errors.Is(r.ReadOnly(), repo.ErrCorrupt) { // one that is gone is told of
			return nil, err
		}
		v.repo = r
	}
	s, err := health.Look(ctx, v.repo, v.a.lookOptions(v.o.dataset, v.o.host, v.here))
	if err != nil {
		v.repo = nil
		return nil, err
	}
	if len(s.Sources) == 0 && v.o.dataset != "" && !v.seen {
		return nil, usagef("nothing is known of %s", sourceText(v.o.dataset, v.o.host))
	}
	v.seen = true
	return s, nil
}

// ask asks for a password once.
func (v *liveRepo) ask(ctx context.Context) (string, error) {
	if v.password != "" {
		return v.password, nil
	}
	typed, err := v.a.askPassword(ctx)
	if err == nil {
		v.password = typed
	}
	return typed, err
}

// configObject reads what makes a place a repository. It is gone where a disk is not mounted: an empty folder lists like a repository in which
// nothing was ever backed up. When it is another one, so is the repository, or nobody can open it any more.
func (a *app) configObject(ctx context.Context) ([]byte, error) {
	if a.bucket != nil {
		return a.bucket.Get(ctx, seal.ConfigName, 0, -1, nil)
	}
	st, err := file.Open(a.place.path)
	if err != nil {
		return nil, err
	}
	return st.Get(ctx, seal.ConfigName, 0, -1, nil)
}
