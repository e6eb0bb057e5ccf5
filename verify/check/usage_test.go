package check_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/usage"
	"savepoint/repo"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/verify"
	"savepoint/verify/check"
)

// TestUsage reads packs back from a storage whose every request for data takes a second. The processors are said to be at work all the
// time, so that of the wait for it only that counts which the checkers tell of.
func TestUsage(t *testing.T) {
	s := newSource(t, "game")
	s.put(t, 3<<20, "large")
	synctest.Test(t, func(t *testing.T) {
		st := mem.New(nil)
		initRepo(t, st)
		s.backup(t, st)
		began := time.Now()
		u := usage.New(usage.Options{CPU: func() (time.Duration, time.Duration) { return time.Since(began), 0 },
			Requests: func() []usage.Requests { return []usage.Requests{{Op: "get", Count: 7, Retries: 1, P99: time.Second}} }})
		far := fault.New(st, fault.Rule{Op: fault.Get, Prefix: "data/", Count: fault.Forever, Do: fault.Delay, Wait: func(context.Context, fault.Op, string) error {
			u.Calling(1)
			defer u.Calling(-1)
			<-time.After(time.Second)
			return nil
		}})
		r, err := repo.Open(t.Context(), far, secret, repo.Options{Sealers: 2, Host: "checker", Usage: u})
		if err != nil {
			t.Fatal(err)
		}
		d, err := check.Run(t.Context(), r, check.Options{ReadData: check.All()})
		if err != nil {
			t.Fatal(err)
		}
		healthy(t, d)
		if d.Usage == nil || d.Usage.Waited.Storage < 1 || d.Usage.Waited.Storage > d.Usage.Wall {
			t.Fatalf("%+v", d.Usage)
		}
		if diff := cmp.Diff([]verify.Latency{{Op: "get", Count: 7, Retries: 1, P99: 1}}, d.Usage.Latencies); diff != "" {
			t.Error(diff)
		}
		all, err := open(t, st).Reports(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		last := all[len(all)-1]
		doc, err := verify.DecodeCheck(last.Document)
		if err != nil || !cmp.Equal(doc.Usage, d.Usage) || last.Usage == nil || last.Usage.Requests[0].Count != 7 {
			t.Errorf("the report has %+v and %+v, %v", doc.Usage, last.Usage, err)
		}
	})
}
