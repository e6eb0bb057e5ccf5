package index_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/pack"
	"savepoint/repo/record"
)

// workerDir tells a child process to work on an index, workerSteps how long.
const (
	workerDir   = "INDEX_TEST_WORKER"
	workerSteps = "INDEX_TEST_STEPS"
)

// step says what is listed at step k of a history in which every step adds a segment, and every tenth merges those
// before; what was merged is gone a step later.
func step(k int) (listed []int) {
	from := k / 10 * 10
	if k%10 == 0 && from > 0 {
		from -= 10 // the merged ones are still there
	}
	for i := from; i <= k; i++ {
		listed = append(listed, i)
	}
	for i := 10; i <= k; i += 10 {
		listed = append(listed, -i)
	}
	return listed
}

func stepID(i int) record.ID { return segmentID(uint64(i + 1<<20)) }

// stepChunks returns the chunks of segment i.
func stepChunks(i int) []chunk.ID {
	var ids []chunk.ID
	for n := range uint64(12) {
		ids = append(ids, chunkID(uint64(i)*9+n))
	}
	return ids
}

// stepSegment returns segment i: two packs; or, if i is negative, the merge of ten.
func stepSegment(i int) (*record.Segment, error) {
	var packs []record.SegmentPack
	var old []record.ID
	first, last := i, i
	if i < 0 {
		first, last = -i-10, -i-1
	}
	for j := first; j <= last; j++ {
		ids := stepChunks(j)
		packs = append(packs, packOf(uint64(2*j), ids[:6], 3), packOf(uint64(2*j+1), ids[6:], 3))
		if i < 0 {
			old = append(old, stepID(j))
		}
	}
	b, err := record.EncodeSegment(pack.Data, record.Session{Lease: record.ID{1}}, old, packs)
	if err != nil {
		return nil, err
	}
	return record.DecodeSegment(b)
}

// goTo brings an index to step k and checks its answers: exactly what was stored until then is there.
func goTo(x *index.Index, k int) error {
	var listed []index.Listed
	back := map[record.ID]int{}
	for _, i := range step(k) {
		listed = append(listed, index.Listed{ID: stepID(i), Size: 1000})
		back[stepID(i)] = i
	}
	err := x.Sync(context.Background(), listed, func(_ context.Context, id record.ID) (*record.Segment, error) { return stepSegment(back[id]) })
	if err != nil {
		return err
	}
	if err := x.SetLive(index.Judge{}); err != nil {
		return err
	}
	return answers(x, k)
}

func answers(x *index.Index, k int) error {
	last := uint64(k)*9 + 12
	for n := range last + 100 {
		id := chunkID(n)
		ok, err := x.Has(&id)
		if err != nil || ok != (n < last) {
			return fmt.Errorf("step %d: Has(%d) = %t, %w", k, n, ok, err)
		}
		locs, err := x.Lookup(id, nil)
		if err != nil || ok && len(locs) == 0 { // another process may know of more that was stored
			return fmt.Errorf("step %d: Lookup(%d) = %v, %w", k, n, locs, err)
		}
		for _, l := range locs {
			p, err := x.Pack(l.Pack)
			if err != nil {
				return fmt.Errorf("step %d: Pack(%d): %w", k, l.Pack, err)
			}
			if !placed(p.ID, n, l) {
				return fmt.Errorf("step %d: chunk %d is not at %+v of %s", k, n, l, p.ID)
			}
		}
	}
	return nil
}

// placed reports whether chunk n lies there.
func placed(id pack.ID, n uint64, l index.Location) bool {
	for i := range uint64(2) {
		j := n/9 - i
		if at := n - j*9; at < 12 && id == hash("pack", 2*j+at/6) {
			return uint64(l.Block) == at%6/3 && uint64(l.Offset) == at%3*100
		}
	}
	return false
}

// work goes through a history, with segments of its own, and opens the index anew now and then.
func work(dir string, steps int) error {
	var x *index.Index
	var err error
	for k := range steps {
		if x == nil {
			if x, err = index.OpenFew(dir, index.Options{Repo: [16]byte{1}}, 30); err != nil {
				return err
			}
		}
		if err := goTo(x, k); err != nil {
			return err
		}
		fmt.Println("step", k)
		if k%3 == 1 && k%10 < 8 {
			s, err := stepSegment(k + 1)
			if err != nil {
				return err
			}
			if err := x.Add(index.Listed{ID: stepID(k + 1), Size: 1000}, s); err != nil {
				return err
			}
			if err := answers(x, k+1); err != nil {
				return err
			}
		}
		if k%7 == 6 {
			if err := x.Close(); err != nil {
				return err
			}
			x = nil
		}
	}
	if x == nil {
		return nil
	}
	return x.Close()
}

func startWorker(t *testing.T, dir string, steps int) (*exec.Cmd, *bufio.Reader, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workerDir+"="+dir, workerSteps+"="+strconv.Itoa(steps))
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out), stderr
}

// TestProcesses has three processes share a folder through a history, each at its own pace.
func TestProcesses(t *testing.T) {
	dir, steps := t.TempDir(), 60
	if testing.Short() {
		steps = 25
	}
	type worker struct {
		cmd    *exec.Cmd
		out    *bufio.Reader
		stderr *bytes.Buffer
	}
	var workers []worker
	for range 3 {
		cmd, out, stderr := startWorker(t, dir, steps)
		workers = append(workers, worker{cmd, out, stderr})
	}
	for i, w := range workers {
		w.out.WriteTo(new(bytes.Buffer))
		if err := w.cmd.Wait(); err != nil {
			t.Errorf("process %d: %v\n%s", i, err, w.stderr)
		}
	}
	x := open(t, dir)
	if err := goTo(x, steps); err != nil {
		t.Error(err)
	}
	if st := x.Stats(); st.Base == 0 {
		t.Errorf("nothing was merged: %+v", st)
	}
}

// TestCrashKilled kills a process at a random moment, over and over, and checks all answers.
func TestCrashKilled(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	for i := range rounds {
		cmd, out, stderr := startWorker(t, dir, 200)
		for range r.IntN(6) {
			if _, err := out.ReadString('\n'); err != nil {
				cmd.Wait()
				t.Fatalf("round %d: %v\n%s", i, err, stderr)
			}
		}
		<-time.After(time.Duration(r.IntN(30_000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		if stderr.Len() > 0 {
			t.Fatalf("round %d: the process says: %s", i, stderr)
		}
		x, err := index.OpenFew(dir, index.Options{Repo: [16]byte{1}}, 30)
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if err := goTo(x, r.IntN(30)); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if err := x.Close(); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
}
