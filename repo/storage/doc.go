// Package storage says what a repository needs from the place where its objects
// lie: five methods, and what each of them promises. It imports the standard
// library only and knows nothing of what the objects mean.
//
// # Contract of a Store
//
// Objects. An object is a name that passes CheckName and at least one byte.
// Whatever else an implementation finds in its place (empty, foreign or
// half-written things, names that do not pass) is never taken for an object. No
// name followed by a slash begins another one: a directory cannot hold both "a" and
// "a/b", though other stores might. A store may keep a name of its own for itself
// (package file: .tmp).
//
// Atomic. A reader sees all of an object or none. After an error of Put the
// name holds what it held before, or the complete new object: the error may have
// come after the publication.
//
// Durable. When Put returns nil the object survives a loss of power, with the
// directories that lead to it; when Delete returns nil the objects stay gone.
//
// Cancelled. Once the context is done, no write is begun: the method returns an
// error that is the context's. A write that was already published is finished.
//
// Time. Info.Time is the storage's own clock at the moment the name was
// published, not at the moment the body was read or sent: a writer that is frozen
// in between must not look on time. Stat and List give the same time. A later
// publication never has an earlier time, as long as the storage's clock is not
// set back; it may have the same, since some clocks count whole seconds.
//
// Listing. List yields names in ascending order of their bytes, each once.
// Objects that exist during the whole iteration are yielded; those published or
// deleted meanwhile may be or not. The body of the loop may call the store.
//
// Errors. Every error is an *OpError, or several joined by errors.Join in the
// case of Delete. The implementation, which alone knows, sets Temporary. ErrNotExist
// speaks of the object that was asked for and of nothing else.
//
// Concurrency. All methods may be called by any number of goroutines.
//
// # Decorators
//
// A decorator forwards the five methods by hand, without embedding the inner
// store, so that nothing can go around it. It passes storage's sentinels through
// (errors.Is still finds them), never retains dst or body after the call, reads
// body only at offsets below size, keeps bytes that dst already holds, and proves
// all of it by running package storetest around package mem.
package storage
