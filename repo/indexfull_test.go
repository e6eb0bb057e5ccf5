package repo_test

import (
	"context"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
)

// TestIndexFailsWhileSegmentsAreRead has the index fail to write, as on a full disk, while other segments are on their way: the backup goes on with the
// segments in memory, as it does when the index fails at any other time.
func TestIndexFailsWhileSegmentsAreRead(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	here, there := t.TempDir(), t.TempDir()
	run := 0
	add := func(cache string) {
		t.Helper()
		run++
		mustSave(t, openIn(t, m, cache), "world", files{"own": fmt.Sprint("run ", run)})
	}
	add(here)
	add(there)
	add(here) // builds a base
	known := names(m, "index/00000000/data/")
	for range 6 {
		add(there)
	}
	first := "" // of those that are new here
	for _, name := range names(m, "index/00000000/data/") {
		if !slices.Contains(known, name) && (first == "" || name < first) {
			first = name
		}
	}
	st := fault.New(m)
	r := openIn(t, st, here)

	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = 1 << 20
	var over atomic.Bool
	st.Arm(fault.Rule{Op: fault.Get, Prefix: "index/00000000/data/", Count: fault.Forever, Do: fault.Delay, Wait: func(ctx context.Context, _ fault.Op, name string) error {
		if name != first && !over.Load() {
			<-ctx.Done() // the first one is applied, which fails, before the others arrive
			over.Store(true)
			return context.Cause(ctx)
		}
		return nil
	}})
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &low); err != nil {
		t.Fatal(err)
	}
	f := files{"own": "new"}
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		_, err = save(t.Context(), r, "world", f)
	}()
	<-done
	if e := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); e != nil {
		t.Fatal(e)
	}
	if err != nil {
		t.Errorf("the backup failed with the index: %s", strings.SplitN(err.Error(), "\n", 2)[0])
	}
}
