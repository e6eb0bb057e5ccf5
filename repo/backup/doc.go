// Package backup is the pipeline from a source to a snapshot.
//
//	walk ─ batches ─▶ workers (stat, read, cut, hash, store) ─▶ assemble (pages) ─▶ commit
//
// The walk lists directories in the order of names, joins them with the entries of earlier snapshots and hands batches of names
// to the workers; the same batches go, in order, to the assembler, which waits for each in turn and so builds the same
// pages whatever the number of workers.
//
// What the source alone is to blame for is a fault, listed in the snapshot; everything else, above all an error of the
// store, ends the run and nothing more is published.
//
// # Checkpoints
//
// Every half hour, and when it is cancelled, a run publishes what it has finished as an interrupted snapshot: each directory that is open
// ends, in a copy of its builder, with the last entry that is done. Nothing may be put into a session while it commits, so the assembler shuts
// a gate, at which workers flush their streams and wait, in the middle of a file too. It waits for nothing else that they could owe it: what
// they have done by then it takes, in order, and the rest comes later. The walk goes on until its channels are full. The final root is that of a run without
// checkpoints. When no entry was read since the last one, none is published.
//
// The next run takes unchanged files over from the newest interrupted snapshot, then from older ones that had come further, then from the newest
// finished one: from the newest of these that has the name, by its own start, and looked up unless that one has seen all that was condemned
// since. Files that were in progress are read again; their chunks are stored. What counts as unchanged in the statistics, is re-read as a spot check, or is missing
// from a source that shrank, is told by finished snapshots alone. A differential run goes on from interrupted differential ones of the same full
// one; a full one goes on from none, since it has to have read every byte in its own window. An interrupted snapshot that a finished one follows
// is not looked at again.
//
// # Limits
//
// Memory besides the session's (package repo): workers × (2 × the longest chunk + 128 KiB) once anything is read, plus at most
// maxAhead batches × batchLen entries of about 1 KiB each, plus the names of the directories that the walk is in, 52 bytes each
// at most when they are of 20 bytes. While it resumes, the walk holds one decoded page of each directory that it is in for each earlier snapshot,
// of which there are four at most.
//
// Open files: one for each level of directories that the walk is in, one for the directory of each batch that is waiting or
// worked on, 2 × workers + 1 at most, and one file for each worker.
package backup
