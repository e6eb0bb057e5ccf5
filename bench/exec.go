package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// command prepares a program that runs in dir ("" is the working folder).
func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	return cmd
}

// output runs a program in the working folder and returns what it printed, without blanks around it.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := command(ctx, "", name, args...)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	err := runQuiet(cmd)
	return strings.TrimSpace(stdout.String()), err
}

// runQuiet runs a program; its error holds the end of what the program said.
func runQuiet(cmd *exec.Cmd) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return commandError(cmd, stderr.Bytes(), err)
	}
	return nil
}

func commandError(cmd *exec.Cmd, stderr []byte, err error) error {
	const enough = 2000
	if len(stderr) > enough {
		stderr = stderr[len(stderr)-enough:]
	}
	return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(stderr))
}

// removeAll removes a tree, also one with folders that its owner may not write to, as the module cache has them.
func removeAll(dir string) error {
	if os.Geteuid() != 0 {
		if err := openUp(dir); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// openUp lets the owner write to the folders of a tree.
func openUp(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o700 == 0o700 {
			return nil
		}
		return os.Chmod(path, info.Mode().Perm()|0o700)
	})
}
