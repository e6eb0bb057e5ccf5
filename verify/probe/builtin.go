package probe

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// exitCannot is how a built-in probe ends that could not look: its last line says why. Others end with 0 or 1.
const exitCannot = 69

// errCannot marks what keeps a built-in probe from looking, and says nothing of the data.
var errCannot = errors.New("cannot look")

// builtin is a probe of this package, with its arguments.
type builtin interface {
	// ready says what this machine lacks.
	ready() error
	// run looks at target and returns how many things it checked. What else it has to say goes to out, in lines.
	run(target string, out io.Writer) (uint64, error)
}

// Builtins returns the names of the built-in probes.
func Builtins() []string { return []string{"canary", "files", "postgres", "sqlite"} }

// builtinOf returns what reads the arguments of a built-in probe; nil: there is none of that name.
func builtinOf(name string) func(args []string) (builtin, error) {
	switch name {
	case "canary":
		return parseCanary
	case "files":
		return parseFiles
	case "postgres":
		return parsePostgres
	case "sqlite":
		return parseSQLite
	}
	return nil
}

// runBuiltin is the main function of a built-in probe.
func runBuiltin(name string, args []string) int {
	parse := builtinOf(name)
	if parse == nil {
		fmt.Printf("there is no probe %s\n", name)
		return exitCannot
	}
	b, err := parse(args)
	if err != nil {
		fmt.Println(err)
		return exitCannot
	}
	n, err := b.run(os.Getenv("SAVEPOINT_TARGET"), os.Stdout)
	switch {
	case errors.Is(err, errCannot):
		fmt.Println(oneLine(err))
		return exitCannot
	case err != nil:
		fmt.Println(oneLine(err))
		return 1
	}
	fmt.Printf("checked %d\n", n)
	return 0
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// flagsOf returns an empty set of flags that says its errors to who called it.
func flagsOf(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return f
}

// patterns checks the arguments that say which files are meant.
func patterns(args []string) ([]string, error) {
	if len(args) == 0 {
		return nil, errors.New("it needs a pattern of files, such as 'world/**/*.region'")
	}
	for _, p := range args {
		if strings.HasPrefix(p, "--") {
			return nil, fmt.Errorf("%q is taken for a pattern: flags stand before the first of them", p)
		}
		if strings.HasPrefix(p, "/") {
			return nil, fmt.Errorf("the pattern %q is in the restored folder and does not begin with /", p)
		}
		for part := range strings.SplitSeq(p, "/") {
			if _, err := path.Match(part, ""); err != nil {
				return nil, fmt.Errorf("the pattern %q: %w", p, err)
			}
		}
	}
	return args, nil
}

// find calls fn for every regular file in target that a pattern matches, in order, and returns how many that were. ** is any number of
// folders. Symbolic links are not followed.
func find(target, pattern string, fn func(name string, info fs.FileInfo) error) (uint64, error) {
	want := strings.Split(path.Clean(pattern), "/")
	var n uint64
	err := fs.WalkDir(os.DirFS(target), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() || !matches(want, strings.Split(name, "/")) {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n++
		return fn(name, info)
	})
	return n, err
}

// matches reports whether the elements of a path are those of a pattern.
func matches(pattern, name []string) bool {
	for i, p := range pattern {
		if p == "**" {
			return slices.ContainsFunc(indexes(len(name)), func(skip int) bool { return matches(pattern[i+1:], name[skip:]) })
		}
		if len(name) == 0 {
			return false
		}
		if ok, _ := path.Match(p, name[0]); !ok { // patterns have been checked
			return false
		}
		name = name[1:]
	}
	return len(name) == 0
}

// indexes returns 0 to n.
func indexes(n int) []int {
	out := make([]int, n+1)
	for i := range out {
		out[i] = i
	}
	return out
}
