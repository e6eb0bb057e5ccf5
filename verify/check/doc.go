// Package check verifies a repository: that every object is what was stored, that every chunk which a listed snapshot reaches is located in
// a pack that is there, and, as far as it is asked to, that packs read back as they were written. What damage costs is worked out chunk by
// chunk: which snapshots and files need what cannot be read, and whether it lies elsewhere too.
//
//	objects ─▶ index and packs ─▶ trees ─▶ read back ─▶ (if anything is wrong) what it costs ─▶ marks ─▶ report
//
// A run can be told to look at a part alone: at some snapshots, and the packs that hold what these reach, or at a shard of the packs. It then says
// so in its document, and calls nothing whole but that part. Which packs snapshots reach is known after their trees were walked: the index is read
// once more then, and those packs are compared with it.
//
// It reads the store alone, beside backups and prunes: package repo lists in an order in which what is healthy looks healthy, and nothing
// is called missing before the index was listed again. What the store does not give is never damage: a single object is a finding of its
// own, and when the store fails altogether the run ends, with what was found until then.
//
// # Memory
//
// No table of all chunks is made. Chunk IDs stand as their first eight bytes, sorted, in four sets (reachable and located ones, of
// data and of tree chunks) of 32 MiB each; what is more goes to a temporary file, 8 bytes for each chunk and set. Besides:
//
//	46 bytes    for each tree chunk: the segments of tree chunks are held, to find pages
//	32 bytes    for each tree chunk that was visited
//	250 bytes   for each pack
//	 80 bytes   for each report, and what its ledger names
//	             the manifests of all listed snapshots
//	200 MiB     segments and directories on their way (64 MiB is the longest segment; writers end them at 8 MiB)
//	 40 MiB     blocks of tree chunks
//	128 MiB     segments and what they locate, while it is found out which packs some snapshots reach; in place of the 200 MiB above
//	 48 bytes   for each chunk that is in a damaged pack, or nowhere, when there is damage
//	 50 bytes   for each tree chunk, and more for those with damage beneath, while its cost is worked out; 160 MiB for the folders on the
//	             way there, if somebody made them as wide and deep as can be
//
// and, while packs are read back, what readBack says. Measured on two cores as the greatest RssAnon of the program, of a repository in a
// folder: 111 MiB for the structure of a million small files, 165 MiB with their 19 packs read back; 10 MiB for the structure of 2 GiB in 66
// packs, 173 MiB with these read back, at more than 1 GiB/s.
package check
