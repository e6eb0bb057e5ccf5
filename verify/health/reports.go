package health

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/verify"
)

// report is a report with its document.
type report struct {
	*repo.StoredReport
	at    time.Time
	drill *verify.DrillDocument
	check *verify.CheckDocument
}

// decode reads the documents of the reports that are looked at, and puts these in order of time. A drill or verification whose document
// is none counts as none, and is noted.
func (l *look) decode(ctx context.Context, stored []*repo.StoredReport) ([]*report, error) {
	reports, bad := make([]*report, len(stored)), make([]error, len(stored))
	g, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		g.Go(func() error {
			for i := w; i < len(stored); i += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				if s := stored[i]; s.Kind == record.VerifyReport || l.o.wants(s.Dataset, s.Host) {
					reports[i], bad[i] = decodeReport(s)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, err := range bad {
		l.unreadable(KindDocument, err)
	}
	reports = slices.DeleteFunc(reports, func(r *report) bool { return r == nil })
	slices.SortStableFunc(reports, func(a, b *report) int { return a.at.Compare(b.at) })
	return reports, nil
}

func decodeReport(s *repo.StoredReport) (*report, error) {
	r := &report{StoredReport: s, at: endOf(s)}
	var err error
	switch {
	case s.Kind == record.BackupReport:
		return r, nil
	case s.Kind != record.DrillReport && s.Kind != record.VerifyReport: // of a later program
		return nil, nil
	case len(s.Document) == 0:
		err = errNoDocument
	case s.Kind == record.DrillReport:
		r.drill, err = verify.DecodeDrill(s.Document)
	default:
		r.check, err = verify.DecodeCheck(s.Document)
	}
	if err != nil {
		return nil, fmt.Errorf("document of %s: %w", s.Name, err)
	}
	return r, nil
}

// endOf returns when a run ended. What the report says is authentic; it was stored later, or much later when it lies in a copy.
func endOf(s *repo.StoredReport) time.Time {
	if t := time.Unix(0, s.Ran[1]); s.Ran[1] > 0 && t.Before(s.Stored) {
		return t.UTC()
	}
	return s.Stored.UTC()
}

// line returns what a line can hold: it comes from a document, and has no full stop at its end.
func line(s string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text(s)), " .")
}

// text returns what a label can hold.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
