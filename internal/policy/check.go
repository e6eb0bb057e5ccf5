package policy

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// check makes a File of what was decoded, or says what is wrong in it. body is
// where the values came from, for their places.
func check(t *fileText, body ast.Node) (*File, error) {
	f := &File{Repository: t.Repository, Datasets: make(map[string]*Effective), origins: map[string]Origin{}}
	if r := f.Repository; r != "" && !strings.Contains(r, "://") && !filepath.IsAbs(r) {
		return nil, at(locate(body, "repository"),
			"repository %q depends on the folder that store runs in; write a URL or an absolute path", r)
	}
	if t.PasswordFile != "" {
		clean, problem := cleanPath(t.PasswordFile)
		if problem != "" {
			return nil, at(locate(body, "password_file"), "password_file %q %s", t.PasswordFile, problem)
		}
		f.PasswordFile = clean
	}
	var err error
	if f.Timezone, err = parseZone(t.Timezone); err != nil {
		return nil, at(locate(body, "timezone"), "timezone %q %w", t.Timezone, err)
	}
	if f.Prices, err = parsePrices(t.Prices); err != nil {
		return nil, placedIn(body, nil, "", err)
	}
	if f.Quota, err = parseQuota(t.Quota); err != nil {
		return nil, placedIn(body, nil, "", err)
	}
	for _, x := range t.entries() {
		if x.given() {
			f.origins[x.key] = Origin{FromFile, lineOf(locate(body, strings.Split(x.key, ".")...))}
		}
	}
	owner := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(t.Datasets)) {
		e, err := checkDataset(name, f, t.Datasets[name], owner, body)
		if err != nil {
			return nil, err
		}
		f.Datasets[name] = e
	}
	return f, nil
}

func parsePrices(t pricesText) (*Prices, error) {
	if t == (pricesText{}) {
		return nil, nil
	}
	p := new(Prices)
	for _, x := range []struct {
		key, text string
		into      *float64
	}{{"gb_month", t.GBMonth, &p.GBMonth}, {"gb_out", t.GBOut, &p.GBOut}, {"per_1000_requests", t.Per1000Requests, &p.Per1000Requests}} {
		if x.text == "" {
			continue
		}
		n, err := parsePrice(x.text)
		if err != nil {
			return nil, faultf("prices."+x.key, "prices.%s %q %w", x.key, x.text, err)
		}
		*x.into = n
	}
	return p, nil
}

// checkDataset makes one dataset and enters its paths in owner.
func checkDataset(name string, f *File, d datasetText, owner map[string]string, body ast.Node) (*Effective, error) {
	place := []string{"datasets", name}
	if !namePattern.MatchString(name) {
		return nil, at(locate(body, place...),
			"dataset name %q: use up to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first", name)
	}
	e, err := build(name, d, shared{f.Timezone, f.Prices, f.Quota})
	if err != nil {
		return nil, placedIn(body, place, "dataset "+name, err)
	}
	for i, p := range e.Paths {
		if other, taken := owner[p]; taken {
			return nil, at(locateItem(body, i, "datasets", name, "paths"), "dataset %s: path %s stands in dataset %s already", name, p, other)
		}
		owner[p] = name
		for _, q := range e.Paths[:i] {
			if within(p, q) || within(q, p) {
				return nil, at(locateItem(body, i, "datasets", name, "paths"), "dataset %s: paths %s and %s lie in each other, and the inner one is backed up anyway", name, q, p)
			}
		}
	}
	for key, o := range e.Origins {
		if o.From == FromFile {
			e.Origins[key] = Origin{FromFile, lineOf(locate(body, append(slices.Clone(place), strings.Split(key, ".")...)...))}
		}
	}
	stored, err := e.Encode()
	if err != nil {
		return nil, at(locate(body, place...), "dataset %s: %w", name, err)
	}
	if len(stored) > MaxStored {
		return nil, at(locate(body, place...), "dataset %s: what every snapshot carries of it has %d bytes; at most %d", name, len(stored), MaxStored)
	}
	return e, nil
}

// within reports whether p lies in the folder q.
func within(p, q string) bool { return strings.HasPrefix(p, strings.TrimSuffix(q, "/")+"/") }

// placedIn gives the error of a value its place beneath a key of the file.
func placedIn(body ast.Node, above []string, what string, err error) error {
	var x *fault
	if !errors.As(err, &x) {
		return at(locate(body, above...), "%s: %w", what, err)
	}
	keys := append(slices.Clone(above), x.where...)
	node := locate(body, keys...)
	if x.index >= 0 {
		node = locateItem(body, x.index, keys...)
	}
	switch text := x.Error(); {
	case what == "":
		return at(node, "%s", text)
	case strings.HasPrefix(text, "has no "): // what is missing
		return at(node, "%s %s", what, text)
	default:
		return at(node, "%s: %s", what, text)
	}
}

// locate returns the key at the end of nested mappings, for the place of an
// error; where a key is not written there (it came through an alias), the last
// one that is.
func locate(n ast.Node, keys ...string) ast.Node {
	last := n
	for _, key := range keys {
		entry := lookup(n, key)
		if entry == nil {
			break
		}
		last, n = entry.Key, entry.Value
	}
	return last
}

// locateItem returns the i-th of a list of values, or else the key of the list.
func locateItem(body ast.Node, i int, keys ...string) ast.Node {
	n := body
	for _, key := range keys {
		entry := lookup(n, key)
		if entry == nil {
			return locate(body, keys...)
		}
		n = entry.Value
	}
	if seq, ok := n.(*ast.SequenceNode); ok && i < len(seq.Values) {
		return seq.Values[i]
	}
	return locate(body, keys...)
}

// lookup returns the entry of a mapping, or nil.
func lookup(n ast.Node, key string) *ast.MappingValueNode {
	mapping, ok := n.(ast.MapNode)
	if !ok {
		return nil
	}
	for entries := mapping.MapRange(); entries.Next(); {
		if k := entries.Key(); k != nil && k.GetToken() != nil && k.GetToken().Value == key {
			return entries.KeyValue()
		}
	}
	return nil
}

// lineOf returns the line of a node, from 1; 0 if it has none.
func lineOf(n ast.Node) int {
	var e *Error
	if errors.As(at(n, ""), &e) {
		return e.Line
	}
	return 0
}
