package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shellQuote returns s as one word of a POSIX shell. What a terminal would not show, or take for a command, goes through printf.
func shellQuote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,="
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
	end := strings.TrimRight(s, "\n") // a shell takes line ends off what printf prints
	if end == "" {
		return quoted(s)
	}
	if end != s {
		return shellQuote(end) + quoted(s[len(end):])
	}
	if utf8.ValidString(s) && !strings.ContainsFunc(s, hidden) {
		return quoted(s)
	}
	var b strings.Builder
	if s[0] == '-' { // no flag of printf's
		b.WriteString(`\055`)
		s = s[1:]
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1 || hidden(r):
			for i := range n {
				fmt.Fprintf(&b, `\%03o`, s[i])
			}
		case r == '%' || r == '\\':
			b.WriteString(strings.Repeat(s[:n], 2))
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return `"$(printf ` + quoted(b.String()) + `)"`
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }

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
