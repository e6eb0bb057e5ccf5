// Package backup is the pipeline from a source to a snapshot.
//
//	walk ─ batches ─▶ workers (stat, read, cut, hash, store) ─▶ assemble (pages) ─▶ commit
//
// The walk lists directories in the order of names, joins them with the parent snapshot's entries and hands batches of names
// to the workers; the same batches go, in order, to the assembler, which waits for each in turn and so builds the same
// pages whatever the number of workers.
//
// What the source alone is to blame for is a fault, listed in the snapshot; everything else, above all an error of the
// store, ends the run and nothing is published.
//
// Memory besides the session's (package repo): workers × (2 × the longest chunk + 128 KiB) once anything is read, plus at most
// maxAhead batches × batchLen entries of about 1 KiB each, plus the names of the directories that the walk is in, 52 bytes each
// at most when they are of 20 bytes.
//
// Open files: one for each level of directories that the walk is in, one for the directory of each batch that is waiting or
// worked on, 2 × workers + 1 at most, and one file for each worker.
package backup
