package health

import (
	"encoding/json"
	"time"

	"savepoint/internal/usage"
	"savepoint/verify"
	"savepoint/verify/measure"
)

// Status is what is known of a repository and its sources. Its times are storage times in UTC.
type Status struct {
	ExitCode int `json:"exit_code"` // 4 with damage that nothing saw healed, 1 when something needs a newer program, else 0
	// LookedAt is this host's clock, or the newest time that the storage has shown when that is later: ages count up to it.
	LookedAt    time.Time    `json:"looked_at"`
	ClockBehind float64      `json:"clock_behind_seconds,omitempty"` // how far this host's clock is behind that time
	Newest      time.Time    `json:"newest_at,omitzero"`             // the newest time that the storage has shown
	Sources     []*Source    `json:"sources"`                        // what needs attention first
	Verify      Verification `json:"verify"`
	Damaged     []string     `json:"damaged_packs"` // that a mark says are damaged
	Unreadable  []Unreadable `json:"unreadable"`
	Missing     uint64       `json:"missing_reports"`        // that there were: reports are numbered, and manifests name them
	Kit         *KitProof    `json:"recovery_kit,omitempty"` // the last drill that proved one
	Capacity    *Capacity    `json:"capacity,omitempty"`     // nothing is known without a verification and a quota
	Trust       TrustChanges `json:"trust"`
	Copied      bool         `json:"copied"`   // a copy made by other means: backups are refused until it is adopted
	Warnings    []Warning    `json:"warnings"` // the worst first
	// Document is what is measured of the repository over time.
	Document *OverallDocument `json:"figures"`
	Run      string           `json:"run"`

	figures *Overall
	counts  tallies
}

// tallies is what metrics have besides.
type tallies struct {
	known            bool // readBytes is
	readBytes        uint64
	damagedSnapshots int
	structure        *verify.Structure // of the last verification of everything
}

// KitProof says when a drill proved a recovery kit, of whichever source, and which key slot that opens.
type KitProof struct {
	Proven  time.Time `json:"proven_at"`
	Slot    string    `json:"slot"`
	Object  string    `json:"object"`                // the report
	Removed bool      `json:"slot_removed,omitzero"` // the slot is gone, and no kit that was ever proven opens anything
}

// Source is a dataset of a host.
type Source struct {
	Dataset string `json:"dataset"`
	Class   string `json:"class,omitempty"`
	Host    string `json:"host"`
	State   State  `json:"state"`
	// LastBackup is the snapshot that was published last, whatever it is worth; interrupted ones only when a backup has not been
	// finished since.
	LastBackup *Backup `json:"last_backup"`
	// RecoveryPoint is the newest snapshot that is complete, on time, not suspect, and not damaged as far as is known: what was written
	// after its start would be lost.
	RecoveryPoint *Backup `json:"recovery_point"`
	// LastSuccess is when the last backup was published that was worth that, also when it has been forgotten since.
	LastSuccess *time.Time `json:"last_success_at"`
	// LastReport is the last backup that left a report. One that failed leaves none.
	LastReport *Report `json:"last_report"`
	// LastDrill is the last drill of the newest data, and LastProven the last one whose verdict is that everything came back. One of an
	// older moment (--at) is either only when there is none of the newest data.
	LastDrill  *Drill `json:"last_drill"`
	LastProven *Drill `json:"last_proven"`
	// Measured is LastMeasured.
	Measured *Drill `json:"last_measured"`
	// Restored and Drilled are the starts of the newest recovery points that a drill restored, and that a probe passed as well.
	Restored *time.Time `json:"restored_point_at"`
	Drilled  *time.Time `json:"drilled_point_at"`
	// UnhealedDamage is the last drill that found damage which nothing has seen healed since, FailedProbe the last one in which a probe failed of
	// what had come back as it was, and none has passed since.
	UnhealedDamage *Drill `json:"unhealed_damage"`
	FailedProbe    *Drill `json:"failed_probe"`
	// Damages are the snapshots in which drills or verifications found damage that nothing has seen healed, newest first.
	Damages []SnapshotDamage `json:"damaged_snapshots"`
	// LastGood is the newest snapshot that a drill brought back whole and of which nothing worse is known since; while a probe has failed, the
	// newest that passed one.
	LastGood *GoodSnapshot `json:"last_good"`
	// Lost are the snapshots that are gone though nobody forgot them, newest first, at most verify.MaxListed; LostCount counts all.
	Lost      []verify.LostPoint `json:"lost_recovery_points"`
	LostCount uint64             `json:"lost_recovery_point_count"`
	// Backups and Drills count reports by result. They are empty when reports cannot be read: then the counts are not known.
	Backups []Count `json:"backup_runs"`
	Drills  []Count `json:"drill_runs"`
	// Verified is the start of the newest recovery point of which every pack has been read back since it was published.
	Verified *time.Time `json:"verified_point_at"`
	// Document is what is measured of it over time.
	Document *FiguresDocument `json:"figures"`

	// BackupTurns and DrillTurns are what schedules expect; nil when the configuration has none, or it cannot be told.
	BackupTurns *Turns `json:"backup_schedule,omitempty"`
	DrillTurns  *Turns `json:"drill_schedule,omitempty"`
	// Granularity is by the snapshots that are there, Kept by the rules of the configuration.
	Granularity []Granularity `json:"granularity,omitempty"`
	Kept        []Kept        `json:"kept_by_policy,omitempty"`

	measured *Drill // the last drill that measured a recovery time
	whole    bool   // a drill brought all of a snapshot back from the repository alone
	figures  *Figures
	there    map[Trust]int // recovery points that are there
	lastRun  *measure.Run  // of the last backup whose report tells
	changed  *measure.Run  // of the last such one that was not full
	leaks    *uint64       // that the last drill found
	probed   *bool         // by the last drill that had a probe: it passed
	usage    *usage.Usage  // what the last backup took that left a report; nil: that does not say
}

