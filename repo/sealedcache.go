package repo

import (
	"bytes"
	"encoding/binary"
	"os"
	"sync"

	"savepoint/repo/tree"
)

// sealedCache keeps small sealed objects of one kind on this host, as they lie in the store: they are never edited, and a session needs
// all manifests of its source, and health all reports, none of which anything relies on. They are opened like those of the store, so that
// one which is damaged or another's is noticed and read again. Who lists snapshots for people reads the store, and sees what is damaged there; Survey,
// which looks every few minutes, reads the newest ones there.
type sealedCache struct {
	path   string               // empty: nothing is kept
	reread map[string]bool      // objects that are read from the store all the same
	slim   func(*tree.Manifest) // takes out of a manifest what needs no keeping; nil: nothing

	mu    sync.Mutex
	have  map[string][]byte // by object name, as loaded
	used  map[string][]byte // of those, and of new ones: what the listing shows
	fresh int               // new ones among used
	size  int               // bytes of used, as a file has them
}

const (
	cacheMagic   = "savepoint sealed objects 1\n"
	maxCacheFile = 256 << 20
	cacheHead    = 6 // lengths of a name and an object
)

// loadSealed loads the cache that is kept in a file of that name.
func (r *Repo) loadSealed(file string) *sealedCache {
	c := &sealedCache{path: r.cacheFile(r.id, file)}
	if c.path == "" {
		return c
	}
	if fi, err := os.Stat(c.path); err == nil && fi.Size() <= maxCacheFile {
		if b, err := os.ReadFile(c.path); err == nil {
			c.have = parseSealed(b)
		}
	}
	return c
}

// get returns the sealed bytes of an object of that size, or nil.
func (c *sealedCache) get(name string, size int64) []byte {
	if b := c.have[name]; int64(len(b)) == size && !c.reread[name] {
		return b
	}
	return nil
}

// use keeps an object that is listed and was opened, as long as there is room.
func (c *sealedCache) use(name string, sealed []byte, isNew bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	need := cacheHead + len(name) + len(sealed)
	if c.path == "" || c.size+need > maxCacheFile-len(cacheMagic) {
		return
	}
	c.size += need
	if c.used == nil {
		c.used = map[string][]byte{}
	}
	c.used[name] = sealed
	if isNew && !bytes.Equal(c.have[name], sealed) {
		c.fresh++
	}
}

// save writes the cache when there is something new. Of what was loaded and is not used now, as that of other sources, it keeps what
// listed says.
func (c *sealedCache) save(listed func(name string) bool) error {
	if c.path == "" || c.fresh == 0 {
		return nil
	}
	out := bytes.NewBufferString(cacheMagic)
	put := func(name string, b []byte) {
		var head [cacheHead]byte
		binary.BigEndian.PutUint16(head[:], uint16(len(name)))
		binary.BigEndian.PutUint32(head[2:], uint32(len(b)))
		out.Write(head[:])
		out.WriteString(name)
		out.Write(b)
	}
	for name, b := range c.used {
		put(name, b)
	}
	for name, b := range c.have {
		if c.used[name] == nil && listed(name) && out.Len()+cacheHead+len(name)+len(b) <= maxCacheFile {
			put(name, b)
		}
	}
	return writeCache(c.path, out.Bytes())
}

// parseSealed reads what save wrote, as far as it is whole.
func parseSealed(b []byte) map[string][]byte {
	out := map[string][]byte{}
	b, ok := bytes.CutPrefix(b, []byte(cacheMagic))
	for ok && len(b) >= cacheHead {
		n, size := int64(binary.BigEndian.Uint16(b)), int64(binary.BigEndian.Uint32(b[2:]))
		if b = b[cacheHead:]; n+size > int64(len(b)) {
			break
		}
		out[string(b[:n])] = b[n : n+size : n+size]
		b = b[n+size:]
	}
	return out
}
