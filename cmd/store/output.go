package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/term"
)

// errWriter is stderr. It is safe for concurrent use. While a progress bar is up, whole lines go above it.
type errWriter struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	above io.Writer   // the progress bar, or nil
	tty   *term.State // of stdin while a password is typed, or nil
	fd    int
}

func newErrWriter(w io.Writer) *errWriter { return &errWriter{w: w, terminal: isTerminal(w)} }

func (e *errWriter) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.above != nil {
		if n, err := e.above.Write(p); err == nil {
			return n, nil
		} // the bar has just ended
	}
	return e.w.Write(p)
}

// divert sends what is written above a progress bar; nil ends that.
func (e *errWriter) divert(w io.Writer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.above = w
}

// rememberTerminal keeps a terminal's state, which restoreTerminal brings back.
func (e *errWriter) rememberTerminal(fd int, s *term.State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fd, e.tty = fd, s
}

func (e *errWriter) restoreTerminal() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tty != nil {
		_ = term.Restore(e.fd, e.tty) // nothing can be done about it
		e.tty = nil
	}
}

// isTerminal reports whether a stream is one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// talks reports whether to say what a person at a terminal wants to read, or who gave -v.
func (a *app) talks() bool {
	return a.g.verbose > 0 || a.err.terminal && !a.g.quiet && !a.g.json
}

// infof says something to whoever wants to know. It may have several lines.
func (a *app) infof(format string, args ...any) {
	if a.talks() {
		a.say(slog.LevelInfo, "", fmt.Sprintf(format, args...))
	}
}

// tellf says what was chosen and done where that is the point of the command, off a terminal too.
func (a *app) tellf(format string, args ...any) {
	if !a.g.quiet && !a.g.json {
		a.say(slog.LevelInfo, "", fmt.Sprintf(format, args...))
	}
}

// notef says something that must be read, always.
func (a *app) notef(format string, args ...any) {
	a.say(slog.LevelInfo, "", fmt.Sprintf(format, args...))
}

// warnf says that something is not as it should be.
func (a *app) warnf(format string, args ...any) {
	a.say(slog.LevelWarn, "store: warning: ", fmt.Sprintf(format, args...))
}

func (a *app) say(level slog.Level, prefix, text string) {
	if a.g.logFormat == "json" {
		a.log.Log(context.Background(), level, text)
		return
	}
	fmt.Fprintf(a.err, "%s%s\n", prefix, text)
}

// damaged notes damage that a command goes on after: it is said now and decides the exit code.
func (a *app) damaged(err error) {
	a.found = worst(a.found, exitCode(err))
	for _, e := range flatten(err) {
		a.warnf("%s", oneLine(e))
	}
}

// noteDamage makes damage in the repository that was met, said and done without decide the exit code. It returns the objects.
func (a *app) noteDamage() []string {
	if a.repo == nil {
		return nil
	}
	noted := a.repo.Noted()
	if len(noted) > 0 {
		a.found = worst(a.found, exitDamage)
	}
	return noted
}

// flatten returns the errors of a joined one.
func flatten(err error) []error {
	var out []error
	if j, ok := err.(interface{ Unwrap() []error }); ok && strings.Contains(err.Error(), "\n") {
		for _, e := range j.Unwrap() {
			out = append(out, flatten(e)...)
		}
		return out
	}
	return []error{err}
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// sentences joins those that are not empty.
func sentences(s ...string) string {
	return strings.Join(slices.DeleteFunc(s, func(s string) bool { return s == "" }), " ")
}

// errorDocument is what --json prints to stderr when a command fails.
type errorDocument struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code     int      `json:"code"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
	Commands []string `json:"commands,omitempty"`
	Run      string   `json:"run"`
}

// reportError prints the error that ended a command, with what to do next.
func (a *app) reportError(code int, err error) {
	message, next := oneLine(err), first(hint(err), a.storageAdvice(err))
	var choice *choiceError
	var commands []string
	if errors.As(err, &choice) {
		commands = choice.commands
	}
	switch {
	case a.g.json:
		writeJSON(a.err, errorDocument{errorBody{code, message, next, commands, a.runID}}, "")
	case a.g.logFormat == "json":
		a.log.Error(message, "code", code, "hint", next, "commands", commands)
	default:
		fmt.Fprintf(a.err, "store: %s\n", message)
		for _, c := range commands {
			fmt.Fprintf(a.err, "  %s\n", c)
		}
		if next != "" {
			fmt.Fprintln(a.err, next)
		}
	}
}

// printJSON prints the document of a command.
func (a *app) printJSON(v any) error { return writeJSON(a.out, v, "  ") }

func writeJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
