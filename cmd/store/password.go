package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"savepoint/internal/kit"
	"savepoint/repo"
	"savepoint/repo/seal"
)

// maxSecret bounds a password or key file, in bytes: a larger one is another file.
const maxSecret = 64 << 10

// errNoSecret is returned when nobody said how the repository opens.
var errNoSecret = errors.New("no password and no key given")

// secretSource is where a secret is read from: a machine key file, an identity file and at most one source of a password.
type secretSource struct {
	origin            string // for messages
	file, command     string
	password, keyFile string
	identity          string
	prompt            bool
	kit               *kit.Kit // that identity was, once it is read
}

// secretSource finds the one level that names secrets: flags, else environment, else configuration, else the terminal.
// Levels are not mixed: a key file that a flag names is used alone, whatever the environment says.
func (a *app) secretSource() (secretSource, error) {
	if a.keysFrom != "" {
		return secretSource{origin: "--keys-from", identity: a.keysFrom}, nil
	}
	for _, s := range a.secretLevels() {
		if s.file != "" && s.command != "" || s.password != "" && (s.file != "" || s.command != "") {
			return s, usagef("several sources of a password are given by the %s: which one is meant?", s.origin)
		}
		if s.file != "" || s.command != "" || s.password != "" || s.keyFile != "" || s.identity != "" {
			return s, nil
		}
	}
	if isTerminal(a.in) {
		return secretSource{origin: "terminal", prompt: true}, nil
	}
	return secretSource{}, hinted(coded(exitUsage, errNoSecret),
		"Give --password-file (STORE_PASSWORD_FILE), --password-command (STORE_PASSWORD_COMMAND), STORE_PASSWORD, --key-file (STORE_KEY_FILE) or --identity (STORE_IDENTITY).")
}

// read reads the secret. ask is the question on a terminal.
func (a *app) readSecret(ctx context.Context, s *secretSource, ask func(context.Context) (string, error)) (repo.Secret, error) {
	var out repo.Secret
	var err error
	if s.keyFile != "" {
		if out.MachineKey, err = readMachineKey(s.keyFile); err != nil {
			return out, err
		}
	}
	if s.identity != "" {
		if out.Identities, s.kit, err = a.readIdentity(s.identity); err != nil {
			return out, err
		}
	}
	switch {
	case s.password != "":
		out.Passphrase = s.password
	case s.file != "":
		out.Passphrase, err = readPasswordFile(s.file)
	case s.command != "":
		out.Passphrase, err = a.runPasswordCommand(ctx, s.command)
	case s.prompt:
		out.Passphrase, err = ask(ctx)
	}
	return out, err
}

func readPasswordFile(path string) (string, error) {
	b, err := readPrivate("password file", path)
	if err != nil {
		return "", err
	}
	password := dropNewline(string(b))
	if password == "" {
		return "", usagef("password file %s is empty", printable(path))
	}
	return password, nil
}

func readMachineKey(path string) (string, error) {
	b, err := readPrivate("key file", path)
	if err != nil {
		return "", err
	}
	if _, err := seal.ParseIdentity(string(b)); err != nil {
		return "", &exitError{code: exitWrongSecret, err: fmt.Errorf("key file %s: %w", printable(path), noKeyText(err)),
			hint: "Nothing was changed. Use a copy of the key file, or the password."}
	}
	return string(b), nil
}

// noKeyText keeps parts of a key out of messages.
func noKeyText(err error) error {
	if strings.Contains(strings.ToUpper(err.Error()), "AGE-SECRET-KEY") {
		return errors.New("it holds no whole machine key")
	}
	return err
}

// madeBy says which file is meant.
func madeBy(what string) string {
	switch what {
	case "identity file":
		return "it is a recovery kit, or a file with a secret key of age or SSH"
	case "recovery kit":
		return "it is the page that `store key kit` wrote"
	}
	return "it is the file that `store init` or `store key` made or was given"
}

