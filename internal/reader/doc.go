// Package reader holds the second reader of the repository format, reader.py. It
// was written from docs/format.md alone and shares no code with the rest, so that
// its agreement with what the other packages write shows that the page suffices.
// The test of this package has it read real repositories.
package reader
