package repo_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zeebo/blake3"

	"savepoint/repo"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/file"
	"savepoint/repo/storage/mem"
)

// TestLockHelper is the other process of TestLockSource.
func TestLockHelper(t *testing.T) {
	dir, cache := os.Getenv("STORE_TEST_REPO"), os.Getenv("STORE_TEST_CACHE")
	if dir == "" {
		t.Skip("runs in a process of its own")
	}
	st, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := repo.Open(t.Context(), st, secret, repo.Options{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.LockSource("world", "host"); err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString("locked\n")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until it is killed
}

func TestLockSource(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	st, err := file.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	newRepo(t, st)
	r, err := repo.Open(t.Context(), st, secret, repo.Options{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockHelper$")
	cmd.Env = append(os.Environ(), "STORE_TEST_REPO="+dir, "STORE_TEST_CACHE="+cache)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for b := bufio.NewReader(out); ; {
		line, err := b.ReadString('\n')
		if line == "locked\n" {
			break
		}
		if err != nil {
			t.Fatalf("other process: %q, %v", line, err)
		}
	}
	_, err = r.LockSource("world", "host")
	if !errors.Is(err, repo.ErrHeld) || !strings.Contains(err.Error(), "world@host runs since 20") {
		t.Errorf("beside another process: %v", err)
	}
	release, err := r.LockSource("other", "host")
	if err != nil {
		t.Errorf("another source: %v", err)
	} else {
		release()
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // was killed
	if release, err = r.LockSource("world", "host"); err != nil {
		t.Fatalf("after the other process was killed: %v", err)
	}
	if _, err := r.LockSource("world", "host"); !errors.Is(err, repo.ErrHeld) {
		t.Errorf("beside this process: %v", err)
	}
	release()
	if release, err = r.LockSource("world", "host"); err != nil {
		t.Errorf("after release: %v", err)
	} else {
		release()
	}
}

// TestLockSourceUnwritten has another run that holds the lock and has not said since when.
func TestLockSourceUnwritten(t *testing.T) {
	cache := t.TempDir()
	st, err := file.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	newRepo(t, st)
	r, err := repo.Open(t.Context(), st, secret, repo.Options{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	release, err := r.LockSource("world", "host")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	locks, err := filepath.Glob(filepath.Join(cache, "*", "lock-*"))
	if err != nil || len(locks) != 1 {
		t.Fatal(locks, err)
	}
	if err := os.Truncate(locks[0], 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.LockSource("world", "host"); !errors.Is(err, repo.ErrHeld) || !strings.HasSuffix(err.Error(), "a backup of world@host runs now") {
		t.Errorf("beside one that has not written: %v", err)
	}
}

// reports returns the reports by the name of the manifest that each is about, and checks every chain.
func reports(t *testing.T, st *mem.Store) map[string]*record.Report {
	t.Helper()
	ring := ringOf(t, st)
	out := map[string]*record.Report{}
	hashes := map[[32]byte]*record.Report{}
	for _, name := range names(st, "reports/") {
		b := object(t, st, name)
		payload, err := ring.Open(seal.Report, name, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := record.DecodeReport(payload)
		if err != nil {
			t.Fatal(err)
		}
		out[rep.Message], hashes[blake3.Sum256(b)] = rep, rep
	}
	type place struct {
		record.ID
		seq uint64
	}
	seen := map[place]bool{}
	for _, rep := range out {
		p := place{rep.Writer, rep.Seq}
		if seen[p] {
			t.Errorf("two reports are number %d of one writer", rep.Seq)
		}
		seen[p] = true
		if rep.Seq == 1 {
			if rep.Previous != [32]byte{} {
				t.Error("a first report has one before it")
			}
			continue
		}
		if prev := hashes[rep.Previous]; prev == nil || prev.Writer != rep.Writer || prev.Seq != rep.Seq-1 {
			t.Errorf("report %d of %x does not follow: %+v", rep.Seq, rep.Writer, prev)
		}
	}
	return out
}

func TestChainOfReports(t *testing.T) {
	m := mem.New(nil)
	newRepo(t, m)
	st := fault.New(m)
	cache := t.TempDir()
	put := func(message string, fails bool) {
		t.Helper()
		r, err := repo.Open(t.Context(), st, secret, repo.Options{Cache: cache, Version: "v"})
		if err != nil {
			t.Fatal(err)
		}
		err = r.PutReport(t.Context(), "world", "host", &record.Report{Kind: record.BackupReport, Message: message})
		if (err != nil) != fails {
			t.Fatalf("PutReport = %v", err)
		}
	}
	put("a", false)
	put("b", false)
	put("c", false)
	st.Arm(fault.Rule{Op: fault.Put, Prefix: "reports/", Do: fault.FailDone}) // it is stored, and nobody knows
	put("d", true)
	st.Arm()
	put("e", false)
	put("f", false)
	all := reports(t, m)
	if all["c"].Seq != 3 || all["d"].Seq != 4 || all["e"].Seq != 1 || all["f"].Seq != 2 || all["e"].Writer == all["a"].Writer {
		t.Errorf("numbers are %d, %d, %d, %d", all["c"].Seq, all["d"].Seq, all["e"].Seq, all["f"].Seq)
	}
	if all["a"].Dataset != "world" || all["a"].Host != "host" || all["a"].Version != "v" {
		t.Errorf("report is %+v", all["a"])
	}
	cache = t.TempDir() // lost
	put("g", false)
	if all = reports(t, m); all["g"].Seq != 1 || all["g"].Writer == all["f"].Writer {
		t.Errorf("without its cache a writer goes on: %+v", all["g"])
	}
	cache = "" // none
	put("h", false)
	put("i", false)
	if all = reports(t, m); all["h"].Seq != 1 || all["i"].Seq != 1 || all["h"].Writer == all["i"].Writer {
		t.Errorf("without a cache: %d, %d", all["h"].Seq, all["i"].Seq)
	}
}
