package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// commandMark stands before and after a command in what to do next, until the finding is taken in. No text that is shown has it.
const commandMark = "\x00"

// marking makes what makes commands mark them.
func marking(command func(...string) string) func(...string) string {
	return func(args ...string) string {
		return commandMark + strings.ReplaceAll(command(args...), commandMark, "") + commandMark
	}
}

// splitNext returns what to do next as text, and apart the commands in it, each once.
func splitNext(marked string) (text string, commands []string) {
	commands = []string{}
	for i, part := range strings.Split(marked, commandMark) {
		if i%2 == 1 && !slices.Contains(commands, part) {
			commands = append(commands, part)
		}
	}
	return strings.ReplaceAll(marked, commandMark, ""), commands
}

// newerFirst says of an object that a newer program wrote, or that looks so, to try that first.
func newerFirst(err error, next string) string {
	if errors.Is(err, repo.ErrNewer) {
		return "if a newer program writes into this repository, verify with it; else " + next
	}
	return next
}

// splitSource returns the dataset and the host of a source.
func splitSource(source string) (dataset, host string) {
	i := strings.LastIndexByte(source, '@')
	if i < 0 {
		return source, ""
	}
	return source[:i], source[i+1:]
}

// afterLoss returns what to do for sources that lost something: a backup stores again what they still have; what they do not is in the newest
// snapshot that is whole.
func (c *checker) afterLoss(sources []string, full bool) string {
	const most = 3
	var parts []string
	for _, source := range sources[:min(most, len(sources))] {
		parts = append(parts, c.healing(source, full))
	}
	if more := len(sources) - most; more > 0 {
		parts = append(parts, fmt.Sprintf("likewise for %d more sources", more))
	}
	return strings.Join(parts, "; ")
}

// healing returns what to do for one source.
func (c *checker) healing(source string, full bool) string {
	var newest, whole *repo.Snapshot
	others := false // which were not looked at
	for _, s := range c.objects.all {
		if s.Source() != source || s.Late {
			continue
		}
		if newest == nil {
			newest = s
		}
		if !c.o.Scope.wants(s) {
			others = true
		} else if whole == nil && !c.bill.hit[s.Name] && s.Completeness != tree.Interrupted {
			whole = s
		}
	}
	if newest == nil {
		return c.putBack()
	}
	words := []string{"backup"}
	if full {
		words = append(words, "--mode", "full")
	}
	if newest.Host != c.o.Host { // who runs it there may have another name for that host
		words = append(words, "--host", newest.Host)
	}
	var paths []string
	size := 0
	for _, r := range newest.Roots {
		paths = append(paths, r.Path)
		size += len(r.Path)
	}
	if len(paths) != 1 || paths[0] != newest.Dataset {
		words = append(words, "--dataset", newest.Dataset)
	}
	text := fmt.Sprintf("on %s, which may still have it: ", newest.Host)
	if size > maxNext {
		text += fmt.Sprintf("back up dataset %s again", newest.Dataset)
	} else {
		text += c.o.Command(append(words, paths...)...)
	}
	switch {
	case whole != nil && c.partial():
		return text + "; the newest snapshot of which no damage is known: " + c.o.Command("restore", whole.Short())
	case whole != nil:
		return text + "; the newest snapshot of it that is whole: " + c.o.Command("restore", whole.Short())
	}
	if others {
		return text + "; whether its other snapshots are whole says " + c.o.Command("verify", "--dataset", newest.Dataset, "--host", newest.Host)
	}
	return text + "; no snapshot of it is whole, and restore brings back what can be read of one: " + c.o.Command("restore", newest.Short())
}

// plainCommand is how commands are shown where nobody says better.
func plainCommand(args ...string) string {
	return strings.Join(append([]string{"store"}, args...), " ")
}
