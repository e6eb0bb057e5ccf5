// Package policy reads the configuration file: which repository, and which
// datasets with their paths.
package policy

import (
	"path/filepath"
	"slices"
)

// A File is a configuration that Load has checked.
type File struct {
	// Path is the file it was read from.
	Path string `yaml:"-"`
	// Repository is a URL or an absolute path; empty if the file names none.
	Repository string `yaml:"repository"`
	// PasswordFile is an absolute path; empty if the file names none.
	PasswordFile string `yaml:"password_file"`
	// Datasets by name. No path stands in two of them.
	Datasets map[string]Dataset `yaml:"datasets"`
}

// A Dataset is a named thing to protect.
type Dataset struct {
	Class Class `yaml:"class"`
	// Paths are absolute and cleaned; there is at least one.
	Paths []string `yaml:"paths"`
}

// Class says what kind of data a dataset holds; it only presets defaults.
type Class string

// The classes.
const (
	ClassUser          Class = "user"
	ClassState         Class = "state"
	ClassTransactional Class = "transactional"
	ClassLog           Class = "log"
)

// Dataset returns the dataset that path is one of the paths of. A path beneath
// one of them belongs to none.
func (f *File) Dataset(path string) (name string, d Dataset, ok bool) {
	path = filepath.Clean(path)
	for name, d := range f.Datasets {
		if slices.Contains(d.Paths, path) {
			return name, d, true
		}
	}
	return "", Dataset{}, false
}
