package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/internal/miniotest"
)

// TestGuideMinIO runs every sh block of docs/guide/minio.md, in order and in one shell, against MinIO with TLS. The guide says
// which variables it wants.
func TestGuideMinIO(t *testing.T) {
	text, err := os.ReadFile("../../docs/guide/minio.md")
	if err != nil {
		t.Fatal(err)
	}
	script, blocks := shellScript(string(text))
	if blocks == 0 {
		t.Fatal("the guide has no sh blocks")
	}
	server := miniotest.MinIO(t, miniotest.TLS())
	_, port, err := net.SplitHostPort(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"users/1/profile": "level 7", "users/2/profile": "level 12"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := t.TempDir()
	if err := os.Symlink(miniotest.MCPath(t), filepath.Join(bin, "mc")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-s")
	cmd.Stdin = strings.NewReader(script)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "AWS_EC2_METADATA_DISABLED=true",
		"ENDPOINT=" + server.Endpoint, "SECOND_ENDPOINT=localhost:" + port, "CA=" + server.CAFile, "BUCKET=game-backups",
		"ADMIN_USER=" + server.AccessKey, "ADMIN_PASSWORD=" + server.SecretKey,
		"BACKUP_KEY=backup-host", "BACKUP_SECRET=backup-host-secret", "RESTORE_KEY=restore-host", "RESTORE_SECRET=restore-host-secret",
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%d blocks\n%s", blocks, out)
	if err != nil {
		t.Fatalf("the guide: %v", err)
	}
	for _, secret := range []string{server.SecretKey, "backup-host-secret", "restore-host-secret"} {
		if strings.Contains(string(out), secret) {
			t.Errorf("a secret was printed")
		}
	}
}

// shellScript joins the sh blocks of a Markdown text. A command that fails ends the script, which then says in which line of the
// text its block begins.
func shellScript(markdown string) (script string, blocks int) {
	var b strings.Builder
	b.WriteString("set -euo pipefail\ntrap 'echo \"FAILED: the block at line $at\"' ERR EXIT\nat=0\n")
	inside := false
	n := 0
	for line := range strings.Lines(markdown) {
		n++
		switch fence := strings.TrimSpace(line); {
		case fence == "```sh":
			inside = true
			blocks++
			fmt.Fprintf(&b, "at=%d; echo \"--- line $at\"\n", n)
		case strings.HasPrefix(fence, "```"):
			inside = false
		case inside:
			b.WriteString(line)
		}
	}
	b.WriteString("trap - EXIT\n")
	return b.String(), blocks
}

// TestShellScript holds that a block that fails fails the script, and names its line.
func TestShellScript(t *testing.T) {
	script, blocks := shellScript("# x\n\n```sh\ntrue\n```\n```text\nfalse\n```\n\n```sh\nfalse\necho on\n```\n```sh\necho after\n```\n")
	if blocks != 3 {
		t.Errorf("%d blocks, want 3", blocks)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-s")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "FAILED: the block at line 10\n") || strings.Contains(string(out), "on\n") || strings.Contains(string(out), "after") {
		t.Errorf("%v\n%s", err, out)
	}
}