// SnapshotDamage is what is known of the damage of a snapshot.
type SnapshotDamage struct {
	Snapshot  string    `json:"snapshot"` // ID
	WindowEnd time.Time `json:"window_end"`
	By        string    `json:"found_by"` // ByVerify or ByDrill
	At        time.Time `json:"at"`       // when that run ended
	Object    string    `json:"object"`   // its report
}

// GoodSnapshot is a snapshot that a drill brought back whole.
type GoodSnapshot struct {
	Snapshot    string    `json:"snapshot"` // ID
	WindowStart time.Time `json:"window_start"`
	WindowEnd   time.Time `json:"window_end"`
	At          time.Time `json:"at"`     // when the drill ended
	Probed      bool      `json:"probed"` // a probe passed
	Object      string    `json:"object"` // the report
}

// LastMeasured returns the last drill in which everything came back, under conditions that allow to hold its time against an objective; nil when
// there is none.
func (s *Source) LastMeasured() *Drill { return s.measured }

// Name returns dataset@host.
func (s *Source) Name() string { return s.Dataset + "@" + s.Host }

// State says what is the matter with a source.
type State string

// The states, the worst first.
const (
	Damaged       State = "damage"            // a drill found it, and no later one saw it healed; or a snapshot is gone that nobody forgot
	ProbeFailed   State = "probe failed"      // all came back as it was, and is not what it should be
	NeverBackedUp State = "never backed up"   // the configuration names it
	NoPoint       State = "no recovery point" // nothing complete to go back to
	Exposed       State = "rpo exceeded"      // more would be lost now than the configuration allows
	Stopped       State = "stopped"           // backups came at intervals, and now none has for long
	BackupOverdue State = "backup missed"     // the last one that the schedule expected did not come
	Faulty        State = "faults"            // the last backup is not what a backup should be
	Unusual       State = "unusual"           // the last backup is, compared with earlier ones
	Foreign       State = "unknown key slot"  // nobody is known to have put it there
	DrillMissed   State = "objective missed"  // by the last drill
	DrillFailed   State = "drill failed"      // it could not run
	DrillOverdue  State = "drill missed"      // the last one that the schedule expected did not come
	NeverDrilled  State = "never drilled"
	Good          State = "ok"
)

// Backup is one snapshot.
type Backup struct {
	Snapshot     string    `json:"snapshot"` // ID
	Published    time.Time `json:"published_at"`
	WindowStart  time.Time `json:"window_start"`
	WindowEnd    time.Time `json:"window_end"`
	Completeness string    `json:"completeness"`
	Suspect      bool      `json:"suspect"`
	Late         bool      `json:"late"`
	Faults       uint64    `json:"fault_count"`
	Files        uint64    `json:"files"`
	Bytes        uint64    `json:"bytes"`
	New          uint64    `json:"new_bytes"`
	NewStored    uint64    `json:"new_stored_bytes"`
	Seconds      float64   `json:"seconds"`
}

