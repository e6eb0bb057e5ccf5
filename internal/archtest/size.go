package archtest

import (
	"fmt"
	"go/ast"
	"strings"
)

// CheckSize holds files and functions to the limits of length.
func CheckSize(files []*File) []Problem {
	var problems []Problem
	for _, f := range files {
		factor := 1
		if f.Test {
			factor = 2
		}
		n := f.Line(f.AST.FileEnd) - tableLines(f, f.AST)
		if n > warnFile*factor {
			p := Problem{Path: f.Path, Warn: n <= maxFile*factor}
			p.Text = fmt.Sprintf("the file has %d lines, of at most %d", n, maxFile*factor)
			problems = append(problems, p)
		}
		for _, decl := range f.AST.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := f.Line(fn.End()) - f.Line(fn.Pos()) + 1 - tableLines(f, fn)
			if n > maxFunc*factor {
				problems = append(problems, f.Problem(fn.Pos(), "%s has %d lines, of at most %d", fn.Name.Name, n, maxFunc*factor))
			}
		}
	}
	return problems
}

// tableLines counts the lines within literals of slices, arrays and maps that
// hold no code.
func tableLines(f *File, root ast.Node) int {
	n := 0
	ast.Inspect(root, func(node ast.Node) bool {
		lit, ok := node.(*ast.CompositeLit)
		if !ok {
			return true
		}
		switch lit.Type.(type) {
		case *ast.ArrayType, *ast.MapType:
		default:
			return true
		}
		if holdsCode(lit) {
			return true
		}
		n += max(0, f.Line(lit.Rbrace)-f.Line(lit.Lbrace)-1)
		return false
	})
	return n
}

func holdsCode(lit *ast.CompositeLit) bool {
	found := false
	ast.Inspect(lit, func(node ast.Node) bool {
		if _, ok := node.(*ast.FuncLit); ok {
			found = true
		}
		return !found
	})
	return found
}

// CheckPackages holds that every package says in a comment what it is, and by
// its name what it holds.
func CheckPackages(files []*File) []Problem {
	var problems []Problem
	documented := make(map[string]bool)
	var order []string
	for _, f := range files {
		if f.Test {
			continue
		}
		if _, seen := documented[f.Dir()]; !seen {
			documented[f.Dir()] = false
			order = append(order, f.Dir())
			if Match(f.AST.Name.Name, vagueNames...) {
				problems = append(problems, f.Problem(f.AST.Name.Pos(), "the name %s does not say what the package holds", f.AST.Name.Name))
			}
		}
		if f.AST.Doc != nil && strings.TrimSpace(f.AST.Doc.Text()) != "" {
			documented[f.Dir()] = true
		}
	}
	for _, dir := range order {
		if !documented[dir] {
			problems = append(problems, Problem{Path: dir, Text: "the package has no comment"})
		}
	}
	return problems
}
