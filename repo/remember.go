package repo

import (
	"encoding/json"
	"os"
	"strings"

	"savepoint/repo/pack"
	"savepoint/repo/storage"
)

// remembered is what a host keeps in its cache of the index as a backup of a source saw it: sizes of data segments by name.
type remembered map[string]int64

func (r *Repo) rememberedFile(dataset, host string) string {
	return r.cacheFile(r.id, "index-"+r.SourceTag(dataset, host))
}

// remember notes the data segments that this session listed and made, so that the next run misses those that are lost.
func (s *Session) remember() {
	path := s.r.rememberedFile(s.dataset, s.host)
	_, list := s.current()
	if path == "" || list == nil {
		return
	}
	seen := dataSegments(list.Segments)
	s.segs.mu.Lock()
	for _, o := range s.segs.own {
		if o.kind == pack.Data && !o.late {
			seen[o.name] = o.size
		}
	}
	s.segs.mu.Unlock()
	b, err := json.Marshal(seen)
	if err == nil {
		err = writeCache(path, b)
	}
	if err != nil {
		s.r.o.Logger.Debug("cache could not be written", "err", err)
	}
}

func dataSegments(infos []storage.Info) remembered {
	m := remembered{}
	for _, i := range infos {
		if strings.HasPrefix(i.Name, indexDomain+"data/") {
			m[i.Name] = i.Size
		}
	}
	return m
}

// missesSegment returns a data segment that the last run of this source on this host saw, and that is gone or has another size: what only it
// locates cannot be restored until it is stored again. Without a cache nothing is known.
func (s *Session) missesSegment() string {
	path := s.r.rememberedFile(s.dataset, s.host)
	if path == "" {
		return ""
	}
	b, err := os.ReadFile(path)
	was := remembered{}
	if err != nil || json.Unmarshal(b, &was) != nil {
		return ""
	}
	_, list := s.current()
	is := dataSegments(list.Segments)
	for name, size := range was {
		if is[name] != size {
			return name
		}
	}
	return ""
}
