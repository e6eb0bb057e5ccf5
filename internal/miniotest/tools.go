package miniotest

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/internal/needtest"
)

// pinned names each program, the package it is built from and its version. internal/tools/servers.sh installs from the
// same file, so what is built and what is run cannot drift apart.
//
//go:embed servers.txt
var pinned string

// version returns the pinned version of a program, or "" of one that is not pinned.
func version(program string) string {
	for line := range strings.Lines(pinned) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == program {
			return f[2]
		}
	}
	return ""
}

// tool returns the path of an installed program in its pinned version. Where it is missing the test fails, and only a
// short run that STORE_REQUIRE does not bind is skipped.
func tool(t testing.TB, program string) string {
	t.Helper()
	path, err := find(program)
	if err == nil {
		return path
	}
	if testing.Short() && !needtest.Required(program) {
		t.Skipf("%v (a short run goes on without it)", err)
	}
	t.Fatalf("%v", err)
	return ""
}

// find looks for a program in the folder of tools.
func find(program string) (string, error) {
	dir, err := toolsDir()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", program, err)
	}
	v := version(program)
	path := filepath.Join(dir, program+"@"+v)
	info, err := os.Stat(path)
	switch {
	case v == "":
		return "", fmt.Errorf("find %s: it is not among the pinned programs", program)
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s %s is not installed in %s: run `make servers`", program, v, dir)
	case err != nil:
		return "", fmt.Errorf("find %s: %w", program, err)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return "", fmt.Errorf("%s is no program: remove it and run `make servers`", path)
	}
	return path, nil
}

// toolsDir returns the folder of tools: STORE_TOOLS, or .tools at the root of the module around the working directory.
func toolsDir() (string, error) {
	if dir := os.Getenv("STORE_TOOLS"); dir != "" {
		return dir, nil
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".tools"), nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above %s; set STORE_TOOLS", wd)
		}
	}
}
