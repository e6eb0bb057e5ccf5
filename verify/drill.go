package verify

import "time"

// Verdict is what a drill came to.
type Verdict string

// The verdicts. Only those of a drill that ran to its end say something about the data.
const (
	// Pass: everything came back and was compared with the manifest, and a probe found it good.
	Pass Verdict = "pass"
	// Restored: everything came back and was compared with the manifest; no probe looked at it.
	Restored Verdict = "restored"
	// Damage: something of the snapshot did not come back as it was.
	Damage Verdict = "damage"
	// ObjectiveMissed: it came back, but too slowly, or it was too old.
	ObjectiveMissed Verdict = "objective missed"
	// Inconclusive: it came back, but under conditions under which its objectives cannot be judged.
	Inconclusive Verdict = "inconclusive"
	// CouldNotRun: nothing was learnt.
	CouldNotRun Verdict = "could not run"
)

// DrillDocument is the result of one drill. What is not known, as of a drill that never began, is left out.
type DrillDocument struct {
	Verdict  Verdict  `json:"verdict"`
	ExitCode int      `json:"exit_code"`
	Reasons  []string `json:"reasons"` // why the verdict is not a better one; whole sentences

	Next     string   `json:"next"`     // what to do next, in words with commands in them; empty when there is nothing to do
	Commands []string `json:"commands"` // the commands in Next, each runnable as it stands

	Dataset     string     `json:"dataset,omitempty"`
	Class       string     `json:"class,omitempty"`
	Host        string     `json:"host,omitempty"`     // of the source
	Snapshot    string     `json:"snapshot,omitempty"` // ID; empty when none was chosen
	Faults      *uint64    `json:"fault_count,omitempty"`
	Complete    Answer     `json:"complete,omitzero"` // the snapshot is: it has no faults and is not suspect
	WindowStart time.Time  `json:"window_start,omitzero"`
	WindowEnd   time.Time  `json:"window_end,omitzero"`
	Published   time.Time  `json:"published_at,omitzero"` // when the snapshot was stored, storage time
	Ordered     time.Time  `json:"ordered_at,omitzero"`   // when the drill was asked for, storage time
	Incident    time.Time  `json:"incident_at,omitzero"`  // the moment that data was lost at: that of --at, else when it was ordered
	At          *time.Time `json:"at,omitempty"`          // of --at
	// RandomWithin is the time, in seconds before the order, that At was drawn from; 0: it was not drawn.
	RandomWithin float64 `json:"random_within_seconds,omitempty"`

	RTO        Recovery   `json:"rto"`              // time until the data was back
	RPO        Exposure   `json:"rpo"`              // age of what came back
	Restored   Restore    `json:"restored"`         // what came back
	Compared   Comparison `json:"compared"`         // what was read again from disk
	Loss       *LossSet   `json:"loss,omitempty"`   // what of the live source would be lost; nil: nobody asked
	Probe      *Probe     `json:"probe,omitempty"`  // what looked at it, when anything was to
	Resume     *Resume    `json:"resume,omitempty"` // a first backup of what came back; nil: none was wanted, or nothing was worth one
	Conditions Conditions `json:"conditions"`       // under which all this was measured
	Damaged    []Lost     `json:"damaged"`          // what the repository lost; at most MaxListed
	DamagedCnt uint64     `json:"damaged_count"`    // all of them
	Took       *Took      `json:"damage_took,omitempty"`
	Recovered  Answer     `json:"recovered,omitzero"` // something that will do came back, of this snapshot or an older one; No: RTO and RPO are infinite, and have no seconds
	Older      []Older    `json:"older,omitempty"`    // snapshots that were restored after it, because not all of it came back; the newest first
	Instead    string     `json:"instead,omitempty"`  // ID of the newest good one of these
	Usage      *Usage     `json:"usage,omitempty"`    // what the drill took; none: nobody measured
	Program    string     `json:"program"`            // version
	Run        string     `json:"run"`                // ID of the run
	Leaks      uint64     `json:"sandbox_leaks"`      // scratch folders of drills that were killed, which this one found
	Kept       string     `json:"kept,omitempty"`     // folder in which the restored data was left

	// KeptSnapshot is the ID of the snapshot that is in that folder: the newest good one of those that were tried, or else the last.
	KeptSnapshot string `json:"kept_snapshot,omitempty"`

	// LostPoints are newer than the snapshot that was chosen, and gone, though nobody forgot them; the newest first, at most MaxListed.
	LostPoints []LostPoint `json:"lost_recovery_points,omitempty"`
	// TooLate is newer than the snapshot that was chosen, and was stored too late to be chosen by time; nil when there is none.
	TooLate *LostPoint `json:"newer_too_late,omitempty"`

	Kit *KitProof `json:"recovery_kit,omitempty"` // of a drill whose secret was that of a recovery kit
}

