package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// tellArguments makes every command say in its own words what is wrong with its arguments, where it does not already.
func tellArguments(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			var said *exitError
			if err == nil || errors.As(err, &said) {
				return err
			}
			return wrongArguments(cmd, args)
		}
	}
	for _, sub := range c.Commands() {
		tellArguments(sub)
	}
}

// wrongArguments says what a command takes that was given something else.
func wrongArguments(c *cobra.Command, args []string) error {
	name := strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
	_, takes, _ := strings.Cut(c.Use, " ")
	switch {
	case c.HasAvailableSubCommands():
		return hinted(usagef("unknown command %q for %q", args[0], c.CommandPath()), "%s", sentences(meant(c, args[0]), commandsHint(c)))
	case takes == "" && hasFlag(c, "dataset"):
		return hinted(usagef("%s takes no argument, and was given %q", name, args[0]), "One dataset alone: --dataset NAME. %s", flagsHint(c))
	case takes == "":
		return hinted(usagef("%s takes no argument, and was given %q", name, args[0]), "%s", flagsHint(c))
	case len(args) == 0:
		return hinted(usagef("%s lacks an argument: %s", name, takes), "%s", flagsHint(c))
	}
	return hinted(usagef("%s takes %s, and was given %s", name, takes, plural(len(args), "argument", "arguments")), "%s", flagsHint(c))
}

func hasFlag(c *cobra.Command, name string) bool { return c.Flags().Lookup(name) != nil }

// meant asks whether a command was meant whose name is like a word.
func meant(c *cobra.Command, word string) string {
	c.SuggestionsMinimumDistance = 2
	if like := c.SuggestionsFor(word); len(like) > 0 {
		return fmt.Sprintf("Was %s meant?", strings.Join(like, " or "))
	}
	return ""
}

func commandsHint(c *cobra.Command) string {
	return fmt.Sprintf("`%s` lists the commands.", strings.Replace(c.CommandPath(), c.Root().Name(), c.Root().Name()+" help", 1))
}

// flagsHint says where the flags of a command are told.
func flagsHint(c *cobra.Command) string {
	if c == nil || !c.HasParent() {
		return "`store help` lists the commands, `store help COMMAND` its flags."
	}
	return fmt.Sprintf("`%s` says what it takes.", strings.Replace(c.CommandPath(), c.Root().Name(), c.Root().Name()+" help", 1))
}

// heard remembers the first error of a writer: cobra prints help and completions without looking at it. It is for one goroutine.
type heard struct {
	w   io.Writer
	err error
}

func (h *heard) Write(p []byte) (int, error) {
	n, err := h.w.Write(p)
	if h.err == nil {
		h.err = err
	}
	return n, err
}
