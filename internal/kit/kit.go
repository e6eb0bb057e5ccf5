// Package kit writes and reads recovery kits: a page of text with what a host needs that has nothing. Every line but that of the key begins
// with #, so that a kit is an identity file, for this program and for stock age. It imports no other package and does no I/O.
package kit

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Limits of a kit: of the file, and of one field in it, in bytes.
const (
	MaxSize  = 64 << 10
	maxField = 4 << 10
)

const title = "# SAVEPOINT RECOVERY KIT"

var (
	// ErrNoKit is returned for a text that is no kit: it has not its title or not the one key.
	ErrNoKit = errors.New("no recovery kit")
	// ErrMistyped is returned with a kit whose lines do not fit its check line.
	ErrMistyped = errors.New("its lines do not fit its check line")
)

// Kit is what a kit says. Fields hold no line ends.
type Kit struct {
	Repository string // its address, without secrets
	ID         string // of the repository, hex
	Slot       string // name of the key slot that the key opens
	Made       time.Time
	By         string // user@host
	Version    string // of the program
	Secret     string // AGE-SECRET-KEY-1…
	// Steps are shown below the key: how to restore, each line less than 100 characters where that can be.
	Steps []string
}

// Check returns the check line's text: 40 bits over what a person types, in two groups.
func (k Kit) Check() string {
	sum := sha256.Sum256([]byte("savepoint recovery kit 1\n" + k.Repository + "\n" + strings.ToLower(k.ID) + "\n" + k.Slot + "\n" + strings.ToUpper(k.Secret) + "\n"))
	text := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
	return text[:4] + "-" + text[4:]
}

// Text returns the page, which ends with a line end. It is an error when a field has what would not be read back.
func (k Kit) Text() (string, error) {
	for _, f := range []string{k.Repository, k.ID, k.Slot, k.By, k.Version, k.Secret} {
		if len(f) > maxField || strings.ContainsAny(f, "\n\r") || strings.TrimSpace(f) != f {
			return "", fmt.Errorf("recovery kit: %q cannot stand in it", f[:min(len(f), 40)])
		}
	}
	if !secretLine.MatchString(k.Secret) {
		return "", errors.New("recovery kit: its key is none of age")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: whoever has this page can read every backup in the repository.\n", title)
	fmt.Fprintf(&b, "# Keep it away from the hosts that are backed up: in a safe, on paper, on a stick.\n#\n")
	for _, f := range [][2]string{
		{"repository", k.Repository}, {"id", k.ID}, {"slot", k.Slot}, {"made", k.Made.UTC().Format(time.RFC3339) + " by " + k.By}, {"version", "store " + k.Version},
		{"check", k.Check()},
	} {
		fmt.Fprintf(&b, "# %-11s %s\n", f[0]+":", f[1])
	}
	fmt.Fprintf(&b, "#\n# The key, one line. Behind KEY-1 it has no B, I, O and 1:\n%s\n#\n", k.Secret)
	for _, s := range k.Steps {
		fmt.Fprintf(&b, "%s\n", strings.TrimRight("# "+strings.ReplaceAll(s, "\n", " "), " "))
	}
	return b.String(), nil
}

// secretLine is the shape of a secret key of age. Whether it is one, its own checksum says.
var secretLine = regexp.MustCompile(`^(?i:AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]{10,1000})$`)

// Is reports whether a text has a kit's title: what follows may be mistyped.
func Is(text string) bool {
	line, _, _ := strings.Cut(strings.TrimPrefix(text, "\ufeff"), "\n")
	return strings.HasPrefix(strings.TrimSpace(line), title)
}

// Parse reads a kit. Spaces at the ends of lines and line ends of other systems do not matter. It returns ErrNoKit for what is none, and
// ErrMistyped with the kit when it has a check line that does not fit, or none. Steps are not read.
func Parse(text string) (Kit, error) {
	var k Kit
	text = strings.TrimPrefix(text, "\ufeff")
	if len(text) > MaxSize || !Is(text) {
		return k, ErrNoKit
	}
	check, keys, at, n := "", 0, 0, 0
	to := map[string]*string{"repository": &k.Repository, "id": &k.ID, "slot": &k.Slot, "version": &k.Version, "check": &check, "made": new(string)}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		body, comment := strings.CutPrefix(line, "#")
		if !comment {
			if line != "" {
				k.Secret, at = strings.ToUpper(line), n
				keys++
			}
			continue
		}
		name, value, ok := strings.Cut(strings.TrimSpace(body), ":")
		if field := to[name]; ok && field != nil && !seen[name] {
			*field, seen[name] = strings.TrimSpace(value), true
		}
	}
	switch {
	case keys == 0:
		return Kit{}, fmt.Errorf("%w: it needs one line with a whole secret key of age, and has none", ErrNoKit)
	case keys > 1:
		return Kit{}, fmt.Errorf("%w: it needs one line with a whole secret key of age, and has %d that begin without #, the last of them line %d", ErrNoKit, keys, at)
	case !secretLine.MatchString(k.Secret):
		return Kit{}, fmt.Errorf("%w: it needs one line with a whole secret key of age, and line %d is none", ErrNoKit, at)
	}
	when, by, _ := strings.Cut(*to["made"], " by ")
	k.Made, _ = time.Parse(time.RFC3339, when) // of no use but to a reader
	k.By, k.Version = by, strings.TrimPrefix(k.Version, "store ")
	k.ID = strings.ToLower(k.ID)
	if !strings.EqualFold(check, k.Check()) {
		return k, ErrMistyped
	}
	return k, nil
}

// KeyLine returns in which line of a kit its key stands, from 1 on: the first line that is no comment; 1 when there is none.
func KeyLine(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")); line != "" && line[0] != '#' {
			return n
		}
	}
	return 1
}
