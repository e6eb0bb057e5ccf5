package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shellQuote returns s as one word of a POSIX shell.
func shellQuote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,="
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// commandLine returns a command of this program that a shell runs.
func (a *app) commandLine(args ...string) string {
	words := []string{shellQuote(a.prog)}
	for _, s := range args {
		words = append(words, shellQuote(s))
	}
	return strings.Join(words, " ")
}

// printable returns a path or name as it is when it is plain text, else in Go's quotes, so that every name takes one
// line and two names never look alike.
func printable(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, `"`) && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '\\' || !unicode.IsPrint(r)
	}) {
		return s
	}
	return strconv.Quote(s)
}
