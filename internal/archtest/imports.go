package archtest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// A fence says which packages, and which files of any package, may import a
// package from outside the module, or what lies beneath it.
type fence struct {
	Import   string
	Packages []string // patterns of Match
	Files    []string // names of files
}

// CheckDirections holds the imports within the module to a table of what each
// package may import. Tests may import anything.
func CheckDirections(files []*File, table map[string][]string) []Problem {
	var problems []Problem
	used := make(map[string]bool)
	packages := make(map[string]bool)
	for _, f := range files {
		if f.Test {
			continue
		}
		pkg := f.Dir()
		row, listed := rowOf(pkg, table)
		used[row] = true
		if !listed {
			if !packages[pkg] {
				problems = append(problems, Problem{Path: pkg, Text: "the package is not in the import table"})
			}
			packages[pkg] = true
			continue
		}
		packages[pkg] = true
		for i, imp := range f.Imports() {
			dep, inside := strings.CutPrefix(imp, Module+"/")
			if inside && !Match(dep, table[row]...) {
				problems = append(problems, f.Problem(f.AST.Imports[i].Pos(), "%s must not import %s", pkg, dep))
			}
		}
	}
	for _, row := range slices.Sorted(maps.Keys(table)) {
		if !used[row] {
			problems = append(problems, Problem{Path: row, Text: "the import table has a row for a package that is not there"})
		}
		for _, dep := range table[row] {
			if _, known := table[dep]; !known && !strings.ContainsAny(dep, "!*.") {
				problems = append(problems, Problem{Path: row, Text: fmt.Sprintf("the import table allows %s, which has no row", dep)})
			}
		}
	}
	return problems
}

// rowOf returns the row of a package: its own, else the pattern that fits.
func rowOf(pkg string, table map[string][]string) (row string, ok bool) {
	if _, ok := table[pkg]; ok {
		return pkg, true
	}
	for _, row := range slices.Sorted(maps.Keys(table)) {
		if Match(pkg, row) {
			return row, true
		}
	}
	return "", false
}

// CheckFences holds imports from outside the module to the fences. Tests may
// import anything.
func CheckFences(files []*File, fences []fence, standardOnly []string) []Problem {
	var problems []Problem
	for _, f := range files {
		if f.Test {
			continue
		}
		for i, imp := range f.Imports() {
			if text := outside(f, imp, fences, standardOnly); text != "" {
				problems = append(problems, f.Problem(f.AST.Imports[i].Pos(), "%s", text))
			}
		}
	}
	return problems
}

// outside returns what is wrong with an import, or "".
func outside(f *File, imp string, fences []fence, standardOnly []string) string {
	if beneath(imp, Module) {
		return ""
	}
	if !standard(imp) && Match(f.Dir(), standardOnly...) {
		return fmt.Sprintf("%s imports the standard library only, not %s", f.Dir(), imp)
	}
	for _, fence := range fences {
		if !beneath(imp, fence.Import) {
			continue
		}
		if Match(f.Dir(), fence.Packages...) || slices.Contains(fence.Files, path.Base(f.Path)) {
			return ""
		}
		return fmt.Sprintf("%s must not import %s; only %s may",
			f.Dir(), imp, strings.Join(slices.Concat(fence.Packages, fence.Files), ", "))
	}
	if standard(imp) {
		return ""
	}
	return fmt.Sprintf("%s is in no fence: a new dependency is a decision to record", imp)
}

func beneath(imp, parent string) bool { return imp == parent || strings.HasPrefix(imp, parent+"/") }

// standard reports whether an import path is of the standard library: only its
// paths have no dot in their first element.
func standard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".") && first != Module
}
