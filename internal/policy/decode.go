package policy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxNesting bounds what opens a nested value within a line. The parser's
// memory grows with the square of the depth: a megabyte of brackets would take
// all there is.
const maxNesting = 4000

// decode reads and checks the text of a configuration. Errors are *Error
// without a path.
func decode(data []byte) (*File, error) {
	if nesting(data) > maxNesting {
		return nil, &Error{Msg: fmt.Sprintf("more than %d brackets and nested dashes; write one item a line", maxNesting)}
	}
	parsed, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, placed(err)
	}
	f := new(File)
	var body ast.Node
	for _, doc := range parsed.Docs {
		if empty(doc.Body) {
			continue
		}
		if body != nil {
			return nil, at(doc.Body, "a second document; a configuration is one")
		}
		body = doc.Body
	}
	if body == nil {
		return f, nil
	}
	if err := yaml.NodeToValue(body, f, yaml.Strict()); err != nil {
		return nil, placed(err)
	}
	if err := check(f, body); err != nil {
		return nil, err
	}
	return f, nil
}

// nesting counts what can open a nested value without a line of its own:
// brackets, and dashes and question marks after the first of a line.
func nesting(data []byte) int {
	n := bytes.Count(data, []byte("[")) + bytes.Count(data, []byte("{"))
	for line := range bytes.Lines(data) {
		lead := line[:len(line)-len(bytes.TrimLeft(line, " \t-?"))]
		n += max(0, bytes.Count(lead, []byte("-"))+bytes.Count(lead, []byte("?"))-1)
	}
	return n
}

func empty(n ast.Node) bool {
	if n == nil {
		return true
	}
	_, comment := n.(*ast.CommentGroupNode)
	return comment || n.Type() == ast.NullType
}

// placed turns an error of the YAML library into an *Error.
func placed(err error) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return &Error{Msg: err.Error()}
	}
	msg := strings.NewReplacer("unknown field", "unknown key").Replace(y.GetMessage())
	e := &Error{Msg: msg}
	if t := y.GetToken(); t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	return e
}

// at returns an *Error at the place of a node.
func at(n ast.Node, format string, args ...any) error {
	e := &Error{Msg: fmt.Sprintf(format, args...)}
	if n == nil {
		return e
	}
	if mapping, ok := n.(ast.MapNode); ok { // whose own token is a colon
		if entries := mapping.MapRange(); entries.Next() {
			n = entries.Key()
		}
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	return e
}
