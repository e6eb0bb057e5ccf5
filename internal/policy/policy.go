// Package policy reads the configuration file: which repository, which datasets
// with their paths, and what is wanted of each: schedules, objectives, drills.
//
// An Effective is what holds for one dataset, each value with where it came from:
// the file, the defaults of the dataset's class, or those of the program. Every
// snapshot carries it (Encode), so that it outlives the host (Decode).
package policy

import (
	"maps"
	"path/filepath"
	"slices"
	"time"
)

// A File is a configuration that Load has checked.
type File struct {
	// Path is the file it was read from.
	Path string
	// Repository is a URL or an absolute path; empty if the file names none.
	Repository string
	// PasswordFile is an absolute path; empty if the file names none.
	PasswordFile string
	// Timezone rules all schedules.
	Timezone *time.Location
	// Prices are nil if the file names none.
	Prices *Prices
	// Quota is how many bytes the packs of the repository may have; 0 if the file names
	// none.
	Quota uint64
	// Datasets by name. No path stands in two of them.
	Datasets map[string]*Effective

	origins map[string]Origin
}

// Prices are those of the storage, in any one currency.
type Prices struct {
	GBMonth         float64 // for keeping 10⁹ bytes for a month
	GBOut           float64 // for receiving 10⁹ bytes
	Per1000Requests float64
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
func (f *File) Dataset(path string) (name string, e *Effective, ok bool) {
	path = filepath.Clean(path)
	for name, e := range f.Datasets {
		if slices.Contains(e.Paths, path) {
			return name, e, true
		}
	}
	return "", nil, false
}

// OfHost returns the datasets that host has, in order of name.
func (f *File) OfHost(host string) []*Effective {
	var out []*Effective
	for _, name := range slices.Sorted(maps.Keys(f.Datasets)) {
		if e := f.Datasets[name]; e.OnHost(host) {
			out = append(out, e)
		}
	}
	return out
}

// Values returns the settings of the file that are not a dataset's.
func (f *File) Values() []Value {
	t := fileText{Repository: f.Repository, PasswordFile: f.PasswordFile, Timezone: zoneName(f.Timezone), Prices: f.Prices.text(), Quota: sizeText(f.Quota)}
	return shown(t.entries(), f.origins)
}

// zoneName returns the name of a time zone; nil is UTC.
func zoneName(z *time.Location) string {
	if z == nil {
		return time.UTC.String()
	}
	return z.String()
}
