// Package retry is a Store that repeats what failed for a while: a decorator.
//
// # What is repeated
//
// An attempt is repeated when its error says that it is temporary
// (storage.OpError.Temporary, which the implementation alone decides), and several
// joined errors when all of them do. Before attempt n+1 the call waits a random time
// between nothing and the smaller of Options.Max and Options.First × 2ⁿ⁻¹: exponential
// backoff with "full jitter", after "Exponential Backoff And Jitter" in the AWS
// Architecture Blog, https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
// A call goes on for Options.MaxElapsed after its first failure, tries once more when
// that time is over, and ends with the last error and the number of attempts. The
// time of a single attempt is not bounded here: that is the store's matter.
//
// The end of the context ends a wait at once, and nothing is begun after it; the
// error is the context's and mentions the last failure.
//
// # Storage that asks for fewer requests
//
// storage.ErrSlowDown concerns all calls of the process that go through one Store,
// and so shuts a gate for all of them: no request, first or repeated, begins before it
// opens, and those that waited spread over as long again. The time is Options.First at
// first; it doubles, up to Options.Max, whenever a request that began after the last
// opening meets the same answer, and each that succeeds halves it: with one such answer in
// three a storage is busy, and must not come to a standstill. Requests
// that were on their way when the gate was shut change nothing.
//
// # What the methods add
//
// Put reads its body anew for each attempt. With IfAbsent, an attempt whose answer was
// lost may have published the object, and a later one then finds the name taken.
// Only if an earlier attempt of the same call failed, the object is compared with the
// body: its size, and up to 4 KiB at its beginning and at its end. This suffices
// because a Put is atomic, and what is put with IfAbsent begins with a random salt or a
// token of its writer. What is equal counts as published by this call. Callers that
// put equal bytes under one name at the same time may therefore both succeed.
//
// List goes on after the last name that was yielded, yields none twice, and counts
// its time and its attempts from the last progress. Delete repeats all its names but
// those that failed for good: a store may answer for a whole request with an error
// that names one object of it, and to delete what is gone is harmless. Get leaves what
// dst holds.
package retry
