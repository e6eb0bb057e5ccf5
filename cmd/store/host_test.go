package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"savepoint/internal/miniotest"
)

// host is a machine that runs the program in processes of its own: it has a cache, credentials and a key of the repository.
type host struct {
	t   *testing.T
	dir string
	env []string
}

// newHost makes a host for a repository at an address.
func newHost(t *testing.T, s *miniotest.Server, url string) *host {
	h := &host{t: t, dir: t.TempDir()}
	h.env = append(s.Env(), "PATH="+os.Getenv("PATH"), "HOME="+h.dir, "TMPDIR="+os.TempDir(), "AWS_EC2_METADATA_DISABLED=true",
		"STORE_REPO="+url, "STORE_KEY_FILE="+filepath.Join(h.dir, "key"), "XDG_CACHE_HOME="+filepath.Join(h.dir, "cache"))
	return h
}

// behindProxy makes a host with a new repository that it reaches through a proxy.
func behindProxy(t *testing.T) (*miniotest.Server, *miniotest.Proxy, *host) {
	t.Helper()
	server := miniotest.MinIO(t)
	proxy := server.Proxy(t)
	h := newHost(t, server, proxy.URL(server.Bucket(t), "repo"))
	h.initRepo()
	return server, proxy, h
}

// initRepo makes the repository and keeps its key.
func (h *host) initRepo() {
	h.t.Helper()
	h.run("init", "--no-password", "--machine-key", filepath.Join(h.dir, "key"), "-q").want(0)
}

// file writes a file of random bytes that depend on seed.
func (h *host) file(name string, seed uint64, size int) {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	b := make([]byte, size)
	var s [32]byte
	s[0], s[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(s).Read(b) // it never fails
	if err := os.WriteFile(path, b, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// process is a run of the program.
type process struct {
	h    *host
	cmd  *exec.Cmd
	args []string
	out  bytes.Buffer
	err  *lineWatch
	done chan error
}

// start runs the program in the host's folder. It is killed when the test ends.
func (h *host) start(args ...string) *process {
	h.t.Helper()
	p := &process{h: h, cmd: exec.Command("store", args...), args: args, err: newLineWatch(), done: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = h.dir, h.env, &p.out, p.err
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	h.t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // it may have ended
	return p
}

// hold lets skip requests that match pass the proxy, and keeps the next one until release is called.
func hold(p *miniotest.Proxy, match func(*http.Request) bool, skip int) (reached <-chan struct{}, release func()) {
	come, free := make(chan struct{}), make(chan struct{})
	p.Inject(miniotest.Fault{Match: match, Skip: skip, Times: 1, Do: miniotest.Delay(0), Hit: func(*http.Request) {
		close(come)
		<-free
	}})
	return come, func() { close(free) }
}

// putPack matches the upload of a pack of data.
var putPack = miniotest.On(http.MethodPut, "/data/[0-9a-f]{2}/")

// await waits until a request is held, and fails the test when the process ends before.
func (p *process) await(reached <-chan struct{}) {
	p.h.t.Helper()
	select {
	case <-reached:
	case err := <-p.done:
		p.done <- err
		p.h.t.Fatalf("store %s ended too early: %v\n%s%s", strings.Join(p.args, " "), err, p.out.String(), p.err)
	}
}

// startHeld starts the program and returns when the request after skip of those that match is held, until release is called.
func (h *host) startHeld(proxy *miniotest.Proxy, match func(*http.Request) bool, skip int, args ...string) (p *process, release func()) {
	h.t.Helper()
	reached, release := hold(proxy, match, skip)
	p = h.start(args...)
	p.await(reached)
	return p, release
}

// run starts the program and waits until it ends.
func (h *host) run(args ...string) *process {
	h.t.Helper()
	p := h.start(args...)
	p.wait()
	return p
}

// wait waits until the process ends and returns its exit code.
func (p *process) wait() int {
	p.h.t.Helper()
	var exit *exec.ExitError
	if err := <-p.done; err != nil && !errors.As(err, &exit) {
		p.h.t.Fatal(err)
	}
	p.done <- nil // whoever waits again
	return p.cmd.ProcessState.ExitCode()
}

// want waits, and fails the test when the exit code is another one or a text is missing in stderr.
func (p *process) want(code int, texts ...string) *process {
	p.h.t.Helper()
	if got := p.wait(); got != code {
		p.h.t.Fatalf("store %s: exit code %d, want %d\n%s%s", strings.Join(p.args, " "), got, code, p.out.String(), p.err)
	}
	for _, text := range texts {
		if !strings.Contains(p.err.String(), text) {
			p.h.t.Fatalf("store %s does not say %q:\n%s", strings.Join(p.args, " "), text, p.err)
		}
	}
	return p
}

// signal sends the process a signal.
func (p *process) signal(s syscall.Signal) {
	p.h.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.h.t.Fatal(err)
	}
}

// backedUp reads the document of a backup that went well.
func (p *process) backedUp() backupDocument {
	p.h.t.Helper()
	p.want(0)
	var doc backupDocument
	if err := json.Unmarshal(p.out.Bytes(), &doc); err != nil {
		p.h.t.Fatalf("%v in %s", err, p.out.String())
	}
	return doc
}

// snapshots returns how many snapshots the repository lists.
func (h *host) snapshots() int {
	h.t.Helper()
	p := h.run("snapshots", "--json").want(0)
	var doc snapshotsDocument
	if err := json.Unmarshal(p.out.Bytes(), &doc); err != nil {
		h.t.Fatal(err)
	}
	return len(doc.Snapshots)
}

// restored restores a snapshot without the cache, and compares it with a folder of the host.
func (h *host) restored(snapshot, folder string) {
	h.t.Helper()
	target := filepath.Join(h.t.TempDir(), "target")
	h.run("restore", snapshot, "--target", target, "--no-cache", "-q").want(0)
	if out, err := exec.Command("diff", "-r", filepath.Join(h.dir, folder), target).CombinedOutput(); err != nil {
		h.t.Fatalf("what is restored differs: %v\n%s", err, out)
	}
}

// lineWatch keeps what is written to it, and tells when a text has come.
type lineWatch struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed and made anew at every write
}

var _ io.Writer = (*lineWatch)(nil)

func newLineWatch() *lineWatch { return &lineWatch{more: make(chan struct{})} }

// Write implements io.Writer.
func (l *lineWatch) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	close(l.more)
	l.more = make(chan struct{})
	return len(b), nil
}

// String returns what has come so far.
func (l *lineWatch) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// says waits until the process says something on stderr. It fails the test when the process ends without.
func (p *process) says(text string) {
	p.h.t.Helper()
	for {
		p.err.mu.Lock()
		more, so := p.err.more, p.err.text.String()
		p.err.mu.Unlock()
		if strings.Contains(so, text) {
			return
		}
		select {
		case <-more:
		case err := <-p.done:
			p.done <- err
			if !strings.Contains(p.err.String(), text) {
				p.h.t.Fatalf("store %s ended (%v) without saying %q:\n%s%s", strings.Join(p.args, " "), err, text, p.out.String(), p.err)
			}
		}
	}
}
