package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A tool is one program under test with a repository of its own. The commands that it returns are ready to be measured.
type tool interface {
	name() string
	repo() string                   // folder of the repository
	init(ctx context.Context) error // makes the repository
	backup(ctx context.Context, path, tag string) *exec.Cmd
	// restore brings back the path that was backed up, as it was at m, into the new folder target.
	restore(ctx context.Context, path string, m moment, target string) *exec.Cmd
	// restored is where restore puts the path.
	restored(path, target string) string
}

// A moment names a state: restic finds it by tag, store by time.
type moment struct {
	tag string
	at  time.Time // zero: the newest
}

const (
	toolStore  = "store"
	toolRestic = "restic"
)

// newTool returns a tool whose files lie in dir, which is made.
func newTool(kind, bin, dir string) (tool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if kind == toolRestic {
		return &resticTool{dir: dir}, nil
	}
	return &storeTool{bin: bin, dir: dir}, nil
}

// storeTool opens its repository with a machine key file, as from cron.
type storeTool struct{ bin, dir string }

func (t *storeTool) name() string { return toolStore }
func (t *storeTool) repo() string { return filepath.Join(t.dir, "repo") }
func (t *storeTool) key() string  { return filepath.Join(t.dir, "key") }

func (t *storeTool) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := command(ctx, t.dir, t.bin, append(args, "--repo", t.repo(), "--cache-dir", filepath.Join(t.dir, "cache"))...)
	// Neither the configuration nor the environment of who runs this.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.dir, "TZ=UTC"}
	return cmd
}

func (t *storeTool) init(ctx context.Context) error {
	return runQuiet(t.command(ctx, "init", "--no-password", "--machine-key", t.key()))
}

func (t *storeTool) backup(ctx context.Context, path, tag string) *exec.Cmd {
	return t.command(ctx, "backup", path, "--tag", tag, "--key-file", t.key())
}

func (t *storeTool) restore(ctx context.Context, _ string, m moment, target string) *exec.Cmd {
	args := []string{"restore", "--target", target, "--key-file", t.key()}
	if m.at.IsZero() {
		args = append(args, "latest")
	} else {
		args = append(args, "--at", m.at.UTC().Format(time.RFC3339))
	}
	return t.command(ctx, args...)
}

func (t *storeTool) restored(_, target string) string { return target }

// resticTool runs with all defaults.
type resticTool struct{ dir string }

func (t *resticTool) name() string { return toolRestic }
func (t *resticTool) repo() string { return filepath.Join(t.dir, "repo") }

func (t *resticTool) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := command(ctx, t.dir, "restic", append(args, "--quiet", "--repo", t.repo(), "--cache-dir", filepath.Join(t.dir, "cache"))...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.dir, "TZ=UTC", "RESTIC_PASSWORD=a long password of many words"}
	return cmd
}

func (t *resticTool) init(ctx context.Context) error { return runQuiet(t.command(ctx, "init")) }

func (t *resticTool) backup(ctx context.Context, path, tag string) *exec.Cmd {
	return t.command(ctx, "backup", "--tag", tag, path)
}

func (t *resticTool) restore(ctx context.Context, _ string, m moment, target string) *exec.Cmd {
	return t.command(ctx, "restore", "latest", "--tag", m.tag, "--target", target)
}

// restored: restic rebuilds the whole path beneath the target.
func (t *resticTool) restored(path, target string) string { return filepath.Join(target, path) }
