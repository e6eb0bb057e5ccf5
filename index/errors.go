package index

import "errors"

// ErrNoSpace is returned when the file system has too little room for what must be written. Nothing was changed.
var ErrNoSpace = errors.New("too little space for the index")

// ErrDamaged is returned by lookups that met bytes of the index which are not as they were written. The part is set aside
// by the next Sync, which reads the segments again; until then its chunks are missing.
var ErrDamaged = errors.New("index is damaged")

// ErrStale is returned for an ordinal from before a Sync that changed what ordinals mean.
var ErrStale = errors.New("pack ordinal is stale")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("index is closed")
