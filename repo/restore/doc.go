// Package restore brings a snapshot, or a part of one, back into a new or empty directory. It runs on Linux only.
//
//	plan: walk the tree, make directories ─▶ locate chunks ─▶ transfer: fetch, check, write ─▶ metadata, syncfs
//
// # Plan
//
// The tree is walked once: each directory is made, with mode 0700, when its entry is met, and every chunk of a file is noted with
// the places where it belongs. The index is then streamed past these notes. Chunks are grouped by pack and block, packs in
// the order in which the tree needs them first, and blocks that lie close together are read with one request. A chunk that
// occurs in many places is read once.
//
// # Transfer
//
// Requests run under a limiter (package internal/adapt) that finds out how many of them at a time pay; what they bring goes to workers,
// which open it, check the ID of every chunk before a byte of it is written, and write. A request whose bytes no worker has
// taken yet counts as one, so a slow target holds back the requests. A file of one chunk is created, written,
// given its metadata and closed in one go; other files are open in a bounded table, are as long as they will be from the
// start, so that holes stay holes, and get their metadata with their last chunk. A chunk that cannot be read in one place
// is read in another, if there is one.
//
// # Where entries land
//
// One root that is a directory: its contents land directly in the target, which takes the root's mode, owner, time and
// attributes. A root that is no directory lands in the target under the last element of its path. Of several roots each lands in
// the target under the last element of its path; when two of these are equal, or one has none, every root lands under its whole
// path; directories made for that, and the target, keep mode 0700 and what they have. The same holds for a part of a root.
//
// # Confinement
//
// Everything is reached from the descriptor of the target, one name at a time and never through a symbolic link; names are
// checked here again. So paths may be longer than PATH_MAX, and no snapshot writes outside the target. A directory whose
// descriptor was closed meanwhile must be the same one when it is opened again, and so must a file. The target itself has mode
// 0700 until the end, so that nobody but its owner and root gets in between.
//
// # Damage
//
// A file that lacks a chunk is never left under its name: it is removed or was not created, is listed in
// [Result.Damaged], and [Run] returns an error that wraps repo.ErrCorrupt after everything else was restored. A directory of which
// a page cannot be read is restored as far as it can be and listed as well.
//
// # Metadata
//
// Owners are restored, by number, when the process is root; otherwise files keep the process's user and group, which is counted
// in [Result.OwnersSkipped], and lose the setuid or setgid bit that would be meant for somebody else. Of times only that of
// modification is restored. What a file system or missing rights do not allow is listed in [Result.Problems].
//
// # Interruption
//
// From the start to the end of a run a file called [IncompleteMarker] lies in the target. It is gone when Run comes to its end,
// also with damage, which is listed; an error of the target or of the store, or a cancelled context, leaves it and everything written so far.
//
// # Memory
//
// For every entry 48 bytes and its name; for every different chunk 67 at most (72 for a moment while a table grows); for every place
// of a chunk 16; so about 130 bytes and the name for a file of one chunk. For an entry with attributes, a link target, a device number or several names, or holes, 64 and these;
// for a directory that waits for its turn 32 and its content list. For each worker two blocks (1.2 MiB, 18 MiB at most). The bytes of
// (requests at a time + workers) requests (4 MiB, or one block each): requests at a time are 2 where more of them are not
// faster, as in a directory (and up to 4 for the moments in which that is found out), and [Options].Fetches, 16, at most; so
// on two cores 16 MiB, and 72 MiB for a distant store. The reader of tree chunks keeps 32 blocks.
package restore
