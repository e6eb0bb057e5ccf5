package probe

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// canary reads files whose content is a time, which something writes again and again.
type canary struct {
	patterns []string
	oldest   time.Duration // 0: any age
}

func parseCanary(args []string) (builtin, error) {
	p := &canary{}
	f := flagsOf("canary")
	f.DurationVar(&p.oldest, "max-age", 0, "")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	var err error
	p.patterns, err = patterns(f.Args())
	return p, err
}

func (p *canary) ready() error { return nil }

func (p *canary) run(target string, out io.Writer) (uint64, error) {
	var all uint64
	var newest time.Time
	for _, pattern := range p.patterns {
		n, err := find(target, pattern, func(name string, _ fs.FileInfo) error {
			t, err := readTime(filepath.Join(target, name))
			if err != nil {
				return fmt.Errorf("canary %q: %w", name, err)
			}
			if t.After(newest) {
				newest = t
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, fmt.Errorf("no canary: %q matches no file", pattern)
		}
		all += n
	}
	return all, sayCanary(out, newest, p.oldest)
}

// readTime reads a file that holds a time and little else.
func readTime(name string) (time.Time, error) {
	f, err := os.Open(name)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 256))
	if err != nil {
		return time.Time{}, err
	}
	return parseTime(string(b))
}

// sayCanary tells the drill of a canary, and wants it to be younger than oldest was at the recovery point.
func sayCanary(out io.Writer, t time.Time, oldest time.Duration) error {
	fmt.Fprintf(out, "canary %s\n", t.UTC().Format(time.RFC3339Nano))
	point, err := time.Parse(time.RFC3339Nano, os.Getenv("SAVEPOINT_RECOVERY_POINT"))
	if age := point.Sub(t); err == nil && oldest > 0 && age > oldest {
		return fmt.Errorf("the newest canary, %s, was %s old when the backup began, at most %s is wanted", t.Format(time.RFC3339), age.Round(time.Second), oldest)
	}
	return nil
}
