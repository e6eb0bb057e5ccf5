package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"savepoint/internal/miniotest"
)

// TestGuideMinIO runs every sh block of docs/guide/minio.md, in order and in one shell, against MinIO with TLS. The guide says
// which variables it wants.
func TestGuideMinIO(t *testing.T) {
	needDisk(t)
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
	out := runGuide(t, script, dir,
		"PATH="+bin+":"+os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED=true",
		"ENDPOINT="+server.Endpoint, "SECOND_ENDPOINT=localhost:"+port, "CA="+server.CAFile, "BUCKET=game-backups",
		"ADMIN_USER="+server.AccessKey, "ADMIN_PASSWORD="+server.SecretKey,
		"BACKUP_KEY=backup-host", "BACKUP_SECRET=backup-host-secret", "RESTORE_KEY=restore-host", "RESTORE_SECRET=restore-host-secret",
		"KEYS_KEY=keys-admin", "KEYS_SECRET=keys-admin-secret")
	for _, secret := range []string{server.SecretKey, "backup-host-secret", "restore-host-secret", "keys-admin-secret"} {
		if strings.Contains(out, secret) {
			t.Errorf("a secret was printed")
		}
	}
}

// runGuide runs a guide's script in a folder that is its home, and returns what it printed.
func runGuide(t *testing.T, script, dir string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-s")
	cmd.Stdin = strings.NewReader(script)
	cmd.Dir = dir
	cmd.Env = append([]string{"HOME=" + dir, "TMPDIR=" + os.TempDir()}, env...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the guide: %v", err)
	}
	return string(out)
}

// exits is what a guide says at the end of a command line when it ends with another code than 0.
var exits = regexp.MustCompile(`^(.*\S) +# exit ([0-9]+)$`)

// shellScript joins the sh blocks of a Markdown text. A command that fails, or does not end with the code that the text says, ends the
// script, which then says in which line of the text its block begins.
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
			if m := exits.FindStringSubmatch(fence); m != nil {
				line = fmt.Sprintf("code=0; %s || code=$?; test $code = %s\n", m[1], m[2])
			}
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

	for _, code := range []string{"4", "3", "0"} {
		script, _ := shellScript("```sh\n(exit " + code + ")  # exit 4\necho on\n```\n")
		cmd := exec.CommandContext(t.Context(), "bash", "-s")
		cmd.Stdin = strings.NewReader(script)
		out, err := cmd.CombinedOutput()
		if on := err == nil && strings.Contains(string(out), "on\n"); on != (code == "4") {
			t.Errorf("exit %s where the text says 4: %v\n%s", code, err, out)
		}
	}
}
