package storage

import "errors"

// The errors that callers branch on. They are reached by errors.Is.
var (
	// ErrNotExist is returned by Get and Stat when there is no such object, and by
	// what opens a store when there is no such place.
	ErrNotExist = errors.New("object does not exist")
	// ErrExists is returned by Put with IfAbsent when the name is taken.
	ErrExists = errors.New("object exists already")
	// ErrRange is returned by Get when the range does not lie inside the object.
	ErrRange = errors.New("range lies beyond the object")
	// ErrUnsupported is returned when the storage cannot do what an option asks.
	ErrUnsupported = errors.New("not supported by this storage")
	// ErrDenied is returned when the storage refuses the credentials, or what they may do: no repetition helps.
	ErrDenied = errors.New("permission denied by the storage")
	// ErrSlowDown is returned when the storage asks for fewer requests. The error is temporary as well, and whoever
	// repeats calls gives the storage time, in all of them.
	ErrSlowDown = errors.New("the storage asks for fewer requests")
)

// OpError is a failed operation of a Store.
type OpError struct {
	Op   string // put, get, stat, list, delete, open, create
	Name string // the object; for list the prefix, for open and create the place
	// Temporary is set by the implementation when the same call may succeed if it is
	// repeated. Nothing else is worth a retry.
	Temporary bool
	Err       error // never nil
}

// Error names the operation, the object and the cause.
func (e *OpError) Error() string {
	if e.Name == "" {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + " " + e.Name + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }
