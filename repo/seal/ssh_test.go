package seal_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/internal/needtest"
	"savepoint/repo/seal"
)

// sshKey has ssh-keygen make a key.
func sshKey(t testing.TB, args ...string) (secret, public string) {
	t.Helper()
	program, err := exec.LookPath("ssh-keygen")
	if err != nil {
		needtest.Without(t, "ssh-keygen", "ssh-keygen is not installed")
	}
	path := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command(program, append([]string{"-q", "-f", path, "-C", "game@host"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return string(b), strings.TrimSpace(string(pub))
}

// TestSSHSlot opens slots of SSH keys, with this program and with stock age.
func TestSSHSlot(t *testing.T) {
	for kind, args := range map[string][]string{
		seal.TypeSSHEd: {"-t", "ed25519", "-N", ""}, seal.TypeSSHRSA: {"-t", "rsa", "-b", "2048", "-N", ""},
	} {
		secret, public := sshKey(t, args...)
		to, err := seal.ParseRecipient(public)
		b := mustSlot(t, testSlot(), to, err)
		if h, err := seal.ReadSlotHead(b); err != nil || h.Type != kind {
			t.Errorf("%s: head %+v, %v", kind, h, err)
		}
		ids, err := seal.ParseIdentities(secret)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := seal.OpenSlot(b, ids...); err != nil || s.Repo != testSlot().Repo {
			t.Errorf("%s: %v", kind, err)
		}
		other, _ := sshKey(t, "-t", "ed25519", "-N", "")
		if ids, err = seal.ParseIdentities(other); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.OpenSlot(b, ids...); !errors.Is(err, seal.ErrWrongSecret) {
			t.Errorf("%s: another key: %v", kind, err)
		}
		for i := 1; i < len(secret); i += 37 {
			if _, err := seal.ParseIdentities(secret[:i]); err == nil {
				t.Errorf("%s: cut at %d of %d it is taken", kind, i, len(secret))
			}
		}
		program, err := exec.LookPath("age")
		if err != nil {
			needtest.Without(t, "age", "age is not installed; `make deps` installs it")
		}
		dir := t.TempDir()
		for name, content := range map[string]string{"key": secret, "slot": string(b)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := exec.Command(program, "-d", "-i", filepath.Join(dir, "key"), filepath.Join(dir, "slot")).Output(); err != nil || len(out) < 50 {
			t.Errorf("%s: age: %v", kind, err)
		}
	}
}

func TestSSHRefused(t *testing.T) {
	locked, _ := sshKey(t, "-t", "ed25519", "-N", "correct horse")
	ecdsa, ecdsaPublic := sshKey(t, "-t", "ecdsa", "-N", "")
	_, small := sshKey(t, "-t", "rsa", "-b", "1024", "-N", "")
	if _, err := seal.ParseIdentities(locked); err == nil || !strings.Contains(err.Error(), "has a passphrase") {
		t.Errorf("a key with a passphrase: %v", err)
	}
	if _, err := seal.ParseIdentities(ecdsa); err == nil {
		t.Error("a key of another type was taken")
	}
	for _, p := range []string{ecdsaPublic, small, "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa x"} {
		if _, err := seal.ParseRecipient(p); err == nil {
			t.Errorf("%q was taken", p)
		}
	}
}
