// Package verify holds what verifications and drills say of a repository: the documents that they print with --json and that their
// reports carry, so that health, and whoever asks later, reads what was found then. docs/json.md describes every field.
//
//	check  reads a repository and finds damage      ─▶ CheckDocument ─┐
//	drill  restores a snapshot and measures it      ─▶ DrillDocument ─┴▶ reports/ ─▶ health
//
// A document is JSON: times are RFC 3339 in UTC, durations seconds, sizes bytes. Fields are added, never renamed or removed; who reads
// one ignores those that it does not know. What comes out of a repository was authentic, not necessarily sensible: Decode functions
// bound what they accept.
package verify
