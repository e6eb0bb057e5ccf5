package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"savepoint/internal/needtest"
	"savepoint/repo/seal"
)

// testFactor keeps scrypt short.
const testFactor = 2

func testSlot() seal.Slot {
	return seal.Slot{
		Keys:   []seal.Key{{Epoch: 1, Domain: 2, Secret: [32]byte{3}}, {Secret: [32]byte(random(6, 32))}},
		Repo:   seal.RepoID(random(7, 16)),
		Config: []byte("the object config"),
	}
}

func mustSlot(t testing.TB, s seal.Slot, to seal.Recipient, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := seal.SealSlot(s, to)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func passphrase(t testing.TB, s string) seal.Identity {
	t.Helper()
	i, err := seal.PassphraseIdentity(s)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func machine(t testing.TB) (secret string, id seal.Identity, to seal.Recipient) {
	t.Helper()
	secret, public, err := seal.NewMachineKey()
	if err != nil {
		t.Fatal(err)
	}
	if id, err = seal.ParseIdentity("# made by a test\n\n" + secret + "\n"); err != nil {
		t.Fatal(err)
	}
	if to, err = seal.ParseRecipient(public); err != nil {
		t.Fatal(err)
	}
	return secret, id, to
}

func TestSlotRoundTrip(t *testing.T) {
	_, id, to := machine(t)
	pass, err := seal.PassphraseRecipient("correct horse", testFactor)
	words := mustSlot(t, testSlot(), pass, err)
	x25519 := mustSlot(t, testSlot(), to, nil)
	for name, tt := range map[string]struct {
		b  []byte
		id seal.Identity
	}{"passphrase": {words, passphrase(t, "correct horse")}, "machine": {x25519, id}} {
		got, err := seal.OpenSlot(tt.b, tt.id)
		if d := cmp.Diff(testSlot(), got); err != nil || d != "" {
			t.Errorf("%s: %v, -want +got:\n%s", name, err, d)
		}
	}
	_, other, _ := machine(t)
	for name, tt := range map[string]struct {
		b  []byte
		id seal.Identity
	}{
		"other passphrase":       {words, passphrase(t, "correct horsE")},
		"other machine key":      {x25519, other},
		"passphrase for machine": {x25519, passphrase(t, "correct horse")},
		"machine for passphrase": {words, id},
	} {
		got, err := seal.OpenSlot(tt.b, tt.id)
		if !errors.Is(err, seal.ErrWrongSecret) || errors.Is(err, seal.ErrDamaged) || got.Keys != nil {
			t.Errorf("%s: %v, want ErrWrongSecret alone", name, err)
		}
	}
	if got, err := seal.OpenSlot(words, id, passphrase(t, "correct horse")); err != nil || got.Repo != testSlot().Repo {
		t.Errorf("two identities: %v", err)
	}
}

func TestSlotPrimary(t *testing.T) {
	s := testSlot()
	if k, err := s.Primary(); err != nil || k != s.Keys[1] {
		t.Errorf("Primary = %v, %v", k.Epoch, err)
	}
	s.Keys = s.Keys[:1]
	if _, err := s.Primary(); !errors.Is(err, seal.ErrNewer) {
		t.Errorf("Primary without one: %v, want ErrNewer", err)
	}
}

// TestSlotEveryByte flips and cuts a slot at every byte. A flip in the wrapped key cannot be told from another key.
func TestSlotEveryByte(t *testing.T) {
	_, id, to := machine(t)
	b := mustSlot(t, testSlot(), to, nil)
	open := func(what string, i int, b []byte, mayBeWrong bool) {
		got, err := seal.OpenSlot(b, id)
		if !errors.Is(err, seal.ErrDamaged) && (!mayBeWrong || !errors.Is(err, seal.ErrWrongSecret)) || got.Keys != nil {
			t.Fatalf("%s at %d of %d: %v", what, i, len(b), err)
		}
	}
	for i := range b {
		open("cut", i, b[:i], false)
		for _, flip := range []byte{1, 0x20, 0x80} {
			b[i] ^= flip
			open("flipped", i, b, true)
			b[i] ^= flip
		}
	}
	open("longer", len(b), append(bytes.Clone(b), 0), false)
	open("far too long", len(b), append(bytes.Clone(b), make([]byte, seal.MaxSlot)...), false)
}

// TestSlotContent seals what age protects well but is no key slot.
func TestSlotContent(t *testing.T) {
	_, id, to := machine(t)
	key := "83 00 00 5820" + strings.Repeat("ab", 32)
	repo, config := "02 50"+strings.Repeat("cd", 16), "03 41 00"
	for name, tt := range map[string]struct {
		fields string
		want   error
	}{
		"valid":            {"a3 01 81" + key + repo + config, nil},
		"ignored field":    {"a4 01 81" + key + repo + config + "1840 00", nil},
		"critical field":   {"a4 01 81" + key + repo + config + "04 00", seal.ErrNewer},
		"no keys":          {"a3 01 80" + repo + config, seal.ErrDamaged},
		"short key":        {"a3 01 81 83 00 00 41 00" + repo + config, seal.ErrDamaged},
		"long key":         {"a3 01 81 83 00 00 5821" + strings.Repeat("ab", 33) + repo + config, seal.ErrDamaged},
		"short repository": {"a3 01 81" + key + "02 41 00" + config, seal.ErrDamaged},
		"epoch over u32":   {"a3 01 81 83 1b0000000100000000 00 5820" + strings.Repeat("ab", 32) + repo + config, seal.ErrDamaged},
		"nothing":          {"", seal.ErrDamaged},
		"more behind":      {"a3 01 81" + key + repo + config + "00", seal.ErrDamaged},
	} {
		plain, err := hex.DecodeString(strings.ReplaceAll(tt.fields, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := seal.OpenSlot(encryptAge(t, plain, to), id)
		if !errors.Is(err, tt.want) || errors.Is(err, seal.ErrDamaged) != (tt.want == seal.ErrDamaged) || err != nil && got.Keys != nil {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	s := testSlot()
	s.Config = make([]byte, seal.MaxSlot)
	if b, err := seal.SealSlot(s, to); err == nil {
		t.Errorf("SealSlot made a slot of %d bytes", len(b))
	}
}

func encryptAge(t testing.TB, plain []byte, to age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSlotWorkFactor rewrites what the slot asks of scrypt: over 20 it is refused before a byte of memory is taken.
func TestSlotWorkFactor(t *testing.T) {
	pass, err := seal.PassphraseRecipient("p", testFactor)
	b := mustSlot(t, testSlot(), pass, err)
	line, _, _ := bytes.Cut(b, []byte("\n-> scrypt "))
	end := len(line) + 1 + bytes.IndexByte(b[len(line)+1:], '\n')
	for _, factor := range []string{"21", "30", "63", "1000"} {
		forged := append(append(bytes.Clone(b[:end-1]), factor...), b[end:]...)
		_, err := seal.OpenSlot(forged, passphrase(t, "p"))
		if !errors.Is(err, seal.ErrDamaged) || !strings.Contains(err.Error(), "work factor") {
			t.Errorf("work factor %s: %v", factor, err)
		}
	}
	for _, factor := range []int{-1, 0, 21, 31} {
		if _, err := seal.PassphraseRecipient("p", factor); err == nil {
			t.Errorf("a slot of work factor %d could be made", factor)
		}
	}
	for _, make := range []func() error{
		func() error { _, err := seal.PassphraseRecipient("", testFactor); return err },
		func() error { _, err := seal.PassphraseIdentity(""); return err },
	} {
		if make() == nil {
			t.Error("the empty passphrase was taken")
		}
	}
}

func TestParseKeysRefuse(t *testing.T) {
	secret, _, _ := machine(t)
	for name, s := range map[string]string{
		"empty": "", "comments": "# a\n", "two": secret + "\n" + secret, "cut": secret[:len(secret)-1], "flipped": secret[:30] + "!" + secret[31:],
		"zeros": "\x00\x00", "long": strings.Repeat("#\n", 1<<20),
	} {
		_, err := seal.ParseIdentity(s)
		if err == nil {
			t.Errorf("%s: ParseIdentity took it", name)
		} else if strings.Contains(err.Error(), secret[20:40]) {
			t.Errorf("%s: the message shows the secret: %v", name, err)
		}
	}
	for _, s := range []string{"", "age1", secret, "age1" + strings.Repeat("q", 58)} {
		if _, err := seal.ParseRecipient(s); err == nil {
			t.Errorf("ParseRecipient(%q) took it", s)
		}
	}
}

// TestSlotStockAge opens a slot with the program age and compares the plain bytes with docs/format.md section 2.
func TestSlotStockAge(t *testing.T) {
	program, err := exec.LookPath("age")
	if err != nil {
		needtest.Without(t, "age", "age is not installed; `make deps` installs it")
	}
	secret, _, to := machine(t)
	dir := t.TempDir()
	identity, slot := filepath.Join(dir, "key"), filepath.Join(dir, "slot")
	s := testSlot()
	for name, b := range map[string][]byte{identity: []byte(secret + "\n"), slot: mustSlot(t, s, to, nil)} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(program, "-d", "-i", identity, slot).Output()
	if err != nil {
		t.Fatalf("age: %v", err)
	}
	want := "a3" + // a map of 3
		"01" + "82" + // keys
		"83" + "01" + "02" + "5820" + hex.EncodeToString(s.Keys[0].Secret[:]) +
		"83" + "00" + "00" + "5820" + hex.EncodeToString(s.Keys[1].Secret[:]) +
		"02" + "50" + hex.EncodeToString(s.Repo[:]) +
		"03" + "51" + hex.EncodeToString(s.Config)
	if got := hex.EncodeToString(out); got != want {
		t.Errorf("age found\n%s, want\n%s", got, want)
	}
}

func FuzzOpenSlot(f *testing.F) {
	_, id, to := machine(f)
	f.Add(mustSlot(f, testSlot(), to, nil))
	f.Add([]byte("age-encryption.org/v1\n-> X25519 \n\n--- \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := seal.ReadSlotHead(b); err == nil && (h.Type == "" || h.WorkFactor < 0) {
			t.Fatalf("a head that says nothing: %+v", h)
		}
		s, err := seal.OpenSlot(b, id)
		if err == nil && s.Repo != testSlot().Repo {
			t.Fatal("a forged slot opened")
		}
		if err != nil && !errors.Is(err, seal.ErrDamaged) && !errors.Is(err, seal.ErrWrongSecret) {
			t.Fatalf("error of no kind: %v", err)
		}
	})
}

// FuzzParseIdentities holds that no identity file makes it panic, that it takes no more keys than it says, and that errors repeat nothing of a key.
func FuzzParseIdentities(f *testing.F) {
	secret, _, _ := machine(f)
	hybrid, _, err := seal.NewHybridKey()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{secret, "# a comment\n" + secret + "\r\n" + hybrid, secret[:30], strings.Repeat(secret+"\n", 33), "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
		"-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n", "AGE-PLUGIN-X-1QQ", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ids, err := seal.ParseIdentities(s)
		if err == nil && (len(ids) == 0 || len(ids) > 32) {
			t.Fatalf("%d keys of %q", len(ids), s)
		}
		if err != nil && (len(ids) > 0 || strings.Contains(strings.ToUpper(err.Error()), "SECRET-KEY-1")) {
			t.Fatalf("%q: %d keys and %v", s, len(ids), err)
		}
		if id, err := seal.ParseIdentity(s); err == nil && id == nil {
			t.Fatalf("%q: a key that is none", s)
		}
	})
}

// FuzzParseRecipient holds that what is taken for a public key can be sealed to.
func FuzzParseRecipient(f *testing.F) {
	_, public, err := seal.NewMachineKey()
	if err != nil {
		f.Fatal(err)
	}
	_, hybrid, err := seal.NewHybridKey()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{public, hybrid, public[:20], "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN x", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQ==", "ecdsa-sha2-nistp256 AAAA", "sk-", "age1pq1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		to, err := seal.ParseRecipient(s)
		if err != nil {
			return
		}
		b, err := seal.SealSlot(testSlot(), to)
		if err == nil && len(b) == 0 {
			t.Fatalf("%q: nothing was sealed", s)
		}
		if _, err := seal.ReadSlotHead(b); len(b) > 0 && err != nil {
			t.Fatalf("%q: the head of its slot: %v", s, err)
		}
	})
}
