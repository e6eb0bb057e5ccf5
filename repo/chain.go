package repo

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zeebo/blake3"

	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/tree"
)

// chain is what a writer of reports remembers of its last one. Forgotten with the cache, it starts anew under another
// writer ID.
type chain struct {
	Writer record.ID
	Seq    uint64
	Hash   [32]byte
}

func (r *Repo) chainFile(dataset, host string) string {
	return r.chainFileOf(r.SourceTag(dataset, host))
}

// chainFileOf returns the file of the chain of a source, by its tag; "" when there is none.
func (r *Repo) chainFileOf(tag string) string {
	name := "chain-" + tag
	if r.o.Place != "" {
		id := blake3.Sum256([]byte(r.o.Place))
		name += "-" + hex.EncodeToString(id[:4])
	}
	if r.o.Chains != "" {
		return filepath.Join(r.o.Chains, r.id.String(), name)
	}
	return r.cacheFile(r.id, name)
}

// forgetChains makes the next reports of this host begin new chains here: those that it remembers may have gone on elsewhere.
func (r *Repo) forgetChains() {
	pattern := r.chainFileOf("????????")
	if pattern == "" {
		return
	}
	files, err := fs.Glob(os.DirFS(filepath.Dir(pattern)), filepath.Base(pattern)) // the folder's own name may have what a pattern has
	for _, f := range files {
		err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(pattern), f)))
	}
	if err != nil {
		r.o.Logger.Warn("chains of reports could not be forgotten: verify may miss reports that were written elsewhere", "err", err)
	}
}

func (r *Repo) loadChain(dataset, host string) chain {
	var c chain
	if p := r.chainFile(dataset, host); p != "" {
		if b, err := os.ReadFile(p); err == nil && json.Unmarshal(b, &c) == nil && c.Writer != (record.ID{}) {
			return c
		}
	}
	return chain{Writer: newID()}
}

// takeChain returns the chain and forgets it until the new head is known: a report of unknown fate must not get a second one
// with its number.
func (r *Repo) takeChain(dataset, host string) chain {
	c := r.loadChain(dataset, host)
	if p := r.chainFile(dataset, host); p != "" {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return chain{Writer: newID()}
		}
	}
	return c
}

// Chains returns the head of this source's chain of reports, for a manifest.
func (s *Session) Chains() []tree.Chain {
	c := s.r.loadChain(s.dataset, s.host)
	if c.Seq == 0 {
		return nil
	}
	return []tree.Chain{{Writer: c.Writer, Seq: c.Seq, Hash: c.Hash}}
}

// PutReport stores the report of a run. It fills in writer, seq and the hash of the report before, host, dataset and
// version, and what the run took so far. A report whose fate is not known ends its chain, and the next one begins another. One goroutine at a time for
// each source.
func (r *Repo) PutReport(ctx context.Context, dataset, host string, rep *record.Report) error {
	c := r.takeChain(dataset, host)
	rep.Writer, rep.Seq, rep.Previous = c.Writer, c.Seq+1, c.Hash
	rep.Dataset, rep.Host, rep.Version = dataset, host, r.o.Version
	if r.o.Usage != nil {
		u := r.o.Usage.Usage()
		rep.Usage = &u
	}
	payload, err := rep.Encode()
	if err != nil {
		return err
	}
	_, sealed, err := r.putSealed(ctx, seal.Report, "reports/"+idHex(newID()), payload)
	if err != nil {
		return err
	}
	c.Seq, c.Hash = rep.Seq, blake3.Sum256(sealed)
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if p := r.chainFile(dataset, host); p != "" {
		if err := writeCache(p, b); err != nil {
			r.o.Logger.Debug("chain of reports could not be remembered", "err", err)
		}
	}
	return nil
}
