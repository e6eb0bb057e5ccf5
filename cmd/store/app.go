package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"savepoint/internal/policy"
	"savepoint/internal/usage"
	"savepoint/repo"
	"savepoint/repo/storage/meter"
	"savepoint/repo/storage/s3"
)

// app is one run of the program.
type app struct {
	prog   string // as it was called, for commands that are shown
	in     io.Reader
	out    io.Writer
	err    *errWriter
	getenv func(string) string
	now    func() time.Time
	zone   *time.Location

	g      globals
	config *policy.File // never nil once a command runs
	log    *slog.Logger
	runID  string

	keysFrom string // recovery kit that a drill takes its secret from

	idle   time.Duration   // how long a connection to a bucket may move no byte; 0 is the default
	place  location        // of the repository, once it was opened
	bucket *s3.Store       // open; nil: a folder
	meter  *meter.Store    // counts its requests; nil: none was opened
	usage  *usage.Recorder // since it was opened
	repo   *repo.Repo      // open; nil: none was

	// found is the worst that a command met and went on after; message says what.
	found int
	// verdict is the exit code whatever was found, of an output that has exit codes of its own; nil: it has none.
	verdict *int
	ran     bool // a command began: errors before it are those of usage
}

// Main runs the program and returns its exit code. args begins with the program's name.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	return newApp(args, stdin, stdout, stderr, getenv).run(args)
}

func newApp(args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) *app {
	return &app{
		prog: programName(args), in: stdin, out: stdout, err: newErrWriter(stderr), getenv: getenv,
		now: time.Now, zone: time.Local, runID: strings.ToLower(rand.Text()[:12]), config: &policy.File{},
		log: slog.New(slog.DiscardHandler),
	}
}

func (a *app) run(args []string) int {
	ctx, stop := a.notifyContext(context.Background())
	defer stop()
	root, out := a.root(), &heard{w: a.out}
	root.SetOut(out)
	root.SetArgs(args[min(1, len(args)):])
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err != nil && !a.ran:
		err = asUsage(cmd, err)
	case err == nil && out.err != nil:
		err = out.err
	}
	if err != nil && context.Cause(ctx) == errInterrupted {
		err = interrupted(err)
	}
	return a.finish(err)
}

// programName returns the program as it was called when that was by a path, so that shown commands can be run.
func programName(args []string) string {
	if len(args) == 0 || !strings.Contains(args[0], "/") {
		return "store"
	}
	if abs, err := filepath.Abs(args[0]); err == nil {
		return abs
	}
	return args[0]
}

// asUsage makes an error of cobra's an error of usage.
func asUsage(cmd *cobra.Command, err error) error {
	var e *exitError
	if errors.As(err, &e) {
		return err
	}
	return &exitError{code: exitUsage, err: err, hint: flagsHint(cmd)}
}

// interrupted returns the error of a command that a signal ended. That a context was cancelled is not worth saying.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) || err.Error() == errInterrupted.Error() {
		return &exitError{code: exitInterrupted, hint: hint(err), err: errInterrupted}
	}
	return &exitError{code: exitInterrupted, hint: hint(err), err: fmt.Errorf("%w: %w", errInterrupted, err)}
}

// finish reports the error of a command, if any, and returns the exit code.
func (a *app) finish(err error) int {
	a.noteDamage()
	switch {
	case a.verdict != nil:
		return *a.verdict
	case err == nil:
		return a.found
	}
	code := exitCode(err)
	if a.found != exitOK {
		code = worst(code, a.found)
	}
	a.reportError(code, err)
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "store",
		Short: "Back up folders into an encrypted, deduplicating repository, and restore them as they were",
		Long: "store backs up folders into an encrypted, deduplicating repository, and restores them as they\n" +
			"were at any moment that was backed up.\n\nExit codes:\n" + exitTable(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return hinted(usagef("no command given"), "`store help` lists the commands.")
		},
	}
	root.SetErr(a.err)
	root.SetIn(a.in)
	root.CompletionOptions.HiddenDefaultCmd = false
	a.g.register(root.PersistentFlags())
	root.AddCommand(a.initCommand(), a.backupCommand(), a.restoreCommand(), a.snapshotsCommand(), a.lsCommand(),
		a.drillCommand(), a.verifyCommand(), a.healthCommand(), a.keyCommand(), a.adoptCommand(), a.configCommand(), a.versionCommand())
	checkHelp(root)
	tellArguments(root)
	return root
}

// checkHelp makes help of a command that there is not an error of usage.
func checkHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() != "help" {
			continue
		}
		c.Args = func(_ *cobra.Command, args []string) error {
			if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
				return hinted(usagef("there is no command %q", strings.Join(args, " ")), "%s", sentences(meant(root, args[0]), "`store help` lists the commands."))
			}
			return nil
		}
	}
}

// action makes a command's function of one of this program: flags that hold for all are checked first.
func (a *app) action(fn func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.ran = true
		if err := a.g.check(cmd.Flags()); err != nil {
			return err
		}
		if err := a.checkSettings(); err != nil {
			return err
		}
		a.log = a.logger()
		if err := a.loadConfig(); err != nil {
			return err
		}
		return fn(cmd.Context(), args)
	}
}

// loadConfig reads the configuration file that is named or found. A command line that says everything needs none.
func (a *app) loadConfig() error {
	path, err := policy.Find(a.g.config, a.getenv("STORE_CONFIG"), a.getenv)
	if err != nil {
		return coded(exitUsage, err)
	}
	if path == "" {
		return nil
	}
	f, err := policy.Load(path)
	if err != nil {
		return coded(exitUsage, err)
	}
	a.config = f
	return nil
}

// hostname returns the name of this host, or the one that a flag gave.
func (a *app) hostname(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	name, err := os.Hostname()
	if err == nil && name == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", hinted(err, "Name the host with --host.")
	}
	return name, nil
}

// first returns the first that is not empty.
func first(s ...string) string { return cmp.Or(s...) }
