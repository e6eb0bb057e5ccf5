package policy

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// namePattern is what a dataset's name looks like.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// check says what is wrong in a decoded file and cleans its paths. body is
// where the values came from, for the places of errors.
func check(f *File, body ast.Node) error {
	if r := f.Repository; r != "" && !strings.Contains(r, "://") && !filepath.IsAbs(r) {
		return at(locate(body, "repository"),
			"repository %q depends on the folder that store runs in; write a URL or an absolute path", r)
	}
	if f.PasswordFile != "" {
		clean, problem := cleanPath(f.PasswordFile)
		if problem != "" {
			return at(locate(body, "password_file"), "password_file %q %s", f.PasswordFile, problem)
		}
		f.PasswordFile = clean
	}
	owner := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(f.Datasets)) {
		d := f.Datasets[name]
		if err := checkDataset(name, &d, owner, body); err != nil {
			return err
		}
		f.Datasets[name] = d
	}
	return nil
}

// checkDataset checks one dataset and enters its paths in owner.
func checkDataset(name string, d *Dataset, owner map[string]string, body ast.Node) error {
	if !namePattern.MatchString(name) {
		return at(locate(body, "datasets", name),
			"dataset name %q: use up to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first", name)
	}
	switch d.Class {
	case ClassUser, ClassState, ClassTransactional, ClassLog:
	case "":
		return at(locate(body, "datasets", name), "dataset %s has no class: user, state, transactional or log", name)
	default:
		return at(locate(body, "datasets", name, "class"),
			"dataset %s: class %q is none of user, state, transactional and log", name, d.Class)
	}
	if len(d.Paths) == 0 {
		return at(locate(body, "datasets", name), "dataset %s has no paths", name)
	}
	paths := make([]string, len(d.Paths))
	for i, p := range d.Paths {
		clean, problem := cleanPath(p)
		if problem != "" {
			return at(locatePath(body, name, i), "dataset %s: path %q %s", name, p, problem)
		}
		if other, taken := owner[clean]; taken {
			return at(locatePath(body, name, i),
				"dataset %s: path %s stands in dataset %s already", name, clean, other)
		}
		owner[clean], paths[i] = name, clean
	}
	d.Paths = paths
	return nil
}

// cleanPath returns an absolute path in its shortest form, or what is wrong
// with it. Dots are not resolved: past a symlink they would lead elsewhere.
func cleanPath(p string) (clean, problem string) {
	switch {
	case strings.ContainsRune(p, 0):
		return "", "holds a zero byte"
	case !filepath.IsAbs(p):
		return "", "is not absolute"
	case slices.Contains(strings.Split(p, "/"), ".."):
		return "", "goes back by \"..\"; write where it leads"
	}
	return filepath.Clean(p), ""
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

// locatePath returns the i-th path of a dataset.
func locatePath(body ast.Node, dataset string, i int) ast.Node {
	n := body
	for _, key := range []string{"datasets", dataset, "paths"} {
		entry := lookup(n, key)
		if entry == nil {
			return locate(body, "datasets", dataset)
		}
		n = entry.Value
	}
	if seq, ok := n.(*ast.SequenceNode); ok && i < len(seq.Values) {
		return seq.Values[i]
	}
	return locate(body, "datasets", dataset, "paths")
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
