package main

import (
	"time"

	"savepoint/repo/restore"
	"savepoint/verify"
	"savepoint/verify/health"
)

// restoreDocument is what `restore --json` prints.
type restoreDocument struct {
	At       *time.Time        `json:"at,omitempty"`
	ExitCode int               `json:"exit_code"`
	Restores []restoredElement `json:"restores"`
	Without  []string          `json:"sources_without"`
	Storage  storageDocument   `json:"storage"`
	Usage    *verify.Usage     `json:"usage,omitempty"`
	Run      string            `json:"run"`
}

type restoredElement struct {
	Snapshot     *snapshotDocument  `json:"snapshot"`
	Target       string             `json:"target"`
	Path         string             `json:"path,omitempty"`
	MissingSince time.Time          `json:"may_miss_changes_since"`
	Before       *snapshotDocument  `json:"before,omitempty"`
	After        *snapshotDocument  `json:"after,omitempty"`
	Clean        *snapshotDocument  `json:"newest_complete,omitempty"`
	TooLate      *snapshotDocument  `json:"newer_too_late,omitempty"`
	LastGood     string             `json:"last_good,omitempty"`
	Lost         []verify.LostPoint `json:"lost_recovery_points,omitempty"`
	Faults       []faultDocument    `json:"faults"`
	Files        uint64             `json:"files"`
	Directories  uint64             `json:"directories"`
	Others       uint64             `json:"others"`
	HardLinks    uint64             `json:"hard_links"`
	Bytes        uint64             `json:"bytes"`
	FetchedBytes uint64             `json:"fetched_bytes"`
	OwnersKept   uint64             `json:"owners_not_restored"`
	Seconds      float64            `json:"seconds"`
	Phases       []phaseDocument    `json:"phases"`
	ProblemCount uint64             `json:"problem_count"`
	Problems     []problemDocument  `json:"problems"`
	Torn         []string           `json:"torn"`
	Damaged      []damageDocument   `json:"damaged"`
	Took         *verify.Took       `json:"damage_took,omitempty"`
}

type phaseDocument struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

type problemDocument struct {
	Path    string `json:"path"`
	Problem string `json:"problem"`
	Missing bool   `json:"missing"`
}

type damageDocument struct {
	Path    string `json:"path"`
	Object  string `json:"object,omitempty"`
	Message string `json:"message"`
}

func elementOf(t task, res *restore.Result, found *health.Known) restoredElement {
	s := t.choice.Snapshot
	e := restoredElement{
		Snapshot: foundDocumentOf(s, found), Target: t.target, MissingSince: s.Start().UTC(), Before: foundDocumentOf(t.choice.Before, found),
		After: foundDocumentOf(t.choice.After, found), Clean: foundDocumentOf(t.choice.Clean, found), Faults: faultDocuments(s.Faults),
		Files: res.Files, Directories: res.Directories, Others: res.Others, HardLinks: res.HardLinks, Bytes: res.Bytes,
		FetchedBytes: res.FetchedBytes, OwnersKept: res.OwnersSkipped, Seconds: durationOf(res).Seconds(), Phases: []phaseDocument{},
		ProblemCount: res.ProblemCount, Problems: []problemDocument{}, Torn: append([]string{}, res.Torn...), Damaged: []damageDocument{},
	}
	e.Lost, e.TooLate = lostPoints(t.lost), foundDocumentOf(t.choice.TooLate, found)
	if good, ok := goodBeside(s, found); ok {
		e.LastGood = good.Snapshot
	}
	if t.place != nil {
		e.Path = t.place.original()
	}
	for _, p := range res.Phases {
		e.Phases = append(e.Phases, phaseDocument{p.Name, p.Duration.Seconds()})
	}
	for _, p := range res.Problems {
		e.Problems = append(e.Problems, problemDocument{p.Path, problemText(p), p.Missing})
	}
	for _, d := range res.Damaged {
		e.Damaged = append(e.Damaged, damageDocument{d.Path, d.Object, d.Err.Error()})
	}
	if len(res.Damaged) > 0 {
		e.Took = tookOf(res.Lost)
	}
	return e
}

func tookOf(l restore.Loss) *verify.Took {
	return &verify.Took{Files: l.Files, Bytes: l.Bytes, AtLeast: l.AtLeast, All: l.All}
}
