// Package tree encodes what a snapshot consists of: entries, the pages and
// nodes that hold them and their content, and manifests. It does no I/O of its
// own: builders hand encoded tree chunks to a [Sink], readers take them from a
// [Source].
//
// A directory is a list of pages, a file a list of chunks and holes; a list
// that is long is cut into nodes, which form a list again. Where pages and
// nodes end depends on content and on a secret alone, so equal directories
// have equal pages whoever writes them, and a change reaches one page and the
// nodes above it.
//
// Everything decoded is checked in full against docs/format.md sections 6 and
// 8, hostile bytes included: what a decoder accepts, the encoder writes again
// byte for byte (fields of pages, nodes and manifests that this program does
// not know and may ignore are the exception: they are dropped).
//
// Memory: a [DirBuilder] holds a page and at most 256 elements for each level
// of nodes, a [ListBuilder] the elements; readers hold one page, and one node
// for each level.
package tree
