package main

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// span is text in one style; line is what one row of the terminal shows.
type span struct {
	text   string
	bold   bool
	colour string // of the palette; empty: that of the terminal
}

type line []span

// palette names the colours of the sequences 30 to 37.
var palette = []string{"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"}

// escape matches what a terminal acts on and does not show: sequences with a parameter (CSI), titles (OSC) and the others of two bytes.
var escape = regexp.MustCompile("\x1b(?:\\[([0-9;:<=>?]*)[ -/]*([@-~])|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\^_=>78])")

// parse reads a row. What overwrote the row from its beginning, as progress bars do, is all that is left of it.
func parse(row string) line {
	row = strings.TrimSuffix(row, "\r")
	row = row[strings.LastIndexByte(row, '\r')+1:]
	var out line
	style, at := span{}, 0
	add := func(text string) {
		if text = printable(text); text != "" {
			out = append(out, span{text, style.bold, style.colour})
		}
	}
	for _, m := range escape.FindAllStringSubmatchIndex(row, -1) {
		add(row[at:m[0]])
		at = m[1]
		if m[4] >= 0 && row[m[4]:m[5]] == "m" {
			style = style.with(row[m[2]:m[3]])
		}
	}
	add(row[at:])
	return out
}

// with returns the style after a sequence with these parameters.
func (s span) with(parameters string) span {
	for p := range strings.SplitSeq(parameters, ";") {
		switch {
		case p == "" || p == "0":
			s = span{}
		case p == "1":
			s.bold = true
		case p == "22":
			s.bold = false
		case len(p) == 2 && p[0] == '3' && p[1] <= '7':
			s.colour = palette[p[1]-'0']
		case p == "39":
			s.colour = ""
		}
	}
	return s
}

// printable drops what cannot be drawn, and what XML does not allow.
func printable(s string) string {
	s = strings.ReplaceAll(s, "\t", "    ")
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// wrap cuts a row that is longer than columns, as a terminal does.
func wrap(l line, columns int) []line {
	var rows []line
	var row line
	room := columns
	for _, s := range l {
		for runes := []rune(s.text); len(runes) > 0; {
			if room == 0 {
				rows, row, room = append(rows, row), nil, columns
			}
			n := min(room, len(runes))
			row = append(row, span{string(runes[:n]), s.bold, s.colour})
			runes, room = runes[n:], room-n
		}
	}
	return append(rows, row)
}
