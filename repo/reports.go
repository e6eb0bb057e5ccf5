package repo

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
)

// StoredReport is a listed report.
type StoredReport struct {
	Name   string    // object name
	Stored time.Time // storage time
	Hash   [32]byte  // plain BLAKE3-256 of the object, which the writer's next report names
	*record.Report
}

// Reports returns every listed report, oldest first. What this host read before comes from its cache. Those that cannot be read are left
// out, and the error, which wraps ErrCorrupt or ErrNewer, names them: the rest is returned with it.
func (r *Repo) Reports(ctx context.Context) ([]*StoredReport, error) {
	infos, err := r.list(ctx, "reports/")
	if err != nil {
		return nil, err
	}
	cache := r.loadSealed("reports")
	reports, bad := make([]*StoredReport, len(infos)), make([]error, len(infos))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for n, i := range infos {
		if _, err := parseID(strings.TrimPrefix(i.Name, "reports/")); err != nil {
			continue // not an object of ours
		}
		g.Go(func() error {
			rep, err := r.readReport(gctx, cache, i)
			switch {
			case gone(err):
				return nil
			case unreadable(err):
				bad[n] = err
				return nil
			case err != nil:
				return err
			}
			reports[n] = rep
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	listed := make(map[string]bool, len(infos))
	for _, i := range infos {
		listed[i.Name] = true
	}
	if err := cache.save(func(name string) bool { return listed[name] }); err != nil {
		r.o.Logger.Debug("cache could not be written", "err", err)
	}
	reports = slices.DeleteFunc(reports, func(s *StoredReport) bool { return s == nil })
	slices.SortFunc(reports, func(a, b *StoredReport) int {
		return cmp.Or(a.Stored.Compare(b.Stored), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Name, b.Name))
	})
	return reports, errors.Join(bad...)
}

// readReport reads a report from this host's cache or from the store.
func (r *Repo) readReport(ctx context.Context, cache *sealedCache, i storage.Info) (*StoredReport, error) {
	if sealed := cache.get(i.Name, i.Size); sealed != nil {
		if rep, err := r.openReport(i, sealed); err == nil {
			cache.use(i.Name, sealed, false)
			return rep, nil
		}
	}
	sealed, err := r.getListed(ctx, i)
	if err != nil {
		return nil, err
	}
	rep, err := r.openReport(i, sealed)
	if err == nil {
		cache.use(i.Name, sealed, true)
	}
	return rep, err
}

func (r *Repo) openReport(i storage.Info, sealed []byte) (*StoredReport, error) {
	b, err := r.ring.Open(seal.Report, i.Name, sealed, nil)
	if err != nil {
		return nil, corrupt(i.Name, err)
	}
	rep, err := record.DecodeReport(b)
	if err != nil {
		return nil, corrupt(i.Name, err)
	}
	return &StoredReport{Name: i.Name, Stored: i.Time, Hash: blake3.Sum256(sealed), Report: rep}, nil
}
