// Package repo opens a repository, writes sessions into it and reads chunks and snapshots out of it.
//
// A session ([Repo.Write]) follows the writers' protocol that docs/architecture.md explains: lease, then lists, then packs, then
// segments, then a renewal, then the manifest, each durable before the next. The order lives in session.go, segments.go and
// commit.go; what happens when a session slept too long, in lapse.go.
//
//	stream ─ blocks ─▶ sealers (compress, seal) ─▶ open packs ─▶ uploaders (check, put, stat) ─▶ segments ─▶ manifest
//
// Memory of a session, besides its callers': [Options].PackBuffers × 36 MiB in anonymous memory outside the Go heap (4 of them, 144 MiB,
// on a machine of up to 4 cores; 16 at most), which is touched only as far as it is filled, plus
// (streams + sealers + queue) × 1.5 MiB of blocks, plus one decoded block for each sealer, plus what package index needs, once for data and once for tree chunks,
// plus about 80 bytes for each chunk that waits for its segment: at most 180,000 of them, and those of the open packs. Where no index can be
// kept on this host the segments are held instead: 33 bytes for each chunk in them, 46 more for each tree chunk (and, while it is
// read, for each data chunk), and up to 80 for each chunk stored by this session.
//
// How many packs are put at a time is found out by package internal/adapt: two at least, and no more than there are buffers.
// Open packs hold buffers too: two for data and one for tree chunks, as long as there are any to spare; when uploads are what
// everybody waits for, the blocks of all streams go into one data pack.
//
// Methods are safe for concurrent use unless they say otherwise.
package repo
