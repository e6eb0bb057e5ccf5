package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// sqlite checks databases of SQLite with its program.
type sqlite struct {
	patterns []string
	quick    bool
	questions
}

func parseSQLite(args []string) (builtin, error) {
	p := &sqlite{}
	f := flagsOf("sqlite")
	f.BoolVar(&p.quick, "quick", false, "")
	p.register(f)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	var err error
	if p.patterns, err = patterns(f.Args()); err != nil {
		return nil, err
	}
	return p, p.check()
}

func (p *sqlite) ready() error {
	if _, err := exec.LookPath("sqlite3"); err != nil {
		return errors.New("probe sqlite: it needs the program sqlite3, which is not on the PATH: install it (apt-get install sqlite3)")
	}
	return nil
}

func (p *sqlite) run(target string, out io.Writer) (uint64, error) {
	if err := p.ready(); err != nil {
		return 0, errors.Join(err, errCannot)
	}
	var all, asked uint64
	for _, pattern := range p.patterns {
		n, err := find(target, pattern, func(name string, info fs.FileInfo) error {
			n, err := p.database(filepath.Join(target, name), info, out)
			if err != nil {
				return fmt.Errorf("%q: %w", name, err)
			}
			asked += n
			return nil
		})
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, fmt.Errorf("%q matches no file", pattern)
		}
		all += n
	}
	return all + asked, nil
}

// database checks one. It is opened for writing, as after a crash: what its journal holds is brought in, or the check would be of another
// state than what who opens it next sees.
func (p *sqlite) database(path string, info fs.FileInfo, out io.Writer) (uint64, error) {
	head := make([]byte, 16)
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	_, err = io.ReadFull(f, head)
	_ = f.Close() // it was only read
	if err != nil || string(head) != "SQLite format 3\x00" {
		return 0, fmt.Errorf("is no SQLite database (%d bytes)", info.Size())
	}
	pragma := "integrity_check"
	if p.quick {
		pragma = "quick_check"
	}
	query := func(sql string) (string, error) { return sqliteQuery(path, sql) }
	said, err := query("PRAGMA " + pragma + "(10)")
	if err != nil {
		return 0, err
	}
	if said != "ok" {
		return 0, fmt.Errorf("%s: %s", pragma, shortened(said, 1000))
	}
	if said, err = query("PRAGMA foreign_key_check"); err != nil {
		return 0, err
	}
	if said != "" {
		return 0, fmt.Errorf("foreign_key_check: %s", shortened(said, 1000))
	}
	return p.ask(out, query)
}

func sqliteQuery(path, sql string) (string, error) {
	var said, complaint bytes.Buffer
	cmd := exec.Command("sqlite3", "-batch", "-bail", "-init", os.DevNull, path, sql)
	cmd.Stdout, cmd.Stderr = &said, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("sqlite3: %w: %s", err, shortened(strings.TrimSpace(complaint.String()), 1000))
	}
	return strings.TrimSpace(said.String()), nil
}
