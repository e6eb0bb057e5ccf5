package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"savepoint/repo"
	"savepoint/repo/tree"
)

type lsOptions struct {
	selection
	long, recursive, zero bool
}

// lsLine is one line of `ls --json`.
type lsLine struct {
	Path       string `json:"path"`
	PathBase64 string `json:"path_base64,omitempty"`
	Type       string `json:"type"`
	Mode       string `json:"mode"`
	UID        uint32 `json:"uid"`
	GID        uint32 `json:"gid"`
	User       string `json:"user,omitempty"`
	Group      string `json:"group,omitempty"`
	Size       uint64 `json:"size"`
	ModTime    string `json:"mtime"`
	Target     string `json:"target,omitempty"`
	TargetB64  string `json:"target_base64,omitempty"`
	Torn       bool   `json:"torn,omitempty"`
}

func (a *app) lsCommand() *cobra.Command {
	var o lsOptions
	cmd := &cobra.Command{
		Use:   "ls [SNAPSHOT[:SUBPATH]] [PATH]",
		Short: "List what is in a snapshot, by original paths",
		Long: "ls lists what is in a snapshot, named by the beginning of its ID or \"latest\", or in the newest one that had ended at the time of\n" +
			"--at. PATH is the original absolute path of a file or folder; of a folder it lists what is in it, with -R everything beneath. A name\n" +
			"that is no plain text stands in quotes; with -0 names are as they are.\n\n" + timeForms,
		Args: cobra.MaximumNArgs(2),
		RunE: a.action(func(ctx context.Context, args []string) error {
			snapshot := ""
			if len(args) > 0 && !strings.HasPrefix(args[0], "/") {
				snapshot, args = args[0], args[1:]
			}
			if len(args) > 1 {
				return usagef("two paths: %s and %s", args[0], args[1])
			}
			if len(args) == 1 {
				if o.path != "" {
					return usagef("--path and the argument %s are both given: which one is meant?", args[0])
				}
				o.path = args[0]
			}
			return a.runLs(ctx, o, snapshot)
		}),
	}
	o.register(cmd.Flags())
	f := cmd.Flags()
	f.BoolVarP(&o.long, "long", "l", false, "mode, owner, size and time too")
	f.BoolVarP(&o.recursive, "recursive", "R", false, "everything beneath too")
	f.BoolVarP(&o.zero, "null", "0", false, "names as they are, each ended by a zero byte")
	return cmd
}

func (a *app) runLs(ctx context.Context, o lsOptions, snapshot string) error {
	if o.zero && (o.long || a.g.json) {
		return usagef("-0 prints names alone: not with -l or --json")
	}
	if err := o.parse(a, snapshot); err != nil {
		return err
	}
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	choices, err := o.choose(ctx, a, r, false)
	if err != nil {
		return o.offer(a, err, "ls", o.flags()...)
	}
	snap := choices[0].Snapshot
	place, err := o.where(snap)
	if err != nil {
		return err
	}
	trees, err := r.Trees(ctx)
	if err != nil {
		return err
	}
	defer trees.Close()
	l := lister{ctx: ctx, trees: trees, o: o, out: bufio.NewWriterSize(a.out, 64<<10), a: a}
	err = l.list(snap, place)
	if ferr := l.out.Flush(); err == nil {
		err = ferr
	}
	if errors.Is(err, repo.ErrCorrupt) {
		return hinted(fmt.Errorf("snapshot %s: %w", snap.Short(), err),
			"What was listed is right, what follows is missing. Other snapshots may be whole: `store snapshots` lists them.")
	}
	return err
}

func (o *lsOptions) flags() []string {
	var out []string
	for _, f := range []struct {
		on   bool
		flag string
	}{{o.long, "-l"}, {o.recursive, "-R"}, {o.zero, "-0"}} {
		if f.on {
			out = append(out, f.flag)
		}
	}
	return out
}

// lister prints entries as it reads them, so that a directory of any size takes no memory.
type lister struct {
	ctx   context.Context
	trees tree.Source
	o     lsOptions
	out   *bufio.Writer
	a     *app
}

