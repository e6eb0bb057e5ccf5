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
	repo() string                   // folder in which the repository lies, or the server keeps it
	init(ctx context.Context) error // makes the repository
	backup(ctx context.Context, path, tag string) *exec.Cmd
	// restore brings back the path that was backed up, as it was at m, into the new folder target.
	restore(ctx context.Context, path string, m moment, target string) *exec.Cmd
	// restored is where restore puts the path.
	restored(path, target string) string
	// verify checks the structure of the repository, with data also every byte of it.
	verify(ctx context.Context, data bool) *exec.Cmd
	// drill restores the newest state of the path into a folder beneath scratch and compares it; nil: the tool has no such thing.
	drill(ctx context.Context, path, scratch string) *exec.Cmd
	forget() error // removes what the tool keeps on this host beside the repository
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

// newTool returns a tool whose files lie in dir, which is made. Its repository is in dir too, or in a bucket of the server, if
// there is one.
func newTool(kind, bin, dir string, server *minio) (tool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := place{dir: dir, server: server}
	if kind == toolRestic {
		return &resticTool{p}, nil
	}
	return &storeTool{bin: bin, place: p}, nil
}

// A place is where the files of a tool lie.
type place struct {
	dir    string
	server *minio // nil: the repository is in dir
}

// bucket is the name of the tool's own: the last elements of its folder.
func (p place) bucket() string {
	return filepath.Base(filepath.Dir(p.dir)) + "-" + filepath.Base(p.dir)
}

func (p place) repo() string {
	if p.server != nil {
		return p.server.bucketDir(p.bucket())
	}
	return filepath.Join(p.dir, "repo")
}

func (p place) cache() string { return filepath.Join(p.dir, "cache") }
func (p place) forget() error { return os.RemoveAll(p.cache()) }

// env is neither the configuration nor the environment of who runs this.
func (p place) env() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TZ=UTC"}
	if p.server != nil {
		env = append(env, "AWS_ACCESS_KEY_ID="+p.server.user, "AWS_SECRET_ACCESS_KEY="+p.server.password)
	}
	return env
}

// storeTool opens its repository with a machine key file, as from cron.
type storeTool struct {
	bin string
	place
}

func (t *storeTool) name() string { return toolStore }
func (t *storeTool) key() string  { return filepath.Join(t.dir, "key") }

func (t *storeTool) address() string {
	if t.server != nil {
		return "s3://" + t.bucket() + "?endpoint=" + t.server.endpoint + "&tls=false"
	}
	return t.repo()
}

func (t *storeTool) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := command(ctx, t.dir, t.bin, append(args, "--repo", t.address(), "--cache-dir", t.cache())...)
	cmd.Env = t.env()
	return cmd
}

func (t *storeTool) init(ctx context.Context) error {
	args := []string{"init", "--no-password", "--machine-key", t.key()}
	if t.server != nil {
		args = append(args, "--create-bucket")
	}
	return runQuiet(t.command(ctx, args...))
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

func (t *storeTool) verify(ctx context.Context, data bool) *exec.Cmd {
	args := []string{"verify", "--key-file", t.key()}
	if data {
		args = append(args, "--read-data=all")
	}
	return t.command(ctx, args...)
}

func (t *storeTool) drill(ctx context.Context, path, scratch string) *exec.Cmd {
	return t.command(ctx, "drill", path, "--scratch", scratch, "--json", "--key-file", t.key())
}

func (t *storeTool) restored(_, target string) string { return target }

// resticTool runs with all defaults.
type resticTool struct{ place }

func (t *resticTool) name() string { return toolRestic }

func (t *resticTool) address() string {
	if t.server != nil {
		return "s3:http://" + t.server.endpoint + "/" + t.bucket()
	}
	return t.repo()
}

func (t *resticTool) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := command(ctx, t.dir, "restic", append(args, "--quiet", "--repo", t.address(), "--cache-dir", t.cache())...)
	cmd.Env = append(t.env(), "RESTIC_PASSWORD=a long password of many words")
	return cmd
}

func (t *resticTool) init(ctx context.Context) error { return runQuiet(t.command(ctx, "init")) }

func (t *resticTool) backup(ctx context.Context, path, tag string) *exec.Cmd {
	return t.command(ctx, "backup", "--tag", tag, path)
}

func (t *resticTool) restore(ctx context.Context, _ string, m moment, target string) *exec.Cmd {
	return t.command(ctx, "restore", "latest", "--tag", m.tag, "--target", target)
}

func (t *resticTool) verify(ctx context.Context, data bool) *exec.Cmd {
	args := []string{"check"}
	if data {
		args = append(args, "--read-data")
	}
	return t.command(ctx, args...)
}

func (t *resticTool) drill(context.Context, string, string) *exec.Cmd { return nil }

// restored: restic rebuilds the whole path beneath the target.
func (t *resticTool) restored(path, target string) string { return filepath.Join(target, path) }
