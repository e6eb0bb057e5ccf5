// Package backup is the pipeline from a source to a snapshot.
//
//	walk ─ batches ─▶ workers (stat, read, cut, hash, store) ─▶ assemble (pages) ─▶ commit
//
// The walk lists directories in the order of names, joins them with the parent snapshot's entries and hands batches of names
// to the workers; the same batches go, in order, to the assembler, which waits for each in turn and so builds the same
// pages whatever the number of workers.
//
// Memory besides the session's (package repo): workers × (2 × the longest chunk + 128 KiB), plus at most
// maxAhead batches × batchLen entries, plus the names of the directories that the walk is in.
package backup
