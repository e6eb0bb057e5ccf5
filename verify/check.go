package verify

import (
	"fmt"
	"strings"
	"time"
)

// CheckDocument is the result of one verification.
type CheckDocument struct {
	ExitCode   int       `json:"exit_code"`
	Complete   bool      `json:"complete"`          // false: it ended early, and says what was found until then
	Stopped    string    `json:"stopped,omitempty"` // why it ended early
	Began      time.Time `json:"began_at"`          // storage time
	Seconds    float64   `json:"seconds"`
	Level      string    `json:"level"`           // structure, or data when packs were read back as well
	Scope      *Scope    `json:"scope,omitempty"` // the part that was looked at; none: all of the repository
	Structure  Structure `json:"structure"`
	ReadBack   ReadBack  `json:"read_back"`
	Findings   []Finding `json:"findings"` // at most MaxListed
	FindingCnt uint64    `json:"finding_count"`
	ByCode     []Count   `json:"finding_codes"` // all findings, in their order
	Hit        []Hit     `json:"snapshots_hit"` // at most MaxListed; newest first
	HitCount   uint64    `json:"snapshots_hit_count"`
	FilesHit   uint64    `json:"files_hit_count"`      // in all of them; a file counts once in each
	HitAtLeast bool      `json:"files_hit_at_least"`   // there are more: folders or manifests are lost, and nobody knows what was in them
	Marked     []string  `json:"marked"`               // packs and index segments that are marked damaged since this run
	NotMarked  string    `json:"not_marked,omitempty"` // why other damaged packs could not be
	Usage      *Usage    `json:"usage,omitempty"`      // what the run took; none: nobody measured
	Program    string    `json:"program"`
	Run        string    `json:"run"`
}

// Scope is the part of a repository that a verification was told to look at. It says nothing of the rest.
type Scope struct {
	IDs     []string `json:"snapshot_ids,omitempty"` // those that were named; at most MaxListed
	Dataset string   `json:"dataset,omitempty"`      // only snapshots of this dataset
	Host    string   `json:"host,omitempty"`         // only snapshots of this host
	Shard   string   `json:"shard,omitempty"`        // only packs of this shard, as 3/16
	// Snapshots are those whose trees were walked, Packs those that were to be compared with the index and read back.
	Snapshots uint64     `json:"snapshots"`
	Packs     uint64     `json:"packs"`
	PackBytes uint64     `json:"pack_bytes"`
	Never     uint64     `json:"never_packs"` // of those packs: what ReadBack says of all
	Oldest    *time.Time `json:"oldest_at,omitempty"`
	Remaining uint64     `json:"unread_bytes"`
}

// OfSnapshots reports whether only some snapshots were looked at: nothing is known of the trees of the others.
func (s *Scope) OfSnapshots() bool {
	return s != nil && (len(s.IDs) > 0 || s.Dataset != "" || s.Host != "")
}

// Text names the part, as "dataset users of host world-1, shard 3/16"; nil is "".
func (s *Scope) Text() string {
	if s == nil {
		return ""
	}
	const most = 3
	var parts []string
	switch {
	case len(s.IDs) == 1:
		parts = append(parts, "snapshot "+shortID(s.IDs[0]))
	case len(s.IDs) > 1:
		var ids []string
		for _, id := range s.IDs[:min(most, len(s.IDs))] {
			ids = append(ids, shortID(id))
		}
		text := "snapshots " + strings.Join(ids, ", ")
		if more := len(s.IDs) - len(ids); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, text)
	case s.Dataset != "" && s.Host != "":
		parts = append(parts, "dataset "+s.Dataset+" of host "+s.Host)
	case s.Dataset != "":
		parts = append(parts, "dataset "+s.Dataset)
	case s.Host != "":
		parts = append(parts, "host "+s.Host)
	}
	if s.Shard != "" {
		parts = append(parts, "shard "+s.Shard)
	}
	return strings.Join(parts, ", ")
}

func shortID(id string) string { return id[:min(8, len(id))] }

// Structure counts what was looked at without reading data.
type Structure struct {
	Snapshots   uint64 `json:"snapshots"`
	Directories uint64 `json:"directories"` // different ones
	Files       uint64 `json:"files"`       // in different directories
	Chunks      uint64 `json:"chunks"`      // different ones of data that snapshots need
	TreeChunks  uint64 `json:"tree_chunks"`
	Segments    uint64 `json:"segments"`
	Packs       uint64 `json:"packs"`
	PackBytes   uint64 `json:"pack_bytes"`
	Orphans     uint64 `json:"orphan_packs"` // that no segment names
	OrphanBytes uint64 `json:"orphan_bytes"`
}

