package policy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// explainUnknown adds to what is said of an unknown key which one may be meant, or
// which ones there are in its place.
func explainUnknown(e *Error, body ast.Node) {
	_, rest, found := strings.Cut(e.Msg, `unknown key "`)
	key, _, closed := strings.Cut(rest, `"`)
	if !found || !closed {
		return
	}
	known := knownAt(body, reflect.TypeFor[fileText](), e.Line, e.Column)
	if len(known) == 0 {
		return
	}
	if near := nearest(key, known); near != "" {
		e.Msg = fmt.Sprintf("unknown key %q; did you mean %q?", key, near)
		return
	}
	e.Msg = fmt.Sprintf("unknown key %q; here there are %s", key, strings.Join(known, ", "))
}

// knownAt returns the keys of the mapping that has a key at a place; nil if there
// is none there. t is the type that n is decoded into.
func knownAt(n ast.Node, t reflect.Type, line, column int) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		return knownAt(n.Value, t, line, column)
	case *ast.SequenceNode:
		if t.Kind() != reflect.Slice {
			return nil
		}
		for _, v := range n.Values {
			if known := knownAt(v, t.Elem(), line, column); known != nil {
				return known
			}
		}
	case ast.MapNode:
		fields := fieldsOf(t)
		for entries := n.MapRange(); entries.Next(); {
			k := entries.Key()
			if k == nil || k.GetToken() == nil || k.GetToken().Position == nil {
				continue
			}
			name, place := k.GetToken().Value, k.GetToken().Position
			if place.Line == line && place.Column == column && t.Kind() == reflect.Struct {
				return slices.Sorted(maps.Keys(fields))
			}
			inner, ok := fields[name]
			if t.Kind() == reflect.Map {
				inner, ok = t.Elem(), true
			}
			if name == "<<" {
				inner, ok = t, true
			}
			if ok {
				if known := knownAt(entries.Value(), inner, line, column); known != nil {
					return known
				}
			}
		}
	}
	return nil
}

// fieldsOf returns the keys of a mapping that is decoded into t, with their types.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if t == reflect.TypeFor[probeText]() {
		t = reflect.TypeFor[probeKinds]()
	}
	fields := map[string]reflect.Type{}
	if t.Kind() != reflect.Struct {
		return fields
	}
	for f := range t.Fields() {
		if name := f.Tag.Get("yaml"); name != "" {
			fields[name] = f.Type
		}
	}
	return fields
}

// nearest returns the one of known that a slip of the hand makes of word, or "".
func nearest(word string, known []string) string {
	best, least := "", 3
	if len(word) > 64 {
		return ""
	}
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < least && d*2 < len(k)+1 {
			best, least = k, d
		}
	}
	return best
}

// distance returns how many letters are to be put in, taken out or changed to make
// b of a; two that stand the wrong way round count as one.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, last, now := rows[0], rows[1], rows[2]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], older[j-2]+1)
			}
		}
		rows = [3][]int{last, now, older}
	}
	return rows[1][len(b)]
}
