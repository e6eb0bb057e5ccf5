package index

// OpenFew opens an index whose delta may hold only few chunks before it is merged.
func OpenFew(dir string, o Options, few int64) (*Index, error) { return open(dir, o, few, freeBytes) }

// OpenFree opens an index on a file system that has so many bytes free.
func OpenFree(dir string, o Options, free func() int64) (*Index, error) {
	return open(dir, o, smallDelta, func(string) (int64, error) { return free(), nil })
}
