package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"savepoint/internal/policy"
)

// storedFile makes a configuration of what snapshots carry: of each dataset what the snapshot of its sources carries that was stored last.
type storedFile struct {
	a      *app
	lines  []string
	newest *policy.Effective          // of all
	taken  map[string]*policyDocument // by dataset
	paths  map[string]string          // by path, the dataset that has it
}

// printStored prints what the newest snapshots with a policy carry as a file that --config takes. What is not in it is said in comments.
func (a *app) printStored(doc *configDocument) error {
	f := &storedFile{a: a, taken: map[string]*policyDocument{}, paths: map[string]string{}}
	sets := slices.SortedStableFunc(slices.Values(doc.Datasets), func(x, y *policyDocument) int {
		return y.Stored.Compare(*x.Stored)
	})
	for _, d := range sets {
		if d.effective != nil {
			f.newest = cmp.Or(f.newest, d.effective)
		}
	}
	for _, d := range sets {
		f.add(d)
	}
	head := []string{"# What snapshots carry, as --config takes it; password_file and drill.scratch are a host's, and not in them."}
	if f.newest != nil {
		head = append(head, f.newest.SharedLines(a.repoText())...)
		head = append(head, "datasets:")
	}
	_, err := io.WriteString(a.out, strings.Join(append(head, f.lines...), "\n")+"\n")
	return err
}

// add adds the policy of one source, or says why it is left out.
func (f *storedFile) add(d *policyDocument) {
	from := fmt.Sprintf("%s: snapshot %s of %s", printable(d.Dataset+"@"+d.Host), d.Snapshot, f.a.timeText(*d.Stored))
	e := d.effective
	switch other := f.taken[d.Dataset]; {
	case e == nil:
		f.say("%s: %s", from, printable(d.Problem))
	case other != nil && string(other.Policy) == string(d.Policy):
		f.say("%s: the same as that of %s", from, printable(other.Dataset+"@"+other.Host))
	case other != nil:
		f.say("%s: another one, left out for that of %s, which is newer; --json shows both", from, printable(other.Dataset+"@"+other.Host))
	default:
		f.addNew(d, from)
	}
}

func (f *storedFile) addNew(d *policyDocument, from string) {
	e := d.effective
	for _, p := range e.Paths {
		if owner := f.paths[p]; owner != "" {
			f.say("%s: left out: its path %s is in dataset %s, which is newer; --json shows both", from, printable(p), printable(owner))
			return
		}
	}
	for _, p := range e.Paths {
		f.paths[p] = e.Name
	}
	f.taken[d.Dataset] = d
	f.say("%s", from)
	if d.Newer > 0 {
		f.say("%s made since without a policy: it may be out of date", plural(d.Newer, "snapshot of it was", "snapshots of it were"))
	}
	if e.Timezone.String() != f.newest.Timezone.String() {
		f.say("its schedules were in the timezone %s", e.Timezone)
	}
	f.lines = append(f.lines, e.Lines()...)
}

// say adds a comment.
func (f *storedFile) say(format string, args ...any) {
	f.lines = append(f.lines, "  # "+fmt.Sprintf(format, args...))
}
