// Package health says how well a repository protects what it is for: when each source was last backed up, what would be lost now, when a
// restore was last proven and how long it took, and what verifications found.
//
//	snapshots/ ─┐
//	reports/    ├▶ Look ─▶ Status ─▶ text, JSON, metrics
//	marks/     ─┘
//
// It reads lists, manifests and reports: no pack and no tree. What a drill or a verification found is in the document of its report;
// package verify defines those. Nothing that is counted here comes from manifests, which forget removes: counts are of reports, which
// nothing removes.
//
// Times are storage times. Ages count up to Status.LookedAt, which is this host's clock, and are for people: metrics carry
// timestamps, so that a program that died turns an alert on, not off.
//
// What makes something look well is narrow: a recovery point is a snapshot that is complete, on time, not suspect, and not damaged as far as
// drills and verifications say; a proven restore is a drill whose verdict says so, and one of an older moment (--at) stands behind those of
// the newest data; a verification counts when it found nothing that harms. Damage stays until something has looked as far and seen it healed
// (drills.go, faults.go, checks.go); a snapshot that is gone and that nobody forgot is damage until it is back. What cannot be read or decoded, contradicts itself or is of another source counts as nothing and is said; reports
// that are gone are counted (chains.go).
//
// Memory: about 2 KiB for each manifest and report (40 MiB for 10,000 of both), documents of up to 16 KiB, 32 MiB of reports on their way and
// what decoding makes of them, and the host's cache, 256 MiB at most, as it lies on disk. Longer documents are read again when they are shown.
package health
