// Package archtest holds the rules that the source of this module keeps to:
// which package may import which, how long a file and a function may be, and
// what is banned. Its test applies them to the module; each rule has a test of
// its own too, so that one that cannot fail is noticed.
package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of the module whose source is checked.
const Module = "savepoint"

// A Problem is a place that breaks a rule.
type Problem struct {
	Path string // relative to the module's root
	Line int    // 0 if it is the whole file, folder or row
	Text string
	Warn bool // to be seen, not to fail on
}

// String reads PATH:LINE: TEXT.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.Path + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.Path, p.Line, p.Text)
}

// A File is one parsed Go file.
type File struct {
	Path string // relative to the module's root, with slashes
	Test bool   // its name ends in _test.go
	Fset *token.FileSet
	AST  *ast.File
}

// Dir is the file's package, relative to the module ("." for its root).
func (f *File) Dir() string { return path.Dir(f.Path) }

// Line returns the line of a position.
func (f *File) Line(p token.Pos) int { return f.Fset.Position(p).Line }

// Imports yields the paths that the file imports.
func (f *File) Imports() []string {
	var paths []string
	for _, spec := range f.AST.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// Problem returns one at a position of the file.
func (f *File) Problem(p token.Pos, format string, args ...any) Problem {
	return Problem{Path: f.Path, Line: f.Line(p), Text: fmt.Sprintf(format, args...)}
}

// Parse parses one file. name is relative to the module's root.
func Parse(name string, src []byte) (*File, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &File{Path: name, Test: strings.HasSuffix(name, "_test.go"), Fset: fset, AST: tree}, nil
}

// Load parses the Go files of the module at root, whatever system they are
// for, but for those in testdata, in hidden folders and in modules within.
func Load(root string) ([]*File, error) {
	var files []*File
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(root, p)
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		f, err := Parse(filepath.ToSlash(rel), src)
		files = append(files, f)
		return err
	})
	return files, err
}

func skipDir(root, p string) error {
	if p == root {
		return nil
	}
	name := filepath.Base(p)
	if name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return fs.SkipDir
	}
	_, err := os.Stat(filepath.Join(p, "go.mod"))
	switch {
	case err == nil:
		return fs.SkipDir
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// Root returns the root of the module that the working folder lies in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), "module "+Module+"\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("module %s is not above the working folder", Module)
		}
		dir = filepath.Dir(dir)
	}
}

// Match reports whether a package is meant by one of the patterns: a path; one
// that ends in "/*" (any one element) or "/..." (the package and all beneath);
// "..." for all; with "!" before it, an exception.
func Match(pkg string, patterns ...string) bool {
	is := func(pattern string) bool {
		if base, ok := strings.CutSuffix(pattern, "/..."); ok {
			return pkg == base || strings.HasPrefix(pkg, base+"/")
		}
		ok, err := path.Match(pattern, pkg)
		return pattern == "..." || err == nil && ok
	}
	for _, p := range patterns {
		if except, ok := strings.CutPrefix(p, "!"); ok && is(except) {
			return false
		}
	}
	return slices.ContainsFunc(patterns, is)
}
