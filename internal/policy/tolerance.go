package policy

import (
	"errors"
	"path"
	"slices"
	"strings"
)

// kinds are those of faults of a source.
var kinds = []string{"unreadable", "torn", "vanished", "unsupported"}

// A Tolerance says which faults of the source are no failure.
type Tolerance struct {
	Kind string // one of unreadable, torn, vanished and unsupported; empty: all
	Glob string // absolute; * and ? are within one name, ** is any number of folders; empty: everywhere
}

// String returns it as the file has it.
func (t Tolerance) String() string {
	if t.Kind != "" && t.Glob != "" {
		return t.Kind + ":" + t.Glob
	}
	return t.Kind + t.Glob
}

func parseTolerance(text string) (Tolerance, error) {
	if slices.Contains(kinds, text) {
		return Tolerance{Kind: text}, nil
	}
	kind, glob, both := strings.Cut(text, ":")
	if !both || strings.HasPrefix(text, "/") {
		kind, glob = "", text
	} else if !slices.Contains(kinds, kind) {
		return Tolerance{}, errors.New("is none of " + strings.Join(kinds, ", ") + ", no absolute pattern such as /srv/game/tmp/**, and not both with a colon between")
	}
	if glob == "/" || !strings.HasPrefix(glob, "/") || path.Clean(glob) != glob || !line(glob) {
		return Tolerance{}, errors.New("is none of " + strings.Join(kinds, ", ") + ", no absolute pattern such as /srv/game/tmp/**, and not both with a colon between")
	}
	parts := strings.Split(glob[1:], "/")
	if strings.Count(glob, "**") > maxStars {
		return Tolerance{}, errors.New("has too many **")
	}
	for _, p := range parts {
		if _, err := path.Match(p, ""); err != nil || p != "**" && strings.Contains(p, "**") {
			return Tolerance{}, errors.New("is no pattern: ** stands alone between slashes, and a bracket is closed")
		}
	}
	return Tolerance{Kind: kind, Glob: glob}, nil
}

// maxStars bounds how often ** stands in one pattern: what is tried grows with a
// power of it.
const maxStars = 3

func (t Tolerance) covers(kind, p string) bool {
	if t.Kind != "" && t.Kind != kind {
		return false
	}
	return t.Glob == "" || strings.HasPrefix(p, "/") && match(strings.Split(t.Glob[1:], "/"), strings.Split(p[1:], "/"))
}

// match matches names with patterns, of which ** stands for any number of names.
func match(patterns, names []string) bool {
	for i, p := range patterns {
		if p == "**" {
			for j := i; j <= len(names); j++ {
				if match(patterns[i+1:], names[j:]) {
					return true
				}
			}
			return false
		}
		if i >= len(names) {
			return false
		}
		if ok, err := path.Match(p, names[i]); err != nil || !ok {
			return false
		}
	}
	return len(patterns) == len(names)
}
