// Package source is the only reader of users' files: it walks directories, reads metadata and content, tells what
// changed since an earlier snapshot, and recognises files that are rewritten in place. It runs on Linux only and calls
// the kernel through golang.org/x/sys/unix.
//
// # Paths
//
// A name is a byte string in a Go string and may hold anything but a zero byte and a slash. Everything beneath a root
// is reached through descriptors of directories, one name at a time and never through a symbolic link. So a path may
// be longer than PATH_MAX, and renaming a directory above moves nothing out from under a reader. A [Dir] costs one
// descriptor until its last user has closed it.
//
// # What a file costs
//
// An unchanged file costs its share of getdents64 and one fstatat: extended attributes come from the parent snapshot's
// entry, since setting one moves ctime. A changed one costs open, fstat, flistxattr, its reads, fstat and close. Only a
// file that has fewer blocks than its size needs is asked for its holes; only one of [Options].Sequential bytes or more
// is asked for what the page cache holds of it.
//
// # What can be told, and what cannot
//
// A file is torn when it changed while it was read; [File.Changed] says what that means. The kernel tells changes by
// times. Before Linux 6.13 these move once a tick (1 to 10 ms), so a file rewritten twice within one tick, once before
// it was opened and once after, looks whole; it is read again by the next run, whose rule ([Unchanged]) leaves 60
// seconds. A store through mmap moves mtime only when the page is dirtied first after it was last written back: a
// program that keeps writing to a dirty page changes content under equal times, and so that rule wants 60 seconds of
// quiet, and [TrustTimes] refuses file systems that never write back.
//
// # Memory
//
// [Names] holds its names and 6 bytes for each of them, growth slack apart (12 at most); a [File] under 300 bytes; the
// owner cache at most 8,192 names. Buffers of getdents64, 64 KiB each, are as many as goroutines ever listed at once.
package source
