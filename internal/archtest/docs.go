package archtest

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	quoted    = regexp.MustCompile("`([^`\n]+)`")
	pathShape = regexp.MustCompile(`^[\w.*{},-]+(/[\w.*{},-]+)*/?$`)
	member    = regexp.MustCompile(`\.[A-Z]\w*$`)
	fenced    = regexp.MustCompile("(?ms)^```.*?^```\n?")
)

// CheckPaths holds that every path of the repository which a document names in
// backticks exists. A path begins with one of the names at the top; it may end
// in an exported name (`repo/pack.Builder`) and hold *.
func CheckPaths(document, text string, tree fs.FS, top []string) []Problem {
	var problems []Problem
	// Blocks of code keep their lines, so that those of the rest are right.
	text = fenced.ReplaceAllStringFunc(text, func(block string) string { return strings.Repeat("\n", strings.Count(block, "\n")) })
	for i, line := range strings.Split(text, "\n") {
		for _, match := range quoted.FindAllStringSubmatch(line, -1) {
			if name := match[1]; isPath(name, top) && !exists(tree, name) {
				problems = append(problems, Problem{Path: document, Line: i + 1, Text: "`" + name + "` does not exist"})
			}
		}
	}
	return problems
}

func isPath(name string, top []string) bool {
	first, _, _ := strings.Cut(name, "/")
	return pathShape.MatchString(name) && slices.Contains(top, first)
}

func exists(tree fs.FS, name string) bool {
	name = strings.TrimSuffix(name, "/")
	for _, p := range alternatives(name) {
		found, err := fs.Glob(tree, p)
		if err == nil && len(found) == 0 {
			found, err = fs.Glob(tree, member.ReplaceAllString(p, ""))
		}
		if err != nil || len(found) == 0 {
			return false
		}
	}
	return true
}

// alternatives spells out a list in braces: a/{b,c} is a/b and a/c.
func alternatives(name string) []string {
	before, rest, ok := strings.Cut(name, "{")
	list, after, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return []string{path.Clean(name)}
	}
	var all []string
	for one := range strings.SplitSeq(list, ",") {
		all = append(all, alternatives(before+one+after)...)
	}
	return all
}
