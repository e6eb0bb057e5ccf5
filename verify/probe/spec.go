package probe

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// DefaultTimeout is how long a probe may take when nothing else is said: long enough for an integrity check of some 100 GB.
const DefaultTimeout = 30 * time.Minute

// Isolation is how far a probe is kept from everything else.
type Isolation string

// The kinds of isolation.
const (
	Full Isolation = "full" // namespaces of its own
	None Isolation = "none" // it can reach all that the user who drills can
)

// Spec says which probe is run. A configuration can fill it.
type Spec struct {
	// Argv is the program with its arguments, or the name of a built-in probe with those that it takes. A name without a slash is
	// looked for among the built-in ones, then on the PATH. {target}, {snapshot} and {recovery_point} are replaced in arguments.
	Argv []string
	// Timeout is how long the probe may take. 0 is DefaultTimeout.
	Timeout time.Duration
	// Isolation is Full when it is empty.
	Isolation Isolation
}

func (s Spec) withDefaults() Spec {
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if s.Isolation == "" {
		s.Isolation = Full
	}
	return s
}

// Builtin returns the name of the built-in probe that is meant, "" when it is a program.
func (s Spec) Builtin() string {
	if len(s.Argv) > 0 && builtinOf(s.Argv[0]) != nil {
		return s.Argv[0]
	}
	return ""
}

// Validate says what is wrong with a spec on any machine.
func (s Spec) Validate() error {
	switch {
	case len(s.Argv) == 0 || s.Argv[0] == "":
		return errors.New("a probe is a program or one of " + strings.Join(Builtins(), ", "))
	case s.Timeout < 0:
		return fmt.Errorf("the probe's timeout %s is less than 0", s.Timeout)
	case s.Isolation != "" && s.Isolation != Full && s.Isolation != None:
		return fmt.Errorf("isolation %q: full or none", string(s.Isolation))
	}
	for _, a := range s.Argv {
		if strings.ContainsRune(a, 0) {
			return errors.New("an argument of the probe has a zero byte")
		}
	}
	if name := s.Builtin(); name != "" {
		if _, err := builtinOf(name)(s.Argv[1:]); err != nil {
			return fmt.Errorf("probe %s: %w", name, err)
		}
	}
	return nil
}

// Missing says why the program of a probe cannot be started on this host; nil of one that is built in.
func (s Spec) Missing() error {
	if s.Builtin() != "" || len(s.Argv) == 0 {
		return nil
	}
	_, err := program(s.Argv[0])
	return err
}

// program returns the absolute path of a program, and why it could not be started.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", fmt.Errorf("the probe cannot be started: %s", whyNot(name, err))
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", fmt.Errorf("the probe %s: %w", name, err)
	}
	return path, nil
}

// whyNot says it of a program that was not found, or may not be run.
func whyNot(name string, err error) string {
	info, statErr := os.Stat(name)
	switch {
	case !strings.Contains(name, "/"):
		return fmt.Sprintf("%s is not on the PATH, and no built-in probe (%s)", name, strings.Join(Builtins(), ", "))
	case errors.Is(statErr, os.ErrNotExist):
		return fmt.Sprintf("there is no %s", name)
	case statErr != nil:
		return statErr.Error()
	case info.IsDir():
		return name + " is a folder"
	case info.Mode()&0o111 == 0:
		return fmt.Sprintf("%s is not executable: chmod +x %s", name, name)
	}
	return err.Error()
}

// place is what is put in the place of {target} and its like, and what the environment says.
type place struct {
	target, snapshot, point, temp string
}

func (p place) expand(argv []string) []string {
	r := strings.NewReplacer("{target}", p.target, "{snapshot}", p.snapshot, "{recovery_point}", p.point)
	out := make([]string, len(argv))
	for i, a := range argv {
		out[i] = r.Replace(a)
	}
	return out
}

// secret are the beginnings of names that lead back to the repository, or to the storage below it.
var secret = []string{"STORE_", "AWS_", "MINIO_", "SAVEPOINT_"}

// environment returns that of a probe: what leads to the repository is taken out, and what leads to the restored data put in.
func (p place) environment(from []string) []string {
	var out []string
	for _, e := range from {
		name, _, _ := strings.Cut(e, "=")
		kept := name != "HOME" && name != "TMPDIR" && name != "PWD" && name != "OLDPWD"
		for _, s := range secret {
			kept = kept && !strings.HasPrefix(strings.ToUpper(name), s)
		}
		if kept {
			out = append(out, e)
		}
	}
	return append(out, "HOME="+p.temp, "TMPDIR="+p.temp, "PWD="+p.target,
		"SAVEPOINT_TARGET="+p.target, "SAVEPOINT_SNAPSHOT="+p.snapshot, "SAVEPOINT_RECOVERY_POINT="+p.point)
}