// Report is one run of a backup that was reported.
type Report struct {
	At       time.Time `json:"at"`
	ExitCode int       `json:"exit_code"`
	Message  string    `json:"message,omitempty"`
}

// Drill is one drill of a source.
type Drill struct {
	At       time.Time       `json:"at"`
	Of       *time.Time      `json:"incident_at,omitempty"` // the moment that it assumed for the incident, when that was an older one (--at)
	Verdict  verify.Verdict  `json:"verdict"`
	Snapshot string          `json:"snapshot"`              // ID
	RTO      *float64        `json:"rto_seconds,omitempty"` // when everything came back, under conditions that allow to hold it against an objective
	RPO      *float64        `json:"rpo_seconds,omitempty"`
	Sample   string          `json:"sample,omitempty"`   // what part of the files it restored; empty: all
	Object   string          `json:"object"`             // the report
	Document json.RawMessage `json:"document,omitempty"` // what the drill printed with --json

	Isolation   string `json:"probe_isolation,omitempty"` // of its probe: full or none; empty without one
	ProbeFailed bool   `json:"probe_failed,omitempty"`    // all came back as it was, and the probe failed; its verdict is damage

	// NotIndependent is what lay on the source's own host in it, and would be lost with that: a host that replaces it would not have it.
	NotIndependent []string `json:"not_independent,omitempty"`

	rep *report
}

// Count is how many runs ended in one way.
type Count struct {
	Result string `json:"result"`
	Runs   uint64 `json:"runs"`
}

// Verification is what is known of the repository's packs.
type Verification struct {
	Structure Level `json:"structure"` // runs that read packs back looked at the structure too
	Data      Level `json:"data"`
	// Part is the last run that was told to look at a part alone. It is neither of the two above, unless runs of all shards together looked at
	// everything.
	Part *Check `json:"last_part,omitempty"`
	// Unhealed is the last run that found damage which no later one that looked as far has seen healed.
	Unhealed *Check `json:"unhealed_damage"`
	Packs    uint64 `json:"packs"` // as the last run counted them
	// ReadBack are the packs that were read back and found whole within Window, and Coverage the share of all bytes that was. None: no run has
	// counted.
	ReadBack uint64   `json:"read_back_packs"`
	Coverage *float64 `json:"coverage_ratio"`
	Never    *uint64  `json:"never_packs"` // that no run has read back, as the last one counted
	// Oldest is when the pack was read back that was not for the longest time; none while some never was.
	Oldest *time.Time `json:"oldest_at"`
}

// Window is the time within which reading back counts as coverage.
const Window = 30 * 24 * time.Hour

// Level is how far a verification looked.
type Level struct {
	Last      *Check     `json:"last"`
	LastWhole *time.Time `json:"last_whole_at"` // that found nothing that harms
}

// Check is one verification.
type Check struct {
	At       time.Time       `json:"at"`
	ExitCode int             `json:"exit_code"`
	Message  string          `json:"message,omitempty"` // why it did not come to its end
	Scope    string          `json:"scope,omitempty"`   // the part that it was told to look at; none: everything
	Findings uint64          `json:"finding_count"`
	Object   string          `json:"object"`             // the report
	Document json.RawMessage `json:"document,omitempty"` // what the verification printed with --json; none of one that did not come to its end

	rep *report
}

// Unreadable is a manifest or a report that cannot be read, or a report whose document is none, which count as if they were not there; or config.
type Unreadable struct {
	Kind    string `json:"kind"` // config, snapshot, report, record or document
	Message string `json:"message"`
}

// The kinds of Unreadable. A document that is none is not damage: what it says was sealed by who had the key.
const (
	KindConfig   = "config" // damaged or gone: everything can be read, and nobody can back up
	KindSnapshot = "snapshot"
	KindReport   = "report"
	KindRecord   = "record" // a mark or a condemned record: packs may be marked as damaged that are not counted
	KindDocument = "document"
)

// Warning is one thing that needs attention, with what to do.
type Warning struct {
	State   State  `json:"state"`
	Dataset string `json:"dataset,omitempty"` // none: it is about the repository
	Host    string `json:"host,omitempty"`
	Message string `json:"message"`
	File    string `json:"file,omitempty"` // the first file that damage is known to hit, by its path in the snapshot
	Next    string `json:"next"`           // the next command, or what to do in words with commands in them
	// Commands are those in Next, each runnable as it stands.
	Commands []string `json:"commands"`
}
