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
// What makes something look well is narrow: a recovery point is a snapshot that is complete, on time and not suspect; a proven restore is a
// drill whose verdict says so; a verification counts when it found nothing that harms. What cannot be read or decoded counts as nothing and
// is said.
//
// Memory: 1.3 KiB for each manifest and report (25 MiB for 10,000 of both), and the documents, as bytes and decoded.
package health
