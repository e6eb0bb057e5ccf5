package tree

import "savepoint/chunk"

// Type says what an entry is; the numbers are those of docs/format.md section 6.
type Type uint8

// The types of entries.
const (
	File        Type = 1
	Directory   Type = 2
	Symlink     Type = 3
	Fifo        Type = 4
	Socket      Type = 5
	CharDevice  Type = 6
	BlockDevice Type = 7
)

// FaultTorn marks an entry whose content changed while it was read, twice.
const FaultTorn uint8 = 1

// Entry is one file-system object as a page holds it: metadata and, for files and directories, a list of content.
// Names and targets are byte strings: they may hold anything but a zero byte (and, in names, a slash).
type Entry struct {
	Name    string // empty in a root
	Type    Type
	Mode    uint32 // permission bits, 07777
	UID     uint32
	GID     uint32
	Size    uint64 // bytes of a file, holes included
	MTime   int64  // nanoseconds since 1970 UTC
	Content []Element
	Target  string    // of a symbolic link
	Rdev    [2]uint32 // major and minor of a device
	Xattrs  []Xattr   // in order of name
	Link    *Link     // set when the link count was above 1
	// Splitter is 0 for the repository's splitter, else the size in bytes of fixed chunks.
	Splitter uint32
	Fault    uint8
	Inode    uint64 // compared to detect changes, never restored
	CTime    int64  // likewise; nanoseconds since 1970 UTC
	// Extra holds fields that this program does not know, as encoded, in order of key; they are written back as they came.
	Extra []ExtraField

	// User and Group are the names of UID and GID: kept in the tables of a page, not in the entry itself.
	User, Group string
}

// Xattr is one extended attribute.
type Xattr struct{ Name, Value string }

// Link identifies a file that has several names: two entries of one snapshot with equal Links are one file.
type Link struct {
	Device uint32 // index into the manifest's device table
	Inode  uint64
}

// ExtraField is an uninterpreted field of an entry: its key, 64 or above, and its encoded value.
type ExtraField struct {
	Key   uint64
	Value []byte
}

// Element is one part of an entry's content: a hole, a chunk, a page or a node of elements.
type Element struct {
	ID chunk.ID // zero for a hole
	// Length counts bytes in a file's list, entries in a directory's.
	Length uint64
	// Count is 0 for a hole, a chunk or a page; for a node it is the number of those below.
	Count uint64
	First string // in a directory: the first name below
	Hole  bool
}
