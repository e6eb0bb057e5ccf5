package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"savepoint/internal/corpus"
	"savepoint/internal/miniotest"
)

// idleVariable names, to the program under test alone, how long a connection to a bucket may move no byte.
const idleVariable = "STORE_TEST_IDLE"

// clockVariable names, to the program under test alone, what its clock shows when it starts.
const clockVariable = "STORE_TEST_CLOCK"

// runImpatient is main with a shorter patience with connections, or another clock, when the test asks for it.
func runImpatient() {
	idle, clock := os.Getenv(idleVariable), os.Getenv(clockVariable)
	if idle == "" && clock == "" {
		main()
		return
	}
	a := newApp(os.Args, os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	var err error
	if idle != "" {
		a.idle, err = time.ParseDuration(idle)
	}
	if clock != "" && err == nil {
		var shown time.Time
		shown, err = time.Parse(time.RFC3339Nano, clock)
		began := time.Now()
		a.now = func() time.Time { return shown.Add(time.Since(began)) }
	}
	if err != nil {
		panic(err)
	}
	os.Exit(a.run(os.Args))
}

// networked begins a test of faults of the network. Together they take a minute, which a short run does without.
func networked(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("waits for servers that fail")
	}
	t.Parallel()
}

// trial is a host with a source and a repository behind a proxy, and what the source was like at each backup.
type trial struct {
	*host
	server *miniotest.Server
	proxy  *miniotest.Proxy
	bucket string
	bulk   int // bytes of the source that no other state has

	sent    atomic.Int64 // bytes of bodies that PUTs brought to the proxy
	states  int
	current string            // a copy of the source as it is
	taken   map[string]string // of each snapshot that a backup told of, a copy of the source then
}

// newTrial makes the repository and a first state of the source.
func newTrial(t *testing.T, s *miniotest.Server, bulk int) *trial {
	t.Helper()
	x := bareTrial(t, s, bulk)
	x.initRepo()
	return x
}

// bareTrial is newTrial without a repository.
func bareTrial(t *testing.T, s *miniotest.Server, bulk int) *trial {
	t.Helper()
	proxy, bucket := s.Proxy(t), s.Bucket(t)
	x := &trial{host: newHost(t, s, proxy.URL(bucket, "repo")), server: s, proxy: proxy, bucket: bucket, bulk: bulk, taken: map[string]string{}}
	x.heal()
	x.change()
	return x
}

// through has the host reach the bucket at another endpoint.
func (x *trial) through(url string) { x.env = append(x.env, "STORE_REPO="+url) }

// impatient gives up connections that are idle for a second.
func (x *trial) impatient() { x.env = append(x.env, idleVariable+"=1s") }

// inject has requests fail that match.
func (x *trial) inject(match func(*http.Request) bool, times int, do miniotest.Action) {
	x.proxy.Inject(miniotest.Fault{Match: match, Times: times, Do: do})
}

// heal ends all faults.
func (x *trial) heal() {
	x.proxy.Heal()
	x.proxy.Inject(miniotest.Fault{Do: miniotest.Delay(0), Match: func(r *http.Request) bool { // a fault for nobody: it counts
		if r.Method == http.MethodPut {
			x.sent.Add(r.ContentLength)
		}
		return false
	}})
}

// change brings the source into its next state and keeps a copy.
func (x *trial) change() {
	x.t.Helper()
	x.states++
	src := filepath.Join(x.dir, "src")
	o := corpus.TreeOptions{Seed: uint64(x.states), Files: 25, MaxSize: 64 << 10, Boundaries: []int64{4096}, Depth: 4, Skip: corpus.Sparse}
	next := corpus.Tree
	if x.states > 1 {
		next = corpus.Mutate
	}
	if err := next(src, o); err != nil {
		x.t.Fatalf("seed %d: %v", o.Seed, err)
	}
	x.file("src/bulk", uint64(x.states), x.bulk)
	x.current = filepath.Join(x.dir, fmt.Sprintf("state-%d", x.states))
	if out, err := exec.Command("cp", "-a", src, x.current).CombinedOutput(); err != nil {
		x.t.Fatalf("copy the source: %v\n%s", err, out)
	}
}

// backup makes a snapshot of the source, which must go well.
func (x *trial) backup(args ...string) backupDocument {
	x.t.Helper()
	return x.backedUp(x.startBackup(args...))
}

func (x *trial) startBackup(args ...string) *process {
	x.t.Helper()
	return x.start(append([]string{"backup", "src", "--json"}, args...)...)
}

// backedUp waits for a backup that must go well.
func (x *trial) backedUp(p *process) backupDocument {
	x.t.Helper()
	doc := p.backedUp()
	x.taken[doc.Snapshot.ID] = x.current
	return doc
}

