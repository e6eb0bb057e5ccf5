package main

import (
	"strings"
	"testing"
)

// TestTableOfAllScripts has names that take more, or fewer, columns than they have characters.
func TestTableOfAllScripts(t *testing.T) {
	tab := table{header: []string{"SOURCE", "SIZE"}, right: map[int]bool{1: true}}
	tab.add("世界@東京", "1 B")
	tab.add("e\u0301te\u0301@a", "12 B")
	tab.add("plain-name", "123 B")
	tab.add("🎮@a", "1 B")
	var b strings.Builder
	if err := tab.print(&b); err != nil {
		t.Fatal(err)
	}
	want := "SOURCE       SIZE\n" +
		"世界@東京     1 B\n" +
		"e\u0301te\u0301@a        12 B\n" +
		"plain-name  123 B\n" +
		"🎮@a          1 B\n"
	if b.String() != want {
		t.Errorf("\n%s\nwant\n%s", b.String(), want)
	}
}
