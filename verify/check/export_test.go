package check

// WithSet makes a run keep at most so many bytes of each set of prefixes in memory.
func (o Options) WithSet(n int64) Options {
	o.set = n
	return o
}
