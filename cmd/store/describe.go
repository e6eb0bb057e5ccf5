package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"savepoint/internal/when"
	"savepoint/repo"
	"savepoint/repo/tree"
)

// listedFaults is how many faults a message lists.
const listedFaults = 20

// snapshotDocument is a snapshot under --json.
type snapshotDocument struct {
	ID           string    `json:"id"`
	Short        string    `json:"short_id"`
	Object       string    `json:"object"`
	Dataset      string    `json:"dataset"`
	Class        string    `json:"class,omitempty"`
	Host         string    `json:"host"`
	User         string    `json:"user,omitempty"`
	Start        time.Time `json:"window_start"`
	End          time.Time `json:"window_end"`
	Stored       time.Time `json:"stored_at"`
	Paths        []string  `json:"paths"`
	Tags         []string  `json:"tags"`
	Mode         string    `json:"mode"`
	Parent       string    `json:"parent,omitempty"`
	Completeness string    `json:"completeness"`
	Suspect      bool      `json:"suspect"`
	Late         bool      `json:"late"`
	FaultCount   uint64    `json:"fault_count"`
	Trust        string    `json:"trust"`
	// DamageFoundBy says what found damage in it that nothing saw healed: verify or drill. Only commands that read reports fill it in.
	DamageFoundBy string `json:"damage_found_by,omitempty"`
	ProbeFailed   bool   `json:"probe_failed,omitempty"` // likewise: it came back as it was backed up, and has passed no probe since one failed

	Files       uint64 `json:"files"`
	Directories uint64 `json:"directories"`
	Others      uint64 `json:"others"`
	Bytes       uint64 `json:"bytes"`
	NewStored   uint64 `json:"new_stored_bytes"`
	Version     string `json:"program_version"`
}

func documentOf(s *repo.Snapshot) *snapshotDocument {
	if s == nil {
		return nil
	}
	d := &snapshotDocument{
		ID: s.ID(), Short: s.Short(), Object: s.Name, Dataset: s.Dataset, Class: s.Class, Host: s.Host, User: s.User,
		Start: s.Start().UTC(), End: s.End().UTC(), Stored: s.Stored.UTC(), Paths: []string{}, Tags: []string{},
		Mode: modeName(s.Mode), Parent: s.Parent, Completeness: completenessName(s.Completeness), Suspect: s.Suspect, Late: s.Late,
		FaultCount: s.FaultCount, Trust: trust, Files: s.Stats.Files, Directories: s.Stats.Directories,
		Others: s.Stats.Others, Bytes: s.Stats.FileBytes, NewStored: s.Stats.NewPackBytes + s.Stats.NewTreePack, Version: s.Version,
	}
	for _, r := range s.Roots {
		d.Paths = append(d.Paths, r.Path)
	}
	d.Tags = append(d.Tags, s.Tags...)
	return d
}

// trust is what is known of every listed snapshot: all its objects were there when it was published. Verification and
// drills raise it.
const trust = "committed"

func modeName(m tree.Mode) string {
	switch m {
	case tree.Incremental:
		return "incremental"
	case tree.Differential:
		return "differential"
	case tree.Full:
		return "full"
	}
	return "unknown"
}

func completenessName(c tree.Completeness) string {
	switch c {
	case tree.Complete:
		return "complete"
	case tree.WithFaults:
		return "with faults"
	case tree.Interrupted:
		return "interrupted"
	}
	return "unknown"
}

// stateOf says in a few words whether a snapshot is what one wants.
func stateOf(s *repo.Snapshot) string {
	var words []string
	switch s.Completeness {
	case tree.WithFaults:
		words = append(words, plural(s.FaultCount, "fault", "faults"))
	default:
		words = append(words, completenessName(s.Completeness))
	}
	if s.Suspect {
		words = append(words, "suspect")
	}
	if s.Late {
		words = append(words, "late")
	}
	return strings.Join(words, ", ")
}

// faultDocument is a fault under --json.
type faultDocument struct {
	Path    string `json:"path"`
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

func faultDocuments(faults []tree.Fault) []faultDocument {
	out := []faultDocument{}
	for _, f := range faults {
		out = append(out, faultDocument{f.Path, faultName(f.Code), f.Message})
	}
	return out
}

func faultName(c tree.FaultCode) string {
	switch c {
	case tree.Unreadable:
		return "unreadable"
	case tree.Torn:
		return "torn"
	case tree.Vanished:
		return "vanished"
	case tree.Unsupported:
		return "unsupported"
	}
	return "unknown"
}

// faultList lists the first faults of a snapshot, one a line.
func faultList(s *repo.Snapshot) string {
	var b strings.Builder
	for _, f := range s.Faults[:min(listedFaults, len(s.Faults))] {
		fmt.Fprintf(&b, "\n  %s: %s (%s)", faultName(f.Code), printable(f.Path), printable(f.Message))
	}
	if more := s.FaultCount - uint64(min(listedFaults, len(s.Faults))); more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return b.String()
}

// plural returns n with the word for it.
func plural[T uint64 | int](n T, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}

func sizeText(n uint64) string { return humanize.IBytes(n) }

// timeText prints a moment for a table: local, with the zone.
func (a *app) timeText(t time.Time) string { return t.In(a.zone).Format("2006-01-02 15:04:05 MST") }

// endText shows the end of a window, up to which a snapshot is a recovery point.
func (a *app) endText(s *repo.Snapshot) string { return a.timeText(when.Point(s.End())) }
