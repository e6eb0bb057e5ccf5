package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"savepoint/internal/kit"
	"savepoint/repo"
)

// namedSecret is one secret that the command line, the environment or the configuration names.
type namedSecret struct {
	Origin string `json:"origin"` // flags, environment or configuration
	Name   string `json:"name"`   // --password-file, STORE_PASSWORD, password_file …
	Path   string `json:"path,omitempty"`

	secret repo.Secret
	rerun  bool // it gives its secret once, or by running something: only what is known of the slot in use says what it opens
	sort   int  // of the secret, as in names
}

// The sorts of secrets that a level names.
const (
	ofPassword = iota
	ofPasswordFile
	ofCommand
	ofKeyFile
	ofIdentity
	sorts
)

// secretLevels returns what names secrets, in order: the first that names any is used, and alone.
func (a *app) secretLevels() []secretSource {
	return []secretSource{
		{origin: "flags", file: a.g.passwordFile, command: a.g.passwordCommand, keyFile: a.g.keyFile, identity: a.g.identity},
		{origin: "environment", password: a.getenv("STORE_PASSWORD"), file: a.getenv("STORE_PASSWORD_FILE"),
			command: a.getenv("STORE_PASSWORD_COMMAND"), keyFile: a.getenv("STORE_KEY_FILE"), identity: a.getenv("STORE_IDENTITY")},
		{origin: "configuration", file: a.config.PasswordFile},
	}
}

// names returns how a level names each secret, by its sort.
func (s *secretSource) names() [sorts]string {
	switch s.origin {
	case "flags":
		return [sorts]string{"", "--password-file", "--password-command", "--key-file", "--identity"}
	case "environment":
		return [sorts]string{"STORE_PASSWORD", "STORE_PASSWORD_FILE", "STORE_PASSWORD_COMMAND", "STORE_KEY_FILE", "STORE_IDENTITY"}
	}
	return [sorts]string{"", "password_file", "", "", ""}
}

// values returns what a level says, in the order of names.
func (s *secretSource) values() [sorts]string {
	return [sorts]string{s.password, s.file, s.command, s.keyFile, s.identity}
}

// namedSecrets returns all secrets that any level names.
func (a *app) namedSecrets() []*namedSecret {
	var out []*namedSecret
	for _, s := range a.secretLevels() {
		names := s.names()
		for i, v := range s.values() {
			if v == "" {
				continue
			}
			n := &namedSecret{Origin: s.origin, Name: names[i], sort: i}
			switch i {
			case ofPassword:
				n.secret.Passphrase = v
			case ofCommand:
				n.rerun = true
			default:
				n.Path = v
			}
			out = append(out, n)
		}
	}
	return out
}

// trySecrets returns which of the named secrets open the repository, before key slots are changed. What cannot be read opens nothing here.
func (a *app) trySecrets(ctx context.Context, r *repo.Repo) []*namedSecret {
	used, err := a.secretSource()
	return slices.DeleteFunc(a.namedSecrets(), func(n *namedSecret) bool {
		if n.Path != "" {
			n.read()
		}
		if n.rerun {
			return err != nil || n.Origin != used.origin || strings.HasPrefix(r.Slot(), "keys/"+repo.SlotPassphrase+"-") != n.ofPasswords()
		}
		opens, err := r.Opens(ctx, n.secret)
		return !opens || err != nil
	})
}

// ofPasswords reports whether the secret is a password, however it is given.
func (n *namedSecret) ofPasswords() bool { return n.sort <= ofCommand }

// read reads the secret's file, unless that may be read once only, as a pipe.
func (n *namedSecret) read() {
	info, err := os.Stat(n.Path)
	if err == nil && !info.Mode().IsRegular() {
		n.rerun = true
	}
	if err != nil || n.rerun {
		return
	}
	switch n.sort {
	case ofPasswordFile:
		n.secret.Passphrase, _ = readPasswordFile(n.Path)
	case ofKeyFile:
		n.secret.MachineKey, _ = readMachineKey(n.Path)
	case ofIdentity:
		b, err := readPrivate("identity file", n.Path)
		if err != nil {
			return
		}
		n.secret.Identities = string(b)
		if k, _ := kit.Parse(n.secret.Identities); k.Secret != "" {
			n.secret.Identities = k.Secret
		}
	}
}

// staleSecrets returns those of the tried secrets that open the repository no more, now that slots are removed. inUse is the one that it was opened with.
func staleSecrets(ctx context.Context, r *repo.Repo, tried []*namedSecret, inUse string, removed []string) []*namedSecret {
	defer debug.FreeOSMemory() // scrypt took 64 MiB
	return slices.DeleteFunc(tried, func(n *namedSecret) bool {
		if n.rerun {
			return !slices.Contains(removed, inUse)
		}
		opens, err := r.Opens(ctx, n.secret)
		return opens || err != nil
	})
}

// warnStale says what must be changed, so that nobody learns it from a backup that did not run. fresh is a file that holds the new password, if
// one does.
func (a *app) warnStale(stale []*namedSecret, fresh string) {
	for _, n := range stale {
		where := map[string]string{"flags": "the command line", "environment": "the environment", "configuration": a.settingPlace("password_file")}[n.Origin]
		what := n.Name
		if n.Path != "" {
			what += " " + printable(n.Path)
		}
		next := "Change it where it is set, in units and scripts too."
		if n.Path != "" && !n.rerun {
			next = "Put there what opens it now, or name another file."
			if fresh != "" && n.ofPasswords() {
				next = "Run: cp " + shellQuote(fresh) + " " + shellQuote(n.Path)
			}
		}
		a.warnf("%s, of %s, opens the repository no more: backups and whatever else uses it, such as cron, will end with exit code %d. %s", what, where, exitWrongSecret, next)
	}
}

// named says which secrets a source gives, never what they are.
func (s *secretSource) named() string {
	names := s.names()
	var out []string
	for i, v := range s.values() {
		switch {
		case v == "":
		case i == ofPassword || i == ofCommand:
			out = append(out, names[i])
		case s.origin == "--keys-from":
			out = append(out, printable(v))
		default:
			out = append(out, fmt.Sprintf("%s %s", names[i], printable(v)))
		}
	}
	if len(out) == 0 {
		return s.origin
	}
	return s.origin + ": " + strings.Join(out, ", ")
}