// list prints what is beneath a place: of a directory its contents, of a file itself. Of a whole snapshot with several
// roots it prints the roots.
func (l *lister) list(snap *repo.Snapshot, place *wanted) error {
	if place == nil && len(snap.Roots) == 1 {
		place = &wanted{root: snap.Roots[0].Path}
	}
	if place == nil {
		for i := range snap.Roots {
			r := &snap.Roots[i]
			if err := l.entry(r.Path, &r.Entry); err != nil {
				return err
			}
		}
		return nil
	}
	root, _, _ := snap.Split(place.root)
	e, err := tree.Lookup(l.ctx, l.trees, &root.Entry, place.sub)
	if errors.Is(err, tree.ErrNotFound) {
		return hinted(coded(exitUsage, fmt.Errorf("snapshot %s does not hold %s", snap.Short(), printable(place.original()))),
			"`store ls %s` lists what is there.", snap.Short())
	}
	if err != nil {
		return err
	}
	if e.Type != tree.Directory {
		return l.print(place.original(), e)
	}
	return l.children(place.original(), e)
}

func (l *lister) children(path string, dir *tree.Entry) error {
	for e, err := range tree.Entries(l.ctx, l.trees, dir.Content, "") {
		if err != nil {
			return err
		}
		if err := l.entry(joinPath(path, e.Name), e); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) entry(path string, e *tree.Entry) error {
	if err := l.print(path, e); err != nil || !l.o.recursive || e.Type != tree.Directory {
		return err
	}
	return l.children(path, e)
}

func (l *lister) print(path string, e *tree.Entry) error {
	var err error
	switch {
	case l.a.g.json:
		err = l.printJSON(path, e)
	case l.o.zero:
		_, err = l.out.WriteString(path + "\x00")
	case l.o.long:
		arrow := ""
		if e.Type == tree.Symlink {
			arrow = " -> " + printable(e.Target)
		}
		_, err = fmt.Fprintf(l.out, "%s %-8s %-8s %12s %s %s%s\n", modeText(e), owner(e.User, e.UID), owner(e.Group, e.GID),
			sizeColumn(e), l.a.timeText(time.Unix(0, e.MTime)), printable(path), arrow)
	default:
		_, err = l.out.WriteString(printable(path) + "\n")
	}
	return err
}

func (l *lister) printJSON(path string, e *tree.Entry) error {
	line := lsLine{
		Path: path, Type: typeName(e.Type), Mode: fmt.Sprintf("%04o", e.Mode), UID: e.UID, GID: e.GID, User: e.User, Group: e.Group,
		Size: e.Size, ModTime: time.Unix(0, e.MTime).UTC().Format(time.RFC3339Nano), Target: e.Target, Torn: e.Fault == tree.FaultTorn,
	}
	if !utf8.ValidString(path) {
		line.PathBase64 = base64.StdEncoding.EncodeToString([]byte(path))
	}
	if !utf8.ValidString(e.Target) {
		line.TargetB64 = base64.StdEncoding.EncodeToString([]byte(e.Target))
	}
	enc := json.NewEncoder(l.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(line)
}

func owner(name string, id uint32) string {
	if name != "" {
		return printable(name)
	}
	return strconv.FormatUint(uint64(id), 10)
}

// sizeColumn returns the size, or of a device its numbers.
func sizeColumn(e *tree.Entry) string {
	switch e.Type {
	case tree.CharDevice, tree.BlockDevice:
		return fmt.Sprintf("%d, %d", e.Rdev[0], e.Rdev[1])
	case tree.File:
		return strconv.FormatUint(e.Size, 10)
	}
	return "-"
}

func typeName(t tree.Type) string {
	names := []string{"unknown", "file", "directory", "symlink", "fifo", "socket", "char device", "block device"}
	if int(t) < len(names) {
		return names[t]
	}
	return names[0]
}

// modeText returns type and permissions as ls prints them.
func modeText(e *tree.Entry) string {
	const bits = "rwxrwxrwx"
	out := []byte("?---------")
	if int(e.Type) < len("?-dlpscb") {
		out[0] = "?-dlpscb"[e.Type]
	}
	for i := range bits {
		if e.Mode&(1<<(8-i)) != 0 {
			out[i+1] = bits[i]
		}
	}
	for _, s := range []struct {
		bit  uint32
		at   int
		mark byte
	}{{0o4000, 3, 's'}, {0o2000, 6, 's'}, {0o1000, 9, 't'}} {
		if e.Mode&s.bit == 0 {
			continue
		}
		if out[s.at] != 'x' {
			s.mark -= 'a' - 'A' // set, but not executable
		}
		out[s.at] = s.mark
	}
	return string(out)
}