// Resume is a first backup of what a drill restored, into a repository that was thrown away.
type Resume struct {
	Passed  bool    `json:"passed"`
	Message string  `json:"message,omitempty"` // why it did not
	Files   uint64  `json:"files"`
	Bytes   uint64  `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// LossSet is what of a live source a restore would not bring back. Files are those that are new or have changed, Bytes those of them that are not
// in the snapshot at the same place of the same file.
type LossSet struct {
	Files        uint64     `json:"files"`
	Bytes        uint64     `json:"bytes"`
	New          uint64     `json:"new_files"`
	Changed      uint64     `json:"changed_files"`
	NewBytes     uint64     `json:"new_bytes"`      // of Bytes, in files that are new
	ChangedBytes uint64     `json:"changed_bytes"`  // of Bytes, in files that have changed
	Same         uint64     `json:"same_files"`     // compared, and as in the snapshot
	Others       uint64     `json:"others"`         // links, devices and the like that are new or of another type
	Gone         uint64     `json:"gone_entries"`   // in the snapshot, and no longer there
	Moving       uint64     `json:"moving_entries"` // removed or replaced while they were compared
	Unreadable   uint64     `json:"unreadable_entries"`
	Listed       []LostFile `json:"listed"` // lost or unreadable, in order of path; at most MaxListed
	Damaged      []LostFile `json:"silently_different"`
	DamagedCount uint64     `json:"silently_different_count"` // other bytes, though nothing has changed the file since it was read: damage
	DamagedBytes uint64     `json:"silently_different_bytes"` // of these files, in chunks that differ
	Seconds      float64    `json:"seconds"`
}

// LostFile is a file of the live source that a restore would not bring back as it is.
type LostFile struct {
	Path  string   `json:"path"`
	Kind  LossKind `json:"kind"`
	Bytes uint64   `json:"bytes"`
	What  string   `json:"what"`
}

// LossKind is why a file would not come back as it is.
type LossKind string

// The kinds.
const (
	LossNew        LossKind = "new"        // it is not in the snapshot
	LossChanged    LossKind = "changed"    // the source has a newer one
	LossDamaged    LossKind = "damaged"    // its bytes differ though nothing has changed it, or what the snapshot says of it cannot be read
	LossUnreadable LossKind = "unreadable" // in the source: it was not compared
)

// Older is a snapshot that was restored because a newer one did not do. Lists are shortened to the first entries.
type Older struct {
	Snapshot    string     `json:"snapshot"` // ID
	WindowStart time.Time  `json:"window_start"`
	WindowEnd   time.Time  `json:"window_end"`
	Complete    bool       `json:"complete"`
	Good        bool       `json:"good"` // all of it came back as it was, and the probe passed, if there is one
	Restored    Restore    `json:"restored"`
	Compared    Comparison `json:"compared"`
	Damaged     []Lost     `json:"damaged"`
	DamagedCnt  uint64     `json:"damaged_count"`
	Took        *Took      `json:"damage_took,omitempty"`
	Probe       *Probe     `json:"probe,omitempty"`
	Seconds     float64    `json:"seconds"` // restoring and comparing it
}

// KitProof says that a recovery kit opened the repository, and that what it opened was restored.
type KitProof struct {
	Slot   string    `json:"slot"` // that it opened
	Proven time.Time `json:"proven_at"`
}

// Recovery is a measured recovery time. Objective is 0 when there is none. Judged says whether everything came back under conditions
// that allow to hold the time against an objective, Met what came of it; without an objective nothing is met.
type Recovery struct {
	Seconds   float64 `json:"seconds,omitzero"` // 0: not measured
	Objective float64 `json:"objective_seconds,omitempty"`
	Judged    bool    `json:"judged"`
	Met       bool    `json:"met"`
	Total     float64 `json:"total_seconds,omitempty"` // with what is assumed for noticing, deciding and switching over; 0: not known
	Phases    []Phase `json:"phases"`
}

// ProbeAlone reports whether all came back as it was backed up, and nothing but its probe found it wanting: that is damage by the verdict, and
// none of the repository.
func (d *DrillDocument) ProbeAlone() bool {
	return d.Probe != nil && d.Probe.Result == ProbeFailed && d.DamagedCnt == 0 && d.Compared.DifferenceCount == 0 && len(d.LostPoints) == 0 &&
		(d.Loss == nil || d.Loss.DamagedCount == 0)
}

// Phase is one part of a recovery: open, index, select, plan, transfer or metadata, and with a probe start and validate. The phases add up to
// the whole.
type Phase struct {
	Name     string  `json:"name"`
	Seconds  float64 `json:"seconds"`
	Requests uint64  `json:"requests"`
	Retries  uint64  `json:"retries"`
	Received uint64  `json:"received_bytes"`
}

// Exposure is how much would have been lost: from the start of the read window of the newest complete snapshot, at or before the one
// that was restored, to the incident. Objective, Judged and Met are as those of Recovery.
type Exposure struct {
	Seconds   float64 `json:"seconds,omitzero"` // 0: no snapshot was chosen; never as little when one was
	Objective float64 `json:"objective_seconds,omitempty"`
	Judged    bool    `json:"judged"`
	Met       bool    `json:"met"`

	// Since is that start. Without one no snapshot is complete; then Seconds counts from the one that was restored, and is the least that
	// would have been lost.
	Since *time.Time `json:"since_at,omitempty"`
}

// Restore counts what a drill restored.
type Restore struct {
	Files       uint64 `json:"files"`
	Directories uint64 `json:"directories"`
	Others      uint64 `json:"others"`
	HardLinks   uint64 `json:"hard_links"`
	Bytes       uint64 `json:"bytes"`
	Fetched     uint64 `json:"fetched_bytes"`
}

// Comparison is what reading the restored files back from disk found.
type Comparison struct {
	Entries         uint64       `json:"entries"`
	Files           uint64       `json:"files"`
	Bytes           uint64       `json:"bytes"` // read from disk and found as they were backed up
	Seconds         float64      `json:"seconds"`
	DifferenceCount uint64       `json:"difference_count"`
	Differences     []Difference `json:"differences"`  // at most MaxListed
	NotCompared     []string     `json:"not_compared"` // what of the metadata the process may not restore, as owners
}

// Difference is one entry that is not as it was.
type Difference struct {
	Path string `json:"path"` // in the snapshot
	What string `json:"what"`
}

// Lost is a file or folder that damage in the repository took.
type Lost struct {
	Path    string `json:"path"` // in the snapshot; empty when a manifest is lost
	Object  string `json:"object,omitempty"`
	Message string `json:"message"`
}

// Took is how much of a snapshot damage in the repository took, by what its manifest says that it has. Files with several names count once for each.
type Took struct {
	Files   uint64 `json:"files"`
	Bytes   uint64 `json:"bytes"`
	AtLeast bool   `json:"at_least"` // there is more: folders are lost, and nobody knows what was in them
	All     bool   `json:"all"`      // every file
}

// LostPoint is a snapshot that was published, as the report of its backup says, that is gone, and that nobody forgot.
type LostPoint struct {
	Snapshot    string    `json:"snapshot"` // ID
	Object      string    `json:"object"`   // its manifest
	WindowStart time.Time `json:"window_start"`
	Published   time.Time `json:"published_at"` // storage time
}

// Conditions are those under which a drill measured. A function of package drill decides from them whether its times may be held
// against objectives.
type Conditions struct {
	Scenario       string   `json:"scenario"`                    // cold: no cache, no index; warm: those of this host
	Full           bool     `json:"full"`                        // all of the snapshot
	Sample         string   `json:"sample,omitempty"`            // what part of it was wanted: a share of the files in percent, or bytes
	IndexCold      bool     `json:"index_cold"`                  // no index of this host was used
	CacheDropped   Answer   `json:"page_cache_dropped,omitzero"` // the restored files were read from disk, not from memory
	Alone          Answer   `json:"alone,omitzero"`              // no other drill ran on this host
	Throttled      Answer   `json:"throttled,omitzero"`          // --limit-download held it back
	SourceHost     Answer   `json:"source_host,omitzero"`        // it ran on the host of the source
	StorageLocal   Answer   `json:"storage_local,omitzero"`      // the repository lies in a folder of this machine
	Scratch        string   `json:"scratch,omitempty"`
	ScratchFS      string   `json:"scratch_filesystem,omitempty"`
	Root           bool     `json:"root"`
	KeyFrom        string   `json:"key_from,omitempty"` // which secret opened the repository: flag, environment, file; never the secret
	KeySlot        string   `json:"key_slot,omitempty"`
	Machine        string   `json:"machine,omitempty"` // host name
	CPUs           int      `json:"cpus"`
	MemoryBytes    uint64   `json:"memory_bytes,omitempty"`
	System         string   `json:"system"`
	Isolation      string   `json:"isolation,omitempty"`      // of the probe: full or none; empty without one
	NotIndependent []string `json:"not_independent,omitzero"` // nil: not known; what lies on the host of the source and would be lost with it: "the secret", "the repository"
}

// MaxListed is how many entries a document lists of one kind at most; it counts all.
const MaxListed = 1000

// What a probe came to.
const (
	ProbePassed = "passed"
	ProbeFailed = "failed"
	ProbeNotRun = "not run"
)

// Probe is what looked at the restored data, and what came of it.
type Probe struct {
	Argv        []string   `json:"argv"`                         // as it is configured, {target} and its like in it
	Builtin     string     `json:"builtin,omitempty"`            // its name when it is one of this program
	Result      string     `json:"result"`                       // passed, failed or not run
	Message     string     `json:"message,omitempty"`            // why it did not pass
	Isolation   string     `json:"isolation"`                    // full or none
	Seconds     float64    `json:"seconds"`                      // from its start to its end
	Exit        int        `json:"exit"`                         // its exit code; -1 when a signal ended it
	Signal      string     `json:"signal,omitempty"`             // that ended it
	Checked     uint64     `json:"checked"`                      // how many things it says that it checked; 0 unless it passed
	Canary      *time.Time `json:"canary_at,omitempty"`          // the newest time that it found in the data
	CanaryAge   *float64   `json:"canary_age_seconds,omitempty"` // from that to the incident
	Left        uint64     `json:"left_processes"`               // that it left behind and that were killed
	Output      string     `json:"output"`                       // the last 64 KiB of what it printed
	OutputBytes uint64     `json:"output_bytes"`                 // all of it
}
