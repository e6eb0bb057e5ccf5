package miniotest

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// MC runs MinIO's client, which knows the server as "local" and has a configuration of its own, and returns what it
// printed to its standard output. An exit code other than 0 ends the test.
func (s *Server) MC(t testing.TB, args ...string) string {
	t.Helper()
	if s.CAFile != "" {
		s.trustInMC(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool(t, "mc"), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(cleanEnv(), s.MCEnv()...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("mc %q: %v\n%s%s", args, err, out.String(), errs.String())
	}
	return out.String()
}

// MCEnv returns the environment that MC runs in, for a script that calls mc itself.
func (s *Server) MCEnv() []string {
	u := url.URL{Scheme: s.scheme(), Host: s.Endpoint, User: url.UserPassword(s.AccessKey, s.SecretKey)}
	return []string{"HOME=" + s.dir, "MC_CONFIG_DIR=" + filepath.Join(s.dir, "mc"), "MC_HOST_local=" + u.String(), "MC_NO_COLOR=1"}
}

// MCPath returns the path of MinIO's client.
func MCPath(t testing.TB) string {
	t.Helper()
	return tool(t, "mc")
}

// trustInMC puts the server's authority where mc looks for it.
func (s *Server) trustInMC(t testing.TB) {
	t.Helper()
	dir := filepath.Join(s.dir, "mc", "certs", "CAs")
	pem, err := os.ReadFile(s.CAFile)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "ca.pem"), pem, 0o600)
	}
	if err != nil {
		t.Fatalf("trust the authority in mc: %v", err)
	}
}
