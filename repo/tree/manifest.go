package tree

// Manifest is a snapshot's root (docs/format.md section 8). Times are in
// nanoseconds since 1970 UTC, those of storage unless it says otherwise; zero
// is none. Text must be UTF-8.
type Manifest struct {
	Seq          uint64   // 1 and up within the source
	Prev         string   // name of the source's manifest before this one
	Window       [2]int64 // start and end of reading
	HostClock    int64    // of the host, at the start
	ClockOffset  int64    // storage time minus HostClock
	Host         string
	User         string // that ran the backup
	Dataset      string
	Class        string // "user", "state", "transactional", "log" or ""
	Roots        []Root // in strict order of path
	Tags         []string
	Mode         Mode
	Parent       string   // name of the manifest that files were compared with
	Devices      []uint64 // device numbers; Link.Device is an index into them
	Stats        Stats
	Version      string // of the program
	Completeness Completeness
	Faults       []Fault // at most MaxFaults
	FaultCount   uint64  // how many there were
	Policy       []byte  // JSON, without secrets
	Chains       []Chain // heads of report chains
	Lease        [16]byte
	LeaseBegan   int64
	LeaseRenewed int64
	Seen         [][16]byte // condemned records
	Suspect      bool       // the source shrank below half of its parent
}

// Root is one tree of a snapshot. Its entry has no name.
type Root struct {
	Path  string // absolute and clean; bytes as they are
	Entry Entry
}

// Mode says what a backup compared files with.
type Mode uint8

// The modes of a backup.
const (
	Incremental  Mode = 1 // the newest snapshot of the source
	Differential Mode = 2 // the newest full one
	Full         Mode = 3 // none: every byte was read
)

// Completeness says how much of the source a snapshot holds.
type Completeness uint8

// The degrees of completeness.
const (
	Complete    Completeness = 1
	WithFaults  Completeness = 2
	Interrupted Completeness = 3
)

// FaultCode says why a file is not in a snapshot as it should be.
type FaultCode uint8

// The codes of faults.
const (
	Unreadable  FaultCode = 1
	Torn        FaultCode = 2 // changed while it was read
	Vanished    FaultCode = 3
	Unsupported FaultCode = 4
)

// Fault is one file that is not in a snapshot as it should be.
type Fault struct {
	Path    string // bytes as they are
	Code    FaultCode
	Message string // what is not UTF-8 in it is replaced when it is encoded
}

// Chain is the newest report that a writer of reports is known to have made.
type Chain struct {
	Writer [16]byte
	Seq    uint64
	Hash   [32]byte // plain BLAKE3-256 of the report as stored
}
