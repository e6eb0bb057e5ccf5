package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// timed are the packages that are told what time it is.
var timed = []string{"repo/...", "verify/..."}

// CheckClock holds that the packages which have a clock in their options use
// it. The only mention of time.Now there is as the value of one that exists:
// `o.Now = time.Now`, `now = time.Now` or `Now: time.Now`. Tests are free.
func CheckClock(files []*File) []Problem {
	var problems []Problem
	for _, f := range files {
		if f.Test || !Match(f.Dir(), timed...) {
			continue
		}
		defaults := clockDefaults(f)
		for sel, name := range selectors(f, "time") {
			switch name {
			case "Now":
				if !slices.Contains(defaults, ast.Expr(sel)) {
					problems = append(problems, f.Problem(sel.Pos(), "time.Now: use the Now of the options"))
				}
			case "Since", "Until":
				problems = append(problems, f.Problem(sel.Pos(), "time.%s reads the clock: use the Now of the options", name))
			}
		}
	}
	return problems
}

// clockDefaults returns the expressions that are assigned to a field or an
// existing variable of the name Now.
func clockDefaults(f *File) []ast.Expr {
	var found []ast.Expr
	ast.Inspect(f.AST, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if len(n.Rhs) == len(n.Lhs) && n.Tok == token.ASSIGN && isNow(left) {
					found = append(found, n.Rhs[i])
				}
			}
		case *ast.KeyValueExpr:
			if isNow(n.Key) {
				found = append(found, n.Value)
			}
		}
		return true
	})
	return found
}

// isNow reports whether an expression is a field or variable of that name.
func isNow(e ast.Expr) bool {
	if sel, ok := e.(*ast.SelectorExpr); ok {
		e = sel.Sel
	}
	id, ok := e.(*ast.Ident)
	return ok && (id.Name == "Now" || id.Name == "now")
}

// CheckSleep holds that tests do not sleep, but in the bubble of a
// synctest.Test, where time is not real.
func CheckSleep(files []*File) []Problem {
	var problems []Problem
	for _, f := range files {
		if !f.Test && !slices.Contains(f.Imports(), "testing") {
			continue
		}
		type span struct{ from, to token.Pos }
		var bubbles []span
		synctest := selectors(f, "testing/synctest")
		ast.Inspect(f.AST, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && synctest[sel] == "Test" {
					bubbles = append(bubbles, span{call.Lparen, call.Rparen})
				}
			}
			return true
		})
		for sel, name := range selectors(f, "time") {
			inside := slices.ContainsFunc(bubbles, func(b span) bool { return b.from < sel.Pos() && sel.Pos() < b.to })
			if name == "Sleep" && !inside {
				problems = append(problems, f.Problem(sel.Pos(), "a test sleeps: wait for what it waits for, or use synctest"))
			}
		}
	}
	return problems
}

// selectors returns what a file uses of an imported package, under whatever
// name it imports it.
func selectors(f *File, imp string) map[*ast.SelectorExpr]string {
	name := ""
	for i, p := range f.Imports() {
		if p == imp {
			name = path.Base(imp)
			if id := f.AST.Imports[i].Name; id != nil {
				name = id.Name
			}
		}
	}
	found := make(map[*ast.SelectorExpr]string)
	if name == "" {
		return found
	}
	ast.Inspect(f.AST, func(node ast.Node) bool {
		if sel, ok := node.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == name {
				found[sel] = sel.Sel.Name
			}
		}
		return true
	})
	return found
}

// CheckInit bans func init, and dot imports, which would hide names from the
// other rules.
func CheckInit(files []*File) []Problem {
	var problems []Problem
	for _, f := range files {
		for _, decl := range f.AST.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				problems = append(problems, f.Problem(fn.Pos(), "func init: say what runs when, in main"))
			}
		}
		for _, imp := range f.AST.Imports {
			if imp.Name != nil && imp.Name.Name == "." {
				problems = append(problems, f.Problem(imp.Pos(), "an import of all names"))
			}
		}
	}
	return problems
}

// CheckSuppressions holds that a comment which silences a linter says why, is
// of the one form //lint:ignore CHECK REASON, and that there are exactly as
// many as is written down, so that their number can only fall.
func CheckSuppressions(files []*File, ceiling int) []Problem {
	var problems []Problem
	count := 0
	for _, f := range files {
		for _, group := range f.AST.Comments {
			for _, c := range group.List {
				switch {
				case strings.HasPrefix(c.Text, "//lint:ignore "):
					count++
					if len(strings.Fields(c.Text)) < 4 {
						problems = append(problems, f.Problem(c.Pos(), "//lint:ignore CHECK needs a reason of at least two words"))
					}
				case strings.HasPrefix(c.Text, "//lint:"), strings.HasPrefix(c.Text, "//nolint"):
					problems = append(problems, f.Problem(c.Pos(), "use //lint:ignore CHECK REASON at the line"))
				}
			}
		}
	}
	if count != ceiling {
		problems = append(problems, Problem{
			Path: "internal/archtest/table.go",
			Text: fmt.Sprintf("there are %d //lint:ignore comments, not %d; if they are fewer, lower the number", count, ceiling),
		})
	}
	return problems
}

// CheckTopLevel holds the names at the root of the repository to a list.
func CheckTopLevel(names, allowed []string) []Problem {
	var problems []Problem
	for _, name := range names {
		if !strings.HasPrefix(name, ".") && !slices.Contains(allowed, name) {
			problems = append(problems, Problem{Path: name, Text: "not a name for the top of the repository; a new one needs a decision record"})
		}
	}
	return problems
}
