// Command picture draws what a terminal showed as an SVG: `… | picture > out.svg`. It understands bold and the eight colours; other
// escape sequences are dropped. With -from it begins at the first line that contains a text, and with -until it ends before another.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	from := flag.String("from", "", "begin at the first line that contains `TEXT`")
	until := flag.String("until", "", "end before the next line that contains `TEXT`")
	title := flag.String("title", "store", "`TEXT` in the window's bar")
	columns := flag.Int("columns", 118, "wrap lines after `N` characters")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, part{*from, *until}, *title, *columns); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// part says which lines of a transcript are drawn; an empty text is no limit.
type part struct{ from, until string }

func run(in io.Reader, out io.Writer, p part, title string, columns int) error {
	var lines []line
	begun := false
	sc := bufio.NewScanner(in)
	for sc.Scan() {
		if begun && p.until != "" && strings.Contains(sc.Text(), p.until) {
			break
		}
		begun = begun || strings.Contains(sc.Text(), p.from)
		if begun {
			lines = append(lines, wrap(parse(sc.Text()), columns)...)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("read transcript: %w", err)
	}
	for len(lines) > 0 && len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 {
		return fmt.Errorf("no line of the transcript contains %q", p.from)
	}
	_, err := io.WriteString(out, draw(lines, title, columns))
	return err
}
