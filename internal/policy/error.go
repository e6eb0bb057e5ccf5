package policy

import (
	"fmt"
	"strings"
)

// An Error says what is wrong in a configuration, and where.
type Error struct {
	Path         string // of the file
	Line, Column int    // from 1; 0 if the fault has no one place
	Msg          string
}

// Error reads PATH:LINE:COLUMN: MESSAGE, as compilers print it.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.Msg)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Msg)
}

// quote returns path as one word of a shell command.
func quote(path string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%"
	if path != "" && path[0] != '-' && strings.Trim(path, plain) == "" {
		return path
	}
	quoted := "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	if strings.HasPrefix(path, "-") {
		quoted = "./" + quoted
	}
	return quoted
}
