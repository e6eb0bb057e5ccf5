package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A minio is a MinIO server that this program started, with one drive in a folder of the work folder.
type minio struct {
	endpoint       string // host:port of plain HTTP
	user, password string
	dir            string // of its drive: a folder for each bucket
	version        string

	cmd *exec.Cmd
}

// startMinIO starts the server that `make servers` installed, on a free port.
func startMinIO(ctx context.Context, dir string) (*minio, error) {
	root, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return nil, err
	}
	tools := os.Getenv("STORE_TOOLS")
	if tools == "" {
		tools = filepath.Join(root, ".tools")
	}
	found, err := filepath.Glob(filepath.Join(tools, "minio@*"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("%d programs minio@… in %s: run `make servers` (%w)", len(found), tools, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &minio{endpoint: l.Addr().String(), user: "bench", password: rand.Text(), dir: filepath.Join(dir, "minio"), version: filepath.Base(found[0])}
	if err := errors.Join(l.Close(), os.Mkdir(m.dir, 0o700)); err != nil {
		return nil, err
	}
	// Not bound to ctx: it is stopped when the tools that use it have ended.
	m.cmd = exec.Command(found[0], "server", "--quiet", "--address", m.endpoint, m.dir)
	m.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "MINIO_ROOT_USER=" + m.user, "MINIO_ROOT_PASSWORD=" + m.password,
		"MINIO_CI_CD=1", "MINIO_BROWSER=off", "MINIO_UPDATE=off"}
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for this program
	var text bytes.Buffer
	m.cmd.Stdout, m.cmd.Stderr = &text, &text
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	if err := m.ready(ctx); err != nil {
		_ = m.stop()
		return nil, fmt.Errorf("start MinIO: %w: %s", err, bytes.TrimSpace(text.Bytes()))
	}
	return m, nil
}

func (m *minio) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.endpoint+"/minio/health/ready", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := until(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
			return err
		}
	}
}

// stop ends the server and waits for it.
func (m *minio) stop() error {
	_ = m.cmd.Process.Kill() // an error says that it has ended
	var e *exec.ExitError
	if err := m.cmd.Wait(); err != nil && !errors.As(err, &e) {
		return err
	}
	return nil
}

// bucketDir is where the server keeps a bucket.
func (m *minio) bucketDir(bucket string) string { return filepath.Join(m.dir, bucket) }
