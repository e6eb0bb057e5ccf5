package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// smallFile is up to which size files are taken once there are bytes enough, but not files enough.
const smallFile = 64 << 10

// makeTree copies real files of this machine: the Go toolchain, its module cache, headers, and more of /usr until there
// are as many files and as many bytes as asked. The first half of the files goes into live/one, the others into
// live/two. What is taken depends on what the machine has, and on nothing else.
func makeTree(ctx context.Context, live string, files int, size int64) error {
	roots, err := sourceTrees(ctx)
	if err != nil {
		return err
	}
	var have extent
	for _, root := range roots {
		for have.Files < files || have.Bytes < size {
			half, want := "one", extent{Files: files / 2}
			if have.Files >= files/2 {
				half, want = "two", extent{Files: files, Bytes: size}
			}
			picked, rest, err := pick(root.dir, root.after, have, want, extent{Files: files, Bytes: size})
			if err != nil {
				return err
			}
			have.Files += len(picked.paths)
			have.Bytes += picked.bytes
			if err := copyFiles(ctx, root.dir, picked.paths, filepath.Join(live, half, root.name)); err != nil {
				return err
			}
			if rest == "" {
				break
			}
			root.after = rest
		}
	}
	if have.Files < files || have.Bytes < size {
		return fmt.Errorf("make source tree: this machine has %d files of %d bytes of %d of %d", have.Files, have.Bytes, files, size)
	}
	if os.Geteuid() != 0 {
		return exec.CommandContext(ctx, "chmod", "-R", "u+w", live).Run()
	}
	return nil
}

// A tree to copy from: its name in the corpus, and the file after which to go on.
type tree struct{ dir, name, after string }

func sourceTrees(ctx context.Context) ([]tree, error) {
	env, err := output(ctx, "go", "env", "GOROOT", "GOMODCACHE")
	if err != nil {
		return nil, err
	}
	goroot, modules, _ := strings.Cut(env, "\n")
	return []tree{
		{dir: goroot, name: "go"}, {dir: modules, name: "mod"}, {dir: "/usr/include", name: "include"},
		{dir: "/usr/share", name: "share"}, {dir: "/usr/lib", name: "lib"},
	}, nil
}

type picked struct {
	paths []string // relative, in the order of the walk
	bytes int64
}

// pick walks a folder and takes files and symlinks after the name `after` until there are as many as want says. rest is
// the last name taken if it stopped early, else "". Beyond the bytes of limit only small files are taken.
func pick(dir, after string, have, want, limit extent) (p picked, rest string, err error) {
	skipping := after != ""
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() && d.Type() != fs.ModeSymlink {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if skipping {
			skipping = rel != after
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if have.Bytes+p.bytes >= limit.Bytes && info.Size() > smallFile {
			return nil
		}
		p.paths = append(p.paths, rel)
		if d.Type().IsRegular() {
			p.bytes += info.Size()
		}
		if have.Files+len(p.paths) >= want.Files && have.Bytes+p.bytes >= want.Bytes {
			rest = rel
			return fs.SkipAll
		}
		return nil
	})
	return p, rest, err
}

// copyFiles copies files with all that belongs to them, and the folders above them.
func copyFiles(ctx context.Context, dir string, paths []string, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	cmd := command(ctx, dir, "xargs", "-0", "-r", "cp", "-a", "--parents", "-t", to, "--")
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\x00"))
	return runQuiet(cmd)
}

// changeTree edits 1% of the files, deletes 0.5% and adds 0.5%.
func changeTree(live string) error {
	files, err := regularFiles(live)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	edits, rest := max(1, len(files)/100), max(1, len(files)/200)
	for i, path := range files[:min(edits+2*rest, len(files))] {
		switch {
		case i < edits:
			err = insertLine(rng, path, path)
		case i < edits+rest:
			err = os.Remove(path)
		default:
			err = insertLine(rng, path, filepath.Join(filepath.Dir(path), fmt.Sprintf("added %d", i)))
		}
		if err != nil {
			return fmt.Errorf("change tree: %w", err)
		}
	}
	return nil
}

// insertLine writes what is in a file, with a line more at some place, to the file `to`; the file keeps its inode if
// that is the same.
func insertLine(rng *rand.Rand, from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	at := rng.IntN(len(data) + 1)
	if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
		at += i + 1
	}
	line := fmt.Appendf(nil, "// changed %016x\n", rng.Uint64())
	return os.WriteFile(to, append(append(data[:at:at], line...), data[at:]...), 0o644)
}
