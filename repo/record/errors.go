package record

import "savepoint/internal/wire"

// ErrMalformed is returned for bytes that are not what docs/format.md says; ErrNewer for a field that a newer program
// wrote and that must not be ignored.
var (
	ErrMalformed = wire.ErrMalformed
	ErrNewer     = wire.ErrNewer
)
