package probe

import (
	"fmt"
	"io"
	"io/fs"

	"savepoint/internal/bytesize"
)

// files wants files of certain names to be there, as many and as large as they should be.
type files struct {
	patterns    []string
	least, most uint64 // of each pattern; most 0: any number
	small, big  int64  // bytes of each file; big -1: any size
}

func parseFiles(args []string) (builtin, error) {
	p := &files{big: -1}
	f := flagsOf("files")
	f.Uint64Var(&p.least, "least", 1, "")
	f.Uint64Var(&p.most, "most", 0, "")
	size := func(to *int64) func(string) error {
		return func(s string) (err error) { *to, err = bytesize.Parse(s); return err }
	}
	f.Func("min-size", "", size(&p.small))
	f.Func("max-size", "", size(&p.big))
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	var err error
	p.patterns, err = patterns(f.Args())
	return p, err
}

func (p *files) ready() error { return nil }

func (p *files) run(target string, out io.Writer) (uint64, error) {
	var all, wrong uint64
	first := ""
	for _, pattern := range p.patterns {
		n, err := find(target, pattern, func(name string, info fs.FileInfo) error {
			size := info.Size()
			if size >= p.small && (p.big < 0 || size <= p.big) {
				return nil
			}
			said := fmt.Sprintf("%q has %d bytes", name, size)
			if wrong++; wrong == 1 {
				first = said
			}
			if wrong <= 20 {
				fmt.Fprintln(out, said)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		all += n
		fmt.Fprintf(out, "%q: %d files\n", pattern, n)
		switch {
		case n < p.least:
			return 0, fmt.Errorf("%q matches %d files, at least %d are wanted", pattern, n, p.least)
		case p.most > 0 && n > p.most:
			return 0, fmt.Errorf("%q matches %d files, at most %d are wanted", pattern, n, p.most)
		}
	}
	if wrong > 0 {
		return 0, fmt.Errorf("%d files are not as large as they should be; the first: %s", wrong, first)
	}
	return all, nil
}
