package drill

import (
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"savepoint/repo/source"
)

// folder is an open directory of the target. The last of its users closes it.
type folder struct {
	up    *folder // nil: origin is its path
	name  string  // in up
	dir   *source.Dir
	users atomic.Int32

	origin string // in the snapshot; empty in the target of several roots
	locked bool   // its owner may not read it: the mode is to be given back
	mode   uint32
}

func (f *folder) hold() *folder {
	f.users.Add(1)
	return f
}

func (f *folder) release() error {
	if f == nil || f.users.Add(-1) > 0 {
		return nil
	}
	if f.locked {
		_ = unix.Fchmod(f.dir.FD(), f.mode) // it is removed soon, and whoever keeps it sees another mode
	}
	return f.dir.Close()
}

// path returns the path of name, or with an empty one that of the folder, as the snapshot has it, for messages. The root of a file
// system is "".
func (f *folder) path(name string) string {
	var names []string
	if name != "" {
		names = append(names, name)
	}
	for ; f.up != nil; f = f.up {
		names = append(names, f.name)
	}
	slices.Reverse(names)
	return strings.TrimSuffix(f.origin, "/") + strings.Join(append([]string{""}, names...), "/")
}
