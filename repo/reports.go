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
	"golang.org/x/sync/semaphore"

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

// reportsInHand is how many bytes of reports are read and decoded at a time, besides what is kept of them: one can have 64 MiB, and what its
// document becomes is many times as much.
const reportsInHand = 32 << 20

// Reports returns every listed report, oldest first. What this host read before comes from its cache. Those that cannot be read are left
// out, and the error, which wraps ErrCorrupt or ErrNewer, names them: the rest is returned with it.
func (r *Repo) Reports(ctx context.Context) ([]*StoredReport, error) {
	return r.reports(ctx, time.Time{}, func(*StoredReport) {})
}

// TakeReports is Reports, and hands each report to take, which may take out of it what needs no keeping, before others are read that do not
// fit into memory beside it. Take is called by many goroutines.
func (r *Repo) TakeReports(ctx context.Context, take func(*StoredReport)) ([]*StoredReport, error) {
	return r.reports(ctx, time.Time{}, take)
}

// reports reads the reports that were stored at a moment or later.
func (r *Repo) reports(ctx context.Context, since time.Time, take func(*StoredReport)) ([]*StoredReport, error) {
	infos, err := r.list(ctx, "reports/")
	if err != nil {
		return nil, err
	}
	listed := make(map[string]bool, len(infos))
	for _, i := range infos {
		listed[i.Name] = true
	}
	infos = slices.DeleteFunc(infos, func(i storage.Info) bool { return i.Time.Before(since) })
	cache := r.loadSealed("reports")
	reports, bad := make([]*StoredReport, len(infos)), make([]error, len(infos))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	inHand := semaphore.NewWeighted(reportsInHand)
	for n, i := range infos {
		if _, err := parseID(strings.TrimPrefix(i.Name, "reports/")); err != nil {
			continue // not an object of ours
		}
		g.Go(func() error {
			size := min(max(i.Size, 0), reportsInHand)
			if err := inHand.Acquire(gctx, size); err != nil {
				return err
			}
			defer inHand.Release(size)
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
			take(rep)
			reports[n] = rep
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
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

// Report reads one report again, of which a Survey kept a part. The error wraps ErrCorrupt or ErrNewer when it cannot be read any more, or is gone.
func (r *Repo) Report(ctx context.Context, name string) (*StoredReport, error) {
	info, err := r.st.Stat(ctx, name)
	var rep *StoredReport
	if err == nil {
		rep, err = r.readReport(ctx, new(sealedCache), info)
	}
	if gone(err) {
		err = corrupt(name, err)
	}
	return rep, err
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
