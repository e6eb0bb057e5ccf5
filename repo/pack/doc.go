// Package pack is the codec of packfiles: blocks of compressed, sealed chunks and the directory behind them.
// docs/format.md section 5 is the specification. The package does no I/O.
//
// A [Block] is filled by one goroutine, compressed by any, and put into a [Builder] that many share: a range is reserved
// under the builder's lock, the bytes are sealed outside it. A finished pack is opened again with [Check] before it is
// stored: compressor, cipher, assembly and memory are checked in one pass.
package pack
