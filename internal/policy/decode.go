package policy

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
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
		return nil, placed(err).unquoted(data)
	}
	t := new(fileText)
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
		return check(t, nil)
	}
	if tag := findTag(body); tag != nil {
		return nil, at(tag, "tag %s: write the value alone", tag.GetToken().Value)
	}
	if err := yaml.NodeToValue(body, t, yaml.Strict()); err != nil {
		return nil, explained(placed(err).unquoted(data), body, err)
	}
	return check(t, body)
}

// explained adds to the error of the YAML library what only the whole file tells.
func explained(e *Error, body ast.Node, err error) error {
	if errors.Is(err, errProbe) {
		if n := findProbe(body); n != nil {
			return at(n, "%w", errProbe)
		}
	}
	explainUnknown(e, body)
	return e
}

// tagFinder is a visitor of nodes that notes the first tag.
type tagFinder struct{ first *ast.TagNode }

// Visit implements ast.Visitor.
func (v *tagFinder) Visit(n ast.Node) ast.Visitor {
	if tag, ok := n.(*ast.TagNode); ok && v.first == nil {
		v.first = tag
	}
	if v.first != nil {
		return nil
	}
	return v
}

// findTag returns the first tag; nil if there is none. No value needs one, and the
// library takes a tagged scalar for a list where one is wanted, and panics.
func findTag(body ast.Node) *ast.TagNode {
	v := new(tagFinder)
	ast.Walk(v, body)
	return v.first
}

// findProbe returns the first probe that is neither a list nor a mapping.
func findProbe(body ast.Node) ast.Node {
	datasets := lookup(body, "datasets")
	if datasets == nil {
		return nil
	}
	mapping, ok := datasets.Value.(ast.MapNode)
	if !ok {
		return nil
	}
	for entries := mapping.MapRange(); entries.Next(); {
		drill := lookup(entries.Value(), "drill")
		if drill == nil {
			continue
		}
		if probe := lookup(drill.Value, "probe"); probe != nil {
			if _, scalar := probe.Value.(ast.ScalarNode); scalar {
				return probe.Key
			}
		}
	}
	return nil
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

// bareSchedule is one that begins with what means something to YAML.
var bareSchedule = regexp.MustCompile(`\b(schedule|full): *[*@]`)

// unquoted adds to an error in the line of a schedule without quotes that they are
// missing.
func (e *Error) unquoted(data []byte) *Error {
	n := 0
	for text := range bytes.Lines(data) {
		if n++; n == e.Line && bareSchedule.Match(text) {
			e.Msg += `; a schedule stands between quotes, as "0 * * * *"`
		}
	}
	return e
}

// goTypes are how the YAML library says what is where it is not wanted.
var goTypes = regexp.MustCompile(`^cannot unmarshal (\S+(?: \{\})?) into Go (?:struct field \S+|value) of type (\S+)$`)

// kindOf names a Go type as the file would have it.
func kindOf(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case strings.HasPrefix(goType, "map["), strings.Contains(goType, "."):
		return "a mapping"
	}
	return "one value"
}

func empty(n ast.Node) bool {
	if n == nil {
		return true
	}
	_, comment := n.(*ast.CommentGroupNode)
	return comment || n.Type() == ast.NullType
}

// placed turns an error of the YAML library into an *Error.
func placed(err error) *Error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return &Error{Msg: err.Error()}
	}
	msg := strings.NewReplacer("unknown field", "unknown key").Replace(y.GetMessage())
	if m := goTypes.FindStringSubmatch(msg); m != nil {
		msg = fmt.Sprintf("here is %s, where %s belongs", kindOf(m[1]), kindOf(m[2]))
	}
	e := &Error{Msg: msg}
	if t := y.GetToken(); t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	return e
}

// at returns an *Error at the place of a node.
func at(n ast.Node, format string, args ...any) error {
	e := &Error{Msg: fmt.Errorf(format, args...).Error()}
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
