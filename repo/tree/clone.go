package tree

import "slices"

// Clone returns a builder of the same directory that has taken the same entries. Either may go on, or finish, without a trace in the
// other; the sink is one, so that one goroutine at a time may use the two unless the sink says otherwise.
func (b *DirBuilder) Clone() *DirBuilder {
	c := *b
	c.lists = b.lists.clone()
	c.page = pageWriter{body: slices.Clone(b.page.body), count: b.page.count, users: slices.Clone(b.page.users), groups: slices.Clone(b.page.groups)}
	c.entry, c.last = nil, slices.Clone(b.last)
	return &c
}

func (l *levels) clone() levels {
	c := *l
	c.out, c.name = nil, nil
	for i := range c.level {
		c.level[i].pending = slices.Clone(l.level[i].pending)
	}
	return c
}
