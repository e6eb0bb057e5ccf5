package tree

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"savepoint/internal/wire"
)

// Keys of a page.
const (
	keyEntries = 1
	keyUsers   = 2
	keyGroups  = 3
)

// Page is a part of a directory: entries in strict order of name. The User and
// Group of an entry go through tables with one name for each number: entries
// of one page with one UID have one User when decoded, the first that is not
// empty when they were encoded.
type Page struct{ Entries []Entry }

// EncodePage encodes p, or says which rule it breaks. Where pages of a
// directory end is for [DirBuilder] to say.
func EncodePage(p *Page) ([]byte, error) {
	var w pageWriter
	for i := range p.Entries {
		e := &p.Entries[i]
		err := e.Validate()
		if err == nil && (e.Name == "" || i > 0 && p.Entries[i-1].Name >= e.Name) {
			err = fmt.Errorf("entry %q does not follow the one before", e.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("encode page: %w", err)
		}
		size := len(w.body)
		w.body = AppendEntry(w.body, e)
		w.count++
		if len(w.body)-size > MaxEntry || w.count > 1 && len(w.body) > maxPage {
			return nil, fmt.Errorf("encode page: entry %q makes it too long", e.Name)
		}
		w.own(e)
	}
	if w.count == 0 {
		return nil, errors.New("encode page: no entries")
	}
	b := w.bytes()
	if len(b) > MaxChunk {
		return nil, errors.New("encode page: over 2 MiB with the names of users and groups")
	}
	return b, nil
}

// pageWriter puts a page together from encoded entries.
type pageWriter struct {
	body          []byte // the entries
	count         int
	users, groups []owner // in order of id
	out           []byte
}

type owner struct {
	id   uint32
	name string
}

func (w *pageWriter) reset() {
	w.body, w.count = w.body[:0], 0
	clear(w.users) // for the names that they hold
	clear(w.groups)
	w.users, w.groups = w.users[:0], w.groups[:0]
}

// own enters the user and group of e in the tables.
func (w *pageWriter) own(e *Entry) {
	w.users = addOwner(w.users, e.UID, e.User)
	w.groups = addOwner(w.groups, e.GID, e.Group)
}

func addOwner(table []owner, id uint32, name string) []owner {
	if name == "" {
		return table
	}
	i, found := findOwner(table, id)
	if found {
		return table
	}
	return slices.Insert(table, i, owner{id, strings.Clone(name)})
}

func findOwner(table []owner, id uint32) (int, bool) {
	return slices.BinarySearchFunc(table, id, func(o owner, id uint32) int { return cmp.Compare(o.id, id) })
}

// bytes returns the page, which is valid until the next call.
func (w *pageWriter) bytes() []byte {
	n := 1
	for _, t := range [][]owner{w.users, w.groups} {
		if len(t) > 0 {
			n++
		}
	}
	b := wire.AppendUint(wire.AppendMap(w.out[:0], n), keyEntries)
	b = append(wire.AppendArray(b, w.count), w.body...)
	b = appendOwners(b, keyUsers, w.users)
	w.out = appendOwners(b, keyGroups, w.groups)
	return w.out
}

func appendOwners(dst []byte, key uint64, table []owner) []byte {
	if len(table) == 0 {
		return dst
	}
	dst = wire.AppendArray(wire.AppendUint(dst, key), len(table))
	for _, o := range table {
		dst = wire.AppendUint(wire.AppendArray(dst, 2), uint64(o.id))
		dst = wire.AppendText(dst, o.name)
	}
	return dst
}

// DecodePage decodes a page and checks it by itself. The error wraps
// [ErrCorrupt] or [ErrNewer]. Nothing in the page refers to b.
func DecodePage(b []byte) (*Page, error) {
	p := &Page{}
	if err := p.decode(b); err != nil {
		return nil, corrupt("decode page", err)
	}
	return p, nil
}

// decode decodes b into p and uses the slice of entries that it has.
func (p *Page) decode(b []byte) error {
	if len(b) > MaxChunk {
		return errors.New("over 2 MiB")
	}
	p.Entries = p.Entries[:0]
	var users, groups []owner
	r := wire.NewReader(b)
	key := int64(-1)
	for pairs := r.Map(); pairs > 0 && r.Err() == nil; pairs-- {
		switch key = r.Key(key); {
		case key == keyEntries:
			p.readEntries(&r)
		case key == keyUsers:
			users = readOwners(&r)
		case key == keyGroups:
			groups = readOwners(&r)
		case key < wire.FirstOptional:
			r.Newer(uint64(key))
		default:
			r.Within(1)
			r.Skip()
		}
	}
	if err := r.Done(); err != nil {
		return err
	}
	if len(p.Entries) == 0 {
		return errors.New("no entries")
	}
	return p.name(users, groups)
}

func (p *Page) readEntries(r *wire.Reader) {
	n := r.Array()
	start := r.Offset()
	for i := 0; i < n && r.Err() == nil; i++ {
		p.Entries = append(p.Entries, Entry{})
		e := &p.Entries[i]
		readEntry(r, e)
		switch {
		case r.Err() != nil:
		case i > 0 && r.Offset()-start > maxPage:
			r.Malformed("page is too long")
		case e.Name == "":
			r.Malformed("entry without a name")
		case i > 0 && p.Entries[i-1].Name >= e.Name:
			r.Fail(fmt.Errorf("entry %q does not follow %q", e.Name, p.Entries[i-1].Name))
		}
	}
}

func readOwners(r *wire.Reader) []owner {
	n := r.Array()
	if n == 0 {
		zero(r)
	}
	table := make([]owner, 0, min(n, 64))
	for i := 0; i < n && r.Err() == nil; i++ {
		readPair(r)
		o := owner{r.Uint32(), r.Text()}
		if o.name == "" || i > 0 && table[i-1].id >= o.id {
			r.Malformed("table of names is not in order, or a name is empty")
		}
		table = append(table, o)
	}
	return table
}

// name gives entries the names from the tables, each of which must occur.
func (p *Page) name(users, groups []owner) error {
	usedUsers, usedGroups := make([]bool, len(users)), make([]bool, len(groups))
	for i := range p.Entries {
		e := &p.Entries[i]
		if j, ok := findOwner(users, e.UID); ok {
			e.User, usedUsers[j] = users[j].name, true
		}
		if j, ok := findOwner(groups, e.GID); ok {
			e.Group, usedGroups[j] = groups[j].name, true
		}
	}
	if slices.Contains(usedUsers, false) || slices.Contains(usedGroups, false) {
		return errors.New("table names a number that does not occur")
	}
	return nil
}
