package policy

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Probe says how to find out whether restored data is any good.
type Probe struct {
	// Argv is a program and its arguments, or the name of a probe that comes with
	// store, and the arguments that it takes.
	Argv []string
	// Builtin is the name of the latter; empty: a program.
	Builtin string

	written probeText
}

// Bounds of a probe's arguments.
const (
	maxArguments = 64
	maxArgument  = 4 << 10
)

// parseProbe reads a probe; nil is none.
func parseProbe(t probeText) (*Probe, error) {
	if t.IsZero() {
		return nil, nil
	}
	p := &Probe{Argv: t.Argv, written: t}
	var err error
	switch names := t.builtins(); {
	case len(t.Argv) > 0:
		if t.Argv[0] == "" || strings.Contains(t.Argv[0], "/") && !path.IsAbs(t.Argv[0]) {
			return nil, fmt.Errorf("program %q depends on the folder that store runs in; write an absolute path, or a name that is in PATH", t.Argv[0])
		}
	case len(names) > 1:
		return nil, fmt.Errorf("%s: one of them is a probe, not several", strings.Join(names, " and "))
	default:
		p.Builtin = names[0]
		p.Argv, err = t.arguments()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Builtin, err)
	}
	return p, checkArguments(p.Argv)
}

// checkArguments refuses what is too much, and what looks like a secret.
func checkArguments(argv []string) error {
	if len(argv) > maxArguments {
		return fmt.Errorf("more than %d arguments", maxArguments)
	}
	for i, a := range argv {
		if len(a) > maxArgument || strings.ContainsRune(a, 0) || !utf8.ValidString(a) {
			return fmt.Errorf("argument %d is longer than 4 KiB, or no text", i)
		}
		pair := ""
		if i > 0 && strings.HasPrefix(argv[i-1], "-") && !strings.HasPrefix(a, "-") {
			pair = argv[i-1] + "=" + a
		}
		if holdsSecret(a) || holdsSecret(pair) {
			return fmt.Errorf("argument %d looks like a secret, which every snapshot would carry; let the program read it from a file", i)
		}
	}
	return nil
}

// arguments returns a built-in probe as a command line.
func (k probeKinds) arguments() ([]string, error) {
	switch {
	case k.SQLite != nil:
		return k.SQLite.arguments()
	case k.Postgres != nil:
		return k.Postgres.arguments()
	case k.Files != nil:
		return k.Files.arguments()
	}
	return k.Canary.arguments()
}

func (t *sqliteText) arguments() ([]string, error) {
	argv := []string{"sqlite"}
	switch t.Quick {
	case "", "false":
	case "true":
		argv = append(argv, "--quick")
	default:
		return nil, fmt.Errorf("quick %q is neither true nor false", t.Quick)
	}
	asked, err := questions(t.SQL, t.Canary, t.MaxAge)
	if err != nil {
		return nil, err
	}
	return slices.Concat(argv, asked, t.Match), matches(t.Match)
}

func (t *postgresText) arguments() ([]string, error) {
	argv := []string{"postgres"}
	if t.Data != "" {
		if err := matches([]string{t.Data}); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
	}
	if t.Bin != "" && !path.IsAbs(t.Bin) {
		return nil, fmt.Errorf("bin %q is not absolute", t.Bin)
	}
	for _, x := range [][2]string{{"data", t.Data}, {"bin", t.Bin}, {"user", t.User}, {"database", t.Database}} {
		if x[1] != "" && !line(x[1]) {
			return nil, fmt.Errorf("%s %q is not one line of text", x[0], x[1])
		}
		argv = withFlag(argv, x[0], x[1])
	}
	for _, s := range t.Set {
		if name, _, ok := strings.Cut(s, "="); !ok || name == "" {
			return nil, fmt.Errorf("set %q: NAME=VALUE", s)
		}
		argv = withFlag(argv, "set", s)
	}
	asked, err := questions(t.SQL, t.Canary, t.MaxAge)
	return append(argv, asked...), err
}

// questions returns what is asked of a database as flags.
func questions(sql []sqlText, canary, maxAge string) ([]string, error) {
	var argv []string
	for i, q := range sql {
		if strings.TrimSpace(q.Query) == "" || q.Expect == "" {
			return nil, fmt.Errorf("sql: number %d has no query or no expect", i+1)
		}
		argv = withFlag(withFlag(argv, "sql", q.Query), "expect", q.Expect)
		if q.Tolerance == "" {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSuffix(q.Tolerance, "%"), 64)
		_, wantErr := strconv.ParseFloat(q.Expect, 64)
		if err != nil || wantErr != nil || !(f >= 0) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("sql: number %d: tolerance %q and expect %q are numbers, such as 10 or 2.5%%", i+1, q.Tolerance, q.Expect)
		}
		argv = withFlag(argv, "tolerance", q.Tolerance)
	}
	return withAge(withFlag(argv, "canary", canary), maxAge)
}

func (t *filesText) arguments() ([]string, error) {
	argv := []string{"files"}
	for _, x := range []struct {
		key, flag, text string
		parse           func(string) (uint64, error)
	}{{"least", "least", t.Least, parseNumber}, {"most", "most", t.Most, parseNumber}, {"min_size", "min-size", t.MinSize, parseSize}, {"max_size", "max-size", t.MaxSize, parseSize}} {
		if x.text == "" {
			continue
		}
		if _, err := x.parse(x.text); err != nil {
			return nil, fmt.Errorf("%s %q %w", x.key, x.text, err)
		}
		argv = withFlag(argv, x.flag, x.text)
	}
	return append(argv, t.Match...), matches(t.Match)
}

func (t *canaryText) arguments() ([]string, error) {
	argv, err := withAge([]string{"canary"}, t.MaxAge)
	if err != nil {
		return nil, err
	}
	return append(argv, t.Match...), matches(t.Match)
}

// withFlag adds a flag that has a value.
func withFlag(argv []string, name, value string) []string {
	if value == "" {
		return argv
	}
	return append(argv, "--"+name+"="+value)
}

// withAge adds --max-age, which is written as Go does.
func withAge(argv []string, text string) ([]string, error) {
	if text == "" {
		return argv, nil
	}
	age, err := parseSpan(text)
	if err == nil && age == 0 {
		err = errors.New("is not more than nothing")
	}
	if err != nil {
		return nil, fmt.Errorf("max_age %q %w", text, err)
	}
	return withFlag(argv, "max-age", age.String()), nil
}

// matches checks patterns of files within the restored folder.
func matches(patterns []string) error {
	if len(patterns) == 0 {
		return errors.New("match names no files, such as 'world/**/*.region'")
	}
	for _, p := range patterns {
		if !line(p) || path.IsAbs(p) || strings.HasPrefix(p, "-") || slices.Contains(strings.Split(p, "/"), "..") {
			return fmt.Errorf("%q is no place within the restored folder", p)
		}
		for part := range strings.SplitSeq(p, "/") {
			if _, err := path.Match(part, ""); err != nil {
				return fmt.Errorf("%q is no pattern", p)
			}
		}
	}
	return nil
}

// text returns the probe as the file has it.
func (p *Probe) text() probeText {
	if p == nil {
		return probeText{}
	}
	return p.written
}
