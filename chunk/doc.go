// Package chunk cuts byte streams into chunks and names them: the unit of
// deduplication and its identity.
//
// It is pure. Nothing here opens a file, keeps a clock or knows where chunks
// are stored. Where a stream is cut depends on its content and on [Params]
// alone, never on how reads happened to split it; what a chunk is called
// depends on its bytes and on a secret [Key] alone.
//
// There are two splitters:
//
//   - [Rabin] cuts where a rolling hash over the last 64 bytes says so, so an
//     insertion moves the cuts with the content. It hashes the bytes XOR 0xA7:
//     the hash of 64 zero bytes is 0, which always is a cut, and database pages
//     are full of runs of 0x00 and of 0xFF. Runs of 0xA7 are the bad case
//     instead, and very rare.
//   - [Fixed] cuts at multiples of a size, for files that are rewritten in
//     place: databases and images of virtual machines.
//
// Memory: a [Cutter] of kind Rabin holds 18 KiB (two copies of the tables of
// its polynomial, 4.3 KiB each, and 8 KiB to mask data in), one of kind
// Fixed nothing; a [Reader] holds a Cutter and a buffer of 2 × [Cutter.Max], but
// 256 KiB at least; a [Key] one hasher of 11 KiB for each goroutine that hashes
// at the same time. The tables of each polynomial that was ever used stay in
// memory, 4 KiB each.
package chunk
