package tree

import "savepoint/chunk"

// Limits of the format, in bytes unless it says otherwise.
const (
	MaxName     = 255      // of one entry's name
	MaxEntry    = 1 << 20  // one entry, encoded
	MaxChunk    = 2 << 20  // a page or a node, encoded
	MaxManifest = 64 << 20 // encoded
	MaxContent  = 32       // elements in an entry's own list
	MaxDepth    = 8        // nodes within each other
	MaxFaults   = 10_000   // listed in a manifest

	minPage = 4 << 10 // of encoded entries, before a name may end a page
	maxPage = 64 << 10
	minNode = 16 // elements, before one may end a node
	maxNode = 256

	maxDataChunk = chunk.MaxSize
	modeBits     = 0o7777
)
