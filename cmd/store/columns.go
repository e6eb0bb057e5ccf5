package main

import "github.com/mattn/go-runewidth"

// columns returns how many columns of a terminal a text takes that has nothing but printable characters, whatever the locale is.
func columns(s string) int {
	c := runewidth.Condition{StrictEmojiNeutral: true}
	return c.StringWidth(s)
}