// ReadBack counts the packs that were read in full and found whole.
type ReadBack struct {
	Wanted    string     `json:"wanted,omitempty"` // as --read-data says
	Packs     uint64     `json:"packs"`
	Bytes     uint64     `json:"bytes"`
	Chunks    uint64     `json:"chunks"`
	Seconds   float64    `json:"seconds"`
	Never     uint64     `json:"never_packs"`         // packs that no run has read back yet, this one included
	Oldest    *time.Time `json:"oldest_at,omitempty"` // when the pack was read back that was not for the longest time; none while some never was
	Remaining uint64     `json:"unread_bytes"`        // of packs that this run did not read
	Budget    *Budget    `json:"budget,omitempty"`
	// PackBytes are those of all packs that could be read back, and Days say of how many of them that was when, by any run: newest first, at most
	// MaxDays. Those of older days, and those that never were, are not listed. 0: not counted, as by an older program.
	PackBytes uint64    `json:"pack_bytes"`
	Days      []ReadDay `json:"read_days,omitempty"`
}

// MaxDays is how many days a verification lists.
const MaxDays = 60

// ReadDay is of how many bytes the last reading back was within the 24 hours from At, a midnight of UTC.
type ReadDay struct {
	At    time.Time `json:"at"`
	Bytes uint64    `json:"bytes"`
}

// Budget says how far the budget of a verification went. When it is used up the run ends well: what is left is what the next one begins with.
type Budget struct {
	Limit  string `json:"limit"`   // as --budget says
	UsedUp bool   `json:"used_up"` // reading back ended because of it
	// LeftPacks and LeftBytes are those of Wanted that were not begun. LeftNever of them no run has read back yet, and LeftOldest is when the one
	// was that was not for the longest time; none while some never was.
	LeftPacks  uint64     `json:"left_packs"`
	LeftBytes  uint64     `json:"left_bytes"`
	LeftNever  uint64     `json:"left_never_packs"`
	LeftOldest *time.Time `json:"left_oldest_at,omitempty"`
}

// Code says what kind of thing a finding is.
type Code string

// Count is how many findings of one code and harm there are.
type Count struct {
	Code  Code   `json:"code"`
	Harm  Harm   `json:"harm"`
	Count uint64 `json:"count"`
}

// Finding is one thing that is not as it should be.
type Finding struct {
	Code    Code   `json:"code"`
	Object  string `json:"object"` // its name in the repository
	Message string `json:"message"`
	Harm    Harm   `json:"harm"`
	// Snapshots and Files say how many need what is damaged; a file counts once in each snapshot.
	Snapshots uint64 `json:"snapshots"`
	Files     uint64 `json:"files"`
	AtLeast   bool   `json:"files_at_least"` // folders are among what is lost: nobody knows how many files were in them
	Next      string `json:"next"`           // what to do next, in words with commands in them
	// Commands are those in Next, each runnable as it stands, on the host that Next names.
	Commands []string `json:"commands"`
}

// Harm is what a finding costs.
type Harm string

// The degrees of harm. Note leaves the exit code at 0, Unknown makes it 1, the others 4.
const (
	// Loss: snapshots cannot be restored in full.
	Loss Harm = "loss"
	// Risk: nothing that a snapshot needs is lost, but something protects it no more.
	Risk Harm = "risk"
	// Unknown: it could not be looked at, so that nothing is known of it.
	Unknown Harm = "unknown"
	// Note: worth knowing; nothing is damaged that anything needs.
	Note Harm = "note"
)

// Hit is a snapshot that damage reaches.
type Hit struct {
	Snapshot    string    `json:"snapshot"` // ID
	Dataset     string    `json:"dataset"`
	Host        string    `json:"host"`
	WindowStart time.Time `json:"window_start"`
	WindowEnd   time.Time `json:"window_end"`
	FileCount   uint64    `json:"file_count"`
	AtLeast     bool      `json:"at_least"`            // a folder is lost, and nobody knows how many files were in it
	All         bool      `json:"all"`                 // every file: the root of the tree is lost, or the manifest
	Bytes       *uint64   `json:"all_bytes,omitempty"` // of all of them, as the manifest says; none when not all are lost, or it is itself
	Paths       []string  `json:"paths"`               // at most 100
}