// readPrivate reads a small file that only its owner can read. It looks at the file it has open, and takes pipes too.
func readPrivate(what, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, hinted(coded(exitUsage, fmt.Errorf("%s: %w", what, err)),
			"Nothing was done. Check the path of the %s, and that this user may read it: %s.", what, madeBy(what))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if info.IsDir() {
		return nil, hinted(usagef("%s %s is a folder", what, printable(path)), "Nothing was done. Name the file in it: %s.", madeBy(what))
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		if info.Mode()&os.ModeDevice != 0 { // nobody may be told to change the rights of that
			return nil, usagef("%s %s is a device that can be used by others (mode %04o)", what, printable(path), mode)
		}
		return nil, hinted(usagef("%s %s can be used by others (mode %04o)", what, printable(path), mode),
			"Run: chmod 600 %s", shellQuote(path))
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return nil, coded(exitUsage, fmt.Errorf("%s: %w", what, err))
	}
	if len(b) > maxSecret {
		return nil, usagef("%s %s is larger than 64 KiB: is it another file?", what, printable(path))
	}
	return b, nil
}

// dropNewline removes one line end from the end; all else belongs to the password.
func dropNewline(s string) string {
	if t, ok := strings.CutSuffix(s, "\r\n"); ok {
		return t
	}
	return strings.TrimSuffix(s, "\n")
}

func (a *app) runPasswordCommand(ctx context.Context, command string) (string, error) {
	var out secretBuffer
	c := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	c.Stdin, c.Stdout, c.Stderr = a.in, &out, a.err
	c.WaitDelay = time.Second // what it started may outlive it
	err := c.Run()
	if out.full {
		return "", usagef("password command printed more than 64 KiB: that is no password")
	}
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", hinted(fmt.Errorf("password command failed: %w", err), "Nothing was done. The command was: %s", command)
	}
	password := dropNewline(string(out.text))
	if password == "" {
		return "", usagef("password command printed nothing")
	}
	return password, nil
}

// secretBuffer takes what a command prints, and no more than a secret can be.
type secretBuffer struct {
	text []byte
	full bool
}

// Write implements io.Writer.
func (b *secretBuffer) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > maxSecret {
		b.full = true
		return 0, io.ErrShortWrite
	}
	b.text = append(b.text, p...)
	return len(p), nil
}

// askPassword asks for the password of a repository on the terminal.
func (a *app) askPassword(ctx context.Context) (string, error) {
	password, err := a.prompt(ctx, "Password of "+printable(a.repoText())+": ")
	if err == nil && password == "" {
		err = usagef("the password is empty")
	}
	return password, err
}

// askNewPassword asks twice for a new one.
func (a *app) askNewPassword(ctx context.Context) (string, error) {
	password, err := a.prompt(ctx, "New password for "+printable(a.repoText())+" (--generate-password FILE makes a good one): ")
	if err != nil {
		return "", err
	}
	if password == "" {
		return "", errEmptyPassword()
	}
	again, err := a.prompt(ctx, "The same again: ")
	if err == nil && again != password {
		err = usagef("the two passwords differ; nothing was done")
	}
	return password, err
}

func errEmptyPassword() error {
	return hinted(usagef("the password is empty: whoever finds the repository could read it"),
		"`store init --generate-password FILE` makes a good one.")
}

// prompt reads a line without echo. When ctx ends it gives the terminal back as it was; the goroutine that waits for the
// line ends with the process.
func (a *app) prompt(ctx context.Context, question string) (string, error) {
	fd := int(a.in.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	a.err.rememberTerminal(fd, before)
	defer a.err.restoreTerminal()
	fmt.Fprint(a.err, question)
	defer fmt.Fprintln(a.err)
	type answer struct {
		line []byte
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		typed <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-typed:
		if errors.Is(got.err, io.EOF) || errors.Is(got.err, unix.EIO) {
			return "", usagef("no password was typed")
		}
		return string(got.line), got.err
	}
}
