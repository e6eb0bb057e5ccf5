// Package index says where chunks lie: a cache of the repository's index segments on the local disk, in Badger. It can
// be deleted at any time and is built again; it is never the truth, and knows nothing of storage.
//
// # Parts
//
// The folder of an Index holds the packs of one kind of one repository:
//
//	CURRENT        the name of the base
//	base-<n>/      an immutable database that all processes share (flock: shared)
//	delta-<k>/     what one process has added since; delta-<k>.lock is held by it
//	building/      a base that is being written; build.lock is held by who does it
//	trash/         what could not be used, kept for a day
//
// A base and a closed delta carry a seal with the sizes and checksums of their files, which is verified before Badger
// opens them. A delta that is written to has none: a crash costs it, and the segments in it are read again.
//
// Packs are known by ordinals. Those of a delta continue after those of its base, which it names, so that merging both
// changes none. A pack's location counts for deduplication only while a bitmap says that the pack is live; the bitmap
// is made from a listing, never from what was applied.
//
// # Wrong answers
//
// A chunk that is missing here is stored again, or looked for in the segments. A chunk that is here though it is not
// stored would be data loss. So every block is verified when it is read, an ordinal is bound to the base that gave it
// out, and where there is doubt the part is set aside.
//
// # Memory
//
// An open Index needs a bit for each pack, the segments' lists of packs (about two bytes for each pack they name), the
// bookkeeping of the mapped tables, and by estimate 12 MiB once something is added. Building takes about 55 MiB more, of which some
// 20 are tables that are being filled; from 18 million chunks on these are larger, and it should be 120 MiB from 70 million on.
// It also takes about 80 bytes for each pack that is new. The tables themselves are mapped, and the kernel's to drop.
package index
