// Package usage measures what a run takes, and which resource it was held up by.
//
// A [Recorder] is asked at the end, and as often as anybody likes, for a [Usage]: CPU time, the highest resident memory, what the caller
// knows of requests to the storage, and for how long the run waited for what.
//
// # Waits
//
// What a pipeline waits for is not what its goroutines wait for: most of them wait for each other. So two things are measured, both by
// the monotonic clock.
//
//   - For the storage: the time in which calls of the storage were under way and nobody could go on. While a pipeline runs, it says who
//     those are ([Recorder.Join]) and when each of them has nothing to do or no room ([Recorder.Idle]). Where none does, a run is taken to
//     wait for its calls, but no longer than it left the processors alone: the rest of the time is what CPU time leaves of it. Of that
//     time, the part in which --limit-upload or --limit-download held back a call was waited for the limit.
//   - For a disk, the source's or the target's: a [Crew] adds up what its members spent in calls of the file system, and when they
//     had something to do. The CPU time of the process in the meantime is taken off, since it may be that of these very calls: files
//     that are in the page cache keep the processors busy, not the disk. That makes it the least that they waited.
//
// A wait for memory is not told apart: what fills packs waits for a buffer only while all of them are on their way to the storage.
//
// # Cost
//
// The recorder's lock is taken when a goroutine blocks, when a call of the storage begins or ends, and when a limit holds one back: some
// hundred nanoseconds beside a system call or a request. A crew's members take it for none of their calls. Without a recorder, nil, every
// method does nothing.
package usage
