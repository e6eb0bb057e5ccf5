package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"savepoint/internal/kit"
	"savepoint/repo"
	"savepoint/repo/seal"
)

// readIdentity reads an identity file: what seal.ParseIdentities takes, or a recovery kit. A kit whose key is whole serves, even if the
// lines around it were typed wrong: in an incident the key is what counts.
func (a *app) readIdentity(path string) (text string, page *kit.Kit, err error) {
	b, err := readPrivate("identity file", path)
	if err != nil {
		return "", nil, err
	}
	text = string(b)
	var slip error
	if kit.Is(text) {
		k, err := kit.Parse(text)
		if slip = err; err != nil && !errors.Is(err, kit.ErrMistyped) {
			return "", nil, unusable(path, text, err)
		}
		text, page = strings.Repeat("\n", kit.KeyLine(text)-1)+k.Secret+"\n", &k // an error names the line
	}
	if _, err := seal.ParseIdentities(text); err != nil {
		return "", nil, unusable(path, text, err)
	}
	if slip != nil { // the key is whole, so it is in the lines around it
		a.warnf("recovery kit %s: %v: is the address, the ID or the slot mistyped?", printable(path), slip)
	}
	return text, page, nil
}

// unusable is the error of an identity file that holds no key, with what to do about what it looks like.
func unusable(path, text string, err error) error {
	hint := "Compare it with the paper or another copy: a key of age is one line, and has a checksum of its own."
	file := shellQuote(path)
	switch {
	case errors.Is(err, seal.ErrLocked):
		hint = fmt.Sprintf("Make a copy without a passphrase, for this alone, and name that: cp %s KEY && ssh-keygen -p -N '' -f KEY", file)
	case strings.HasPrefix(text, "age-encryption.org/"), strings.HasPrefix(text, "-----BEGIN AGE ENCRYPTED FILE"):
		err = errors.New("it is encrypted with age")
		hint = fmt.Sprintf("Decrypt it first, and name what comes out: (umask 077; age -d -o KEY %s)", file)
	case strings.HasPrefix(text, "-----BEGIN"):
		hint = "Use another copy of it, or a key of another type: ed25519 and rsa are taken."
	case strings.HasPrefix(text, "ssh-"), strings.HasPrefix(text, "age1"):
		err = errors.New("it is a public key, and only the secret one opens anything")
		hint = "Name the file of the secret key: that of SSH lies beside it, without .pub; that of age has a line AGE-SECRET-KEY-1…"
	}
	return &exitError{code: exitWrongSecret, err: fmt.Errorf("identity file %s: %w", printable(path), noKeyText(err)), hint: "Nothing was changed. " + hint}
}

// kitHint says what may be the matter with a kit that opens nothing; "" when there is none, or the error is another.
func kitHint(k *kit.Kit, err error) string {
	if k == nil || !errors.Is(err, repo.ErrWrongSecret) {
		return ""
	}
	return fmt.Sprintf("The kit is of repository %s, and opens its slot %s. If that was removed, the kit opens nothing any more: use a newer one.",
		printable(k.ID), printable(k.Slot))
}

// wrongSecretHint says of a secret that opens nothing where it comes from and how to go on; "" of another error.
func (a *app) wrongSecretHint(s *secretSource, err error) string {
	if !errors.Is(err, repo.ErrWrongSecret) || s.origin == "" {
		return ""
	}
	may := "it may have been changed since, by `store key passwd` or `store key remove`"
	what := "what was typed"
	for i, v := range s.values() {
		switch {
		case v == "":
		case i == ofPassword || i == ofCommand:
			what = s.names()[i]
		default:
			what = printable(v)
		}
	}
	if s.origin == "configuration" {
		what += ", which " + a.settingPlace("password_file") + " names"
	}
	return fmt.Sprintf("Nothing was changed. Check that this is the repository that is meant, and %s: %s. With another password, key or recovery kit this shows what there is: %s",
		what, may, a.commandLine("key", "list", "--repo", a.repoText(), "--identity", "KIT"))
}

// findKit returns the path of the recovery kit that --keys-from names: a file, or a folder with one kit in it.
func findKit(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", hinted(coded(exitUsage, fmt.Errorf("--keys-from: %w", err)), "Nothing was done. Name the file of a recovery kit, or the folder it is in; `store key kit --out FILE` makes one.")
	}
	if !info.IsDir() {
		return path, checkKit(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", fmt.Errorf("--keys-from: %w", err)
	}
	var found []string
	for _, e := range entries {
		if e.Type().IsRegular() && hasTitle(filepath.Join(path, e.Name())) {
			found = append(found, filepath.Join(path, e.Name()))
		}
	}
	switch len(found) {
	case 0:
		return "", hinted(usagef("--keys-from %s: there is no recovery kit in this folder", printable(path)), "`store key kit --out FILE` makes one.")
	case 1:
		return found[0], checkKit(found[0])
	}
	return "", usagef("--keys-from %s: there are %d recovery kits in this folder: name one, such as %s", printable(path), len(found), printable(found[0]))
}

// hasTitle reports whether a file begins as a kit does.
func hasTitle(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 256)
	n, _ := f.Read(head)
	return kit.Is(string(head[:n]))
}

// checkKit returns why a file is no kit that a drill may prove: who types it from paper must be able to rely on all of it.
func checkKit(path string) error {
	b, err := readPrivate("recovery kit", path)
	if err != nil {
		return err
	}
	_, err = kit.Parse(string(b))
	if err == nil {
		return nil
	}
	return hinted(usagef("recovery kit %s: %w", printable(path), err), "Compare it with the paper or another copy, or make a new one: store key kit --out FILE")
}

// homes are places of a host's own disks.
var homes = []string{"/", "/etc", "/home", "/root", "/srv", "/usr", "/var"}

// onThisHost reports whether a file lies on a disk of this host, as far as can be told: on a file system that its system, its users or its
// caches lie on as well. A stick or a share that is mounted for the kit is another.
func (a *app) onThisHost(path string) bool {
	dev, err := deviceOf(path)
	if err != nil {
		return true // nothing is proven
	}
	for _, p := range append([]string{a.getenv("HOME"), a.cacheFolder(), os.TempDir()}, homes...) {
		if d, err := deviceOf(p); p != "" && err == nil && d == dev {
			return true
		}
	}
	return strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/dev/fd/")
}

func deviceOf(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, err
	}
	return uint64(st.Dev), nil
}
