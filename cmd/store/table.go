package main

import (
	"fmt"
	"io"
	"strings"
)

// table prints rows in columns.
type table struct {
	header []string
	right  map[int]bool // columns of numbers
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table; nothing when it has no rows.
func (t *table) print(w io.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	all := append([][]string{t.header}, t.rows...)
	width := make([]int, len(t.header))
	for _, row := range all {
		for i, c := range row {
			width[i] = max(width[i], columns(c))
		}
	}
	var b strings.Builder
	for _, row := range all {
		var line strings.Builder
		for i, c := range row {
			pad := strings.Repeat(" ", width[i]-columns(c))
			if t.right[i] {
				line.WriteString(pad + c + "  ")
			} else {
				line.WriteString(c + pad + "  ")
			}
		}
		fmt.Fprintln(&b, strings.TrimRight(line.String(), " "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