// fails runs a command that must end with a code, and say things, one of which is what is safe or what to do.
func (x *trial) fails(code int, args []string, texts ...string) *process {
	x.t.Helper()
	p := x.run(args...)
	x.t.Logf("store %s: exit code %d\n%s", strings.Join(args, " "), p.cmd.ProcessState.ExitCode(), p.err)
	return p.want(code, texts...)
}

// restores restores a snapshot on a host that knows nothing, and compares it with the state that it was taken from.
func (x *trial) restores(id string) restoreDocument {
	x.t.Helper()
	target := filepath.Join(x.t.TempDir(), "target")
	p := x.run("restore", id, "--target", target, "--no-cache", "--json").want(0)
	state := x.taken[id]
	if state == "" {
		state = x.current // published by a run that did not come to know of it
	}
	x.same(state, target)
	var doc restoreDocument
	if err := json.Unmarshal(p.out.Bytes(), &doc); err != nil {
		x.t.Fatalf("%v in %s", err, p.out.String())
	}
	return doc
}

func (x *trial) same(state, target string) {
	x.t.Helper()
	diff, err := corpus.Compare(state, target)
	if err != nil {
		x.t.Fatal(err)
	}
	if len(diff) > 0 {
		x.t.Errorf("what is restored differs from %s:\n%s", filepath.Base(state), strings.Join(diff[:min(20, len(diff))], "\n"))
	}
}

// audit heals the network and holds that so many snapshots are listed, all of them finished, that each restores to what it was
// taken from, and that the repository holds no other, and no lease with a gap.
func (x *trial) audit(want int) {
	x.t.Helper()
	x.heal()
	p := x.run("snapshots", "--json").want(0)
	var doc snapshotsDocument
	if err := json.Unmarshal(p.out.Bytes(), &doc); err != nil {
		x.t.Fatal(err)
	}
	if len(doc.Snapshots) != want || len(doc.Damaged) > 0 {
		x.t.Errorf("%d snapshots are listed, %d damaged ones; want %d", len(doc.Snapshots), len(doc.Damaged), want)
	}
	for _, s := range doc.Snapshots {
		if s.Completeness != "complete" || s.Late {
			x.t.Errorf("snapshot %s is %s, late: %t", s.Short, s.Completeness, s.Late)
		}
		x.restores(s.ID)
	}
	if got := x.objects("snapshots/"); len(got) != want {
		x.t.Errorf("%d manifests, want %d: %q", len(got), want, got)
	}
	x.leases()
}

// leases holds that the names of every lease are 0, 1, … without a gap.
func (x *trial) leases() {
	x.t.Helper()
	names := map[string][]int{}
	for _, key := range x.objects("leases/") {
		id, n, _ := strings.Cut(strings.TrimPrefix(key, "leases/"), "/")
		if i, err := strconv.Atoi(n); err == nil {
			names[id] = append(names[id], i)
		} else if n != "end" {
			x.t.Errorf("lease %s has an object %q", id, n)
		}
	}
	for id, found := range names {
		slices.Sort(found)
		for i, n := range found {
			if n != i {
				x.t.Errorf("lease %s has the objects %v", id, found)
				break
			}
		}
	}
}

// objects returns the names that the repository has under a prefix.
func (x *trial) objects(prefix string) []string {
	x.t.Helper()
	var names []string
	for o := range x.server.Client(x.t).ListObjects(x.t.Context(), x.bucket, minio.ListObjectsOptions{Prefix: "repo/" + prefix, Recursive: true}) {
		if o.Err != nil {
			x.t.Fatal(o.Err)
		}
		names = append(names, strings.TrimPrefix(o.Key, "repo/"))
	}
	return names
}

// every returns a match for each nth request of those that match, and how many it has hit.
func every(n int, match func(*http.Request) bool) (hits *atomic.Int64, of func(*http.Request) bool) {
	var seen atomic.Int64
	hits = new(atomic.Int64)
	return hits, func(r *http.Request) bool {
		if match != nil && !match(r) || seen.Add(1)%int64(n) != 0 {
			return false
		}
		hits.Add(1)
		return true
	}
}

// lasts fails the test when something took longer.
func lasts(t *testing.T, began time.Time, most time.Duration) {
	t.Helper()
	if d := time.Since(began); d > most {
		t.Errorf("it took %v, want at most %v", d.Round(10*time.Millisecond), most)
	}
}

// absent fails the test when one of the paths exists.
func absent(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left behind", path)
		}
	}
}

// remove removes what a restore left that did not come to its end, as its message says.
func remove(t *testing.T, target string) {
	t.Helper()
	if err := os.RemoveAll(target); err != nil {
		t.Fatal(err)
	}
}

// together runs the parts of a test at the same time, more of them than there are cores: they wait for the most part.
func together(t *testing.T, parts map[string]func(t *testing.T)) {
	t.Helper()
	var wg sync.WaitGroup
	for name, part := range parts {
		wg.Go(func() { t.Run(name, part) })
	}
	wg.Wait()
}
