package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"savepoint/repo/seal"
)

// newSecrets are the secrets that init makes, with the files that it wrote them to. They are durable before the
// repository exists, and go again when it does not come to exist.
type newSecrets struct {
	generated    string // password
	passwordFile string // "" when it is printed
	keyFile      string
	kit          string // recovery kit, which is made once the repository is there
	files        []string
	kept         bool
}

// password makes a password and writes it to a new file, unless file is "-".
func (n *newSecrets) password(path string) (string, error) {
	n.generated = generatePassword()
	if path == "-" {
		return n.generated, nil
	}
	var err error
	n.passwordFile, err = n.write("password file", path, n.generated+"\n")
	return n.generated, err
}

// generatePassword returns 130 random bits in letters and digits that are hard to confuse, in groups for reading aloud.
func generatePassword() string {
	text := strings.ToLower(rand.Text()) // 26 of a-z and 2-7
	var groups []string
	for len(text) > 5 {
		groups = append(groups, text[:5])
		text = text[5:]
	}
	return strings.Join(groups, "-") + text
}

// machineKey makes a key and writes it to a new file. It returns the public part.
func (n *newSecrets) machineKey(path string, now time.Time) (string, error) {
	_, public, err := n.newKey(path, false, now)
	return public, err
}

// newKey makes a key, a post-quantum one if that is asked for, and writes it to a new file.
func (n *newSecrets) newKey(path string, hybrid bool, now time.Time) (secret, public string, err error) {
	make := seal.NewMachineKey
	if hybrid {
		make = seal.NewHybridKey
	}
	if secret, public, err = make(); err != nil {
		return "", "", fmt.Errorf("make a machine key: %w", err)
	}
	text := fmt.Sprintf("# savepoint machine key, made %s: whoever has it can read the backups\n# public key: %s\n%s\n",
		now.UTC().Format(time.RFC3339), public, secret)
	n.keyFile, err = n.write("machine key file", path, text)
	return secret, public, err
}

// write makes a new file that only its owner can read, durably, and returns its absolute path.
func (n *newSecrets) write(what, path, text string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	f, err := os.OpenFile(abs, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return "", hinted(fmt.Errorf("%s %s exists already; it is not written over", what, printable(abs)), "Nothing was changed. Choose another name.")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	n.files = append(n.files, abs)
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = syncFolder(filepath.Dir(abs))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return abs, nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// nameRepository adds a comment to the key file that says what it opens.
func (n *newSecrets) nameRepository(id, location string) error {
	if n.keyFile == "" {
		return nil
	}
	f, err := os.OpenFile(n.keyFile, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "# repository %s, made at %s\n", id, printable(location))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// keep says that the repository exists: its secrets stay.
func (n *newSecrets) keep() { n.kept = true }

// keptHint says what becomes of the files when it is not known whether the repository exists.
func (n *newSecrets) keptHint() string {
	if len(n.files) == 0 {
		return "If it is not, run the same command again."
	}
	files := printable(strings.Join(n.files, ", "))
	return "It opens with what is in " + files + ". If it is not there, remove that and run the same command again."
}

// discardUnlessKept removes the files of secrets that open nothing.
func (n *newSecrets) discardUnlessKept() {
	if n.kept {
		return
	}
	for _, f := range n.files {
		_ = os.Remove(f) // a key that opens nothing does no harm
	}
}
