package repo

import (
	"encoding/hex"
	"fmt"
	"strings"

	"savepoint/chunk"
	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/tree"
)

// Repo is an open repository.
type Repo struct {
	st     storage.Store
	o      Options
	id     seal.RepoID
	ring   *seal.Ring
	params chunk.Params
	codec  *pack.Codec
	dataID *chunk.Key
	treeID *chunk.Key
	tags   *chunk.Key
	cutter *tree.Cutter
	slot   string // the key slot that opened

	content seal.Slot // what it holds, for new slots

	notes notes

	readOnly   error // why writing is refused; nil when it is not
	mergeAbove int   // segments of a kind that may stand unmerged
}

func newRepo(st storage.Store, o Options, slot string, ring *seal.Ring, params chunk.Params) (*Repo, error) {
	codec, err := pack.NewCodec(o.Sealers)
	if err != nil {
		return nil, err
	}
	return &Repo{
		st: st, o: o, id: ring.Repo, ring: ring, params: params, codec: codec, slot: slot, mergeAbove: mergeAbove,
		dataID: chunk.NewKey(ring.DataID),
		treeID: chunk.NewKey(ring.TreeID),
		tags:   chunk.NewKey(ring.SourceTag),
		cutter: tree.NewCutter(ring.PageCut),
	}, nil
}

// ID returns the repository's ID.
func (r *Repo) ID() seal.RepoID { return r.id }

// Params returns the splitter's parameters.
func (r *Repo) Params() chunk.Params { return r.params }

// Cutter returns what decides where pages and lists are cut.
func (r *Repo) Cutter() *tree.Cutter { return r.cutter }

// Slot returns the name of the key slot that opened the repository.
func (r *Repo) Slot() string { return r.slot }

// ReadOnly returns why the repository must not be written, or nil.
func (r *Repo) ReadOnly() error { return r.readOnly }

// Options returns the options in effect.
func (r *Repo) Options() Options { return r.o }

// key returns the key of chunk IDs in packs of the kind.
func (r *Repo) key(k pack.Kind) *chunk.Key {
	if k == pack.Meta {
		return r.treeID
	}
	return r.dataID
}

// SourceTag returns the folder of a source's manifests, 8 hex digits. Different sources can share one.
func (r *Repo) SourceTag(dataset, host string) string {
	id := r.tags.Sum([]byte(dataset + "\x00" + host))
	return hex.EncodeToString(id[:4])
}

// SpotKey returns the key with which a backup chooses unchanged files to read all the same.
func (r *Repo) SpotKey() *chunk.Key { return r.tags }

func parseID(s string) (record.ID, error) {
	var id record.ID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) || strings.ToLower(s) != s {
		return id, fmt.Errorf("object ID %q is not 32 hex digits", s)
	}
	return record.ID(b), nil
}

func idHex(id record.ID) string { return hex.EncodeToString(id[:]) }
