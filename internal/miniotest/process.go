package miniotest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// readyTimeout is how long a server may take to answer. It is long for a machine that does much else.
const readyTimeout = time.Minute

// errDied is a server that ended before it was ready.
var errDied = errors.New("the server ended")

// process is the server's process, of which there can be several, one after the other.
type process struct {
	path string // of the program
	log  string // what it prints

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil when it does not run
	exited chan struct{} // closed when cmd has been waited for
	spent  time.Duration // by those that have ended
}

// firstStart starts the server on a port that is free. Another process may take it first; then there is another.
func (s *Server) firstStart(ctx context.Context) error {
	for _, dir := range []string{"data", "versions", "certs", "mc"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o700); err != nil {
			return err
		}
	}
	var err error
	for range 5 {
		if s.Endpoint, err = freeEndpoint(); err != nil {
			return err
		}
		if err = s.start(ctx); !errors.Is(err, errDied) {
			return err
		}
	}
	return err
}

// freeEndpoint returns an address that nobody listens on. The ports are below those that the kernel gives to outgoing
// connections, so that none of these takes the port while its server is stopped.
func freeEndpoint() (string, error) {
	var last error
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(12000+rand.IntN(20000))))
		if err != nil {
			last = err
			continue
		}
		return l.Addr().String(), l.Close()
	}
	return "", fmt.Errorf("find a free port: %w", last)
}

// start runs the program and waits until it serves.
func (s *Server) start(ctx context.Context) error {
	args, env := s.kind.command(s)
	cmd := exec.Command(s.path, args...)
	cmd.Env = append(cleanEnv(), append(env, "HOME="+s.dir)...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out

	exited, err := s.run(cmd)
	if err != nil {
		return err
	}
	if err := s.ready(ctx, exited); err != nil {
		s.kill()
		return err
	}
	return nil
}

// run starts a command from a thread that lives as long as it, for the kernel kills it when that thread ends.
func (s *Server) run(cmd *exec.Cmd) (<-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return nil, errors.New("it is running")
	}
	started, exited := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed: its state is in cmd
			close(exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	s.cmd, s.exited = cmd, exited
	return exited, nil
}

// ready waits for the health check, and then for an answer that only a server with our credentials gives.
func (s *Server) ready(ctx context.Context, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	client, err := s.dial(s.Endpoint, credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""))
	if err != nil {
		return err
	}
	for {
		if err = s.healthy(ctx); err == nil {
			_, err = client.ListBuckets(ctx)
		}
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return errDied
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (%w)", s.Endpoint, ctx.Err(), err)
		case <-tick.C:
		}
	}
}

func (s *Server) healthy(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.scheme()+"://"+s.Endpoint+s.kind.health, nil)
	if err != nil {
		return err
	}
	resp, err := s.httpClient().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server is not ready: %s", resp.Status)
	}
	return nil
}

// kill ends the process and waits until it is gone.
func (s *Server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // an error says that it has ended
	<-s.exited
	s.spent += s.cmd.ProcessState.UserTime() + s.cmd.ProcessState.SystemTime()
	s.cmd = nil
	s.transport().CloseIdleConnections()
}

// end is the cleanup of the test that started the server.
func (s *Server) end(t testing.TB) {
	s.kill()
	if t.Failed() {
		t.Logf("%s has logged:\n%s", s.Name, s.logTail())
	}
}

// logTail returns the last of what the server has printed.
func (s *Server) logTail() string {
	const most = 16 << 10
	data, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-most):])
}

// cleanEnv is the environment of this process without what would configure a server or a client.
func cleanEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "MINIO_") && !strings.HasPrefix(name, "MC_") && !strings.HasPrefix(name, "VGW_") &&
			!strings.HasPrefix(name, "AWS_") && !strings.HasPrefix(name, "ROOT_") && name != "HOME" {
			env = append(env, v)
		}
	}
	return env
}
