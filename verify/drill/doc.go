// Package drill restores a snapshot as a host would that replaces a lost one, compares what came back with the manifest, and says how long
// it took and how much would have been lost.
//
//	order ─▶ open ─▶ select ─▶ index ─▶ plan ─▶ transfer ─▶ metadata ─┬─▶ compare ─▶ probe ─▶ remove ─▶ verdict ─▶ report
//	└──────────────────────────── RTO ───────────────────────────────┘
//
// The repository is opened anew with an empty cache in the scratch folder: no index, no remembered key slot. The clock starts with the
// order, before the opening, and stops when the restored data is durable with all its metadata. What a recovery would not wait for comes
// after: the comparison, which reads every file again from disk; the removal; the report. A probe runs behind the comparison, which it would
// spoil, and its time is added: nobody uses the data before it passed (probe.go).
//
// Absolute times are those of the storage: the lease that the drill holds has one, and the order came as long before it as the monotonic
// clock says. The recovery point is the start of the read window of the newest complete snapshot at or before the one restored.
//
// The scratch folder holds a file with a lock of the kernel (flock) that lasts as long as the process. A drill removes its folder however
// it ends, but for a kill; the next one in the same place removes every folder there whose lock is free (scratch.go).
//
// A drill writes its lease and its report to the repository, and nothing else. verdict.go alone decides what it came to.
package drill
