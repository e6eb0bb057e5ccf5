// Package seal holds the cryptography of the repository format: the key set and what is derived from it, the envelope of
// small sealed objects, the ciphers of packs, key slots and the head of config. It does no I/O.
//
// docs/format.md sections 2 and 3 are the specification. Envelopes follow the STREAM construction as age uses it
// (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance, 2015),
// with AES-256-GCM and a key of its own for every object, so that a nonce is never used twice under one key.
//
// All types are safe for concurrent use once made.
package seal
