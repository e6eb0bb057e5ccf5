package source

import (
	"encoding/binary"
	"strings"
)

// HeadSize is how many bytes from the beginning of a file [Recognise] looks at, at most.
const HeadSize = 128

// Fixed chunk sizes in bytes, of what is rewritten in place: those of the pages that a program writes.
const (
	postgresPage = 8 << 10 // unless the server was built otherwise
	sqliteLeast  = 4 << 10 // smaller pages are taken together
	sqliteShared = 32 << 10
	innodbPage   = 16 << 10
	imageCluster = 64 << 10
	imageLeast   = 1 << 20 // an image that only its name tells must be this large
)

// Recognise returns the size in bytes of the fixed chunks that suit a file, or 0 for the repository's splitter: c is the
// context of its directory, head its first HeadSize bytes or all that there are (nil before it is opened: what only the
// content tells is then missed), size its size.
//
// What it recognises is rewritten in place, so only reading tells that it is unchanged:
//
//   - PostgreSQL: relation files and transaction status, 8 KiB, whatever their size: a table of a few pages is written
//     page by page too, and stays aligned as it grows. A file of up to 8 KiB is one chunk. Write-ahead log (pg_wal) is
//     left to the repository's splitter: a segment is filled from front to back, hence mostly new, and one that was
//     archived meanwhile then has the same chunks in both places;
//   - SQLite by its magic: the page size, but at least 4 KiB; its -shm file, 32 KiB, since it is written through mmap.
//     A -wal file is written from the front and left to the repository's splitter;
//   - InnoDB: .ibd, ibdata and undo files, 16 KiB;
//   - images of machines, 64 KiB: qcow2, VMDK, VDI and VHDX by their magic, and .img, .raw, .qcow2, .vmdk, .vdi, .vhd and
//     .vhdx files of at least 1 MiB and whole sectors by name.
func Recognise(c Context, name string, head []byte, size uint64) uint32 {
	if n := c.postgres(name); n != 0 {
		return n
	}
	if n := sqlite(name, head); n != 0 {
		return n
	}
	if innodb(name, head) {
		return innodbPage
	}
	if image(name, head, size) {
		return imageCluster
	}
	return 0
}

// place says where in a PostgreSQL cluster a directory is.
type place uint8

const (
	outside    place = iota
	cluster          // the cluster directory, and what in it has no place of its own
	databases        // base, and a tablespace's directory of one server version
	relations        // a database's directory, or global
	statuses         // pg_xact and its like
	writeAhead       // pg_wal
)

// Context says what is known of a directory from those above it and from its names. It is a small value, made on the
// way down; the zero value is that of a directory above a root.
type Context struct{ place place }

// Enter returns the context of the directory called name beneath c's, in which there are names. For a root, c is the
// zero value and name the last element of its path.
func (c Context) Enter(name string, names *Names) Context {
	switch {
	case names.Has("PG_VERSION") && names.Has("global") && names.Has("base"):
		return Context{cluster}
	case names.Has("pg_filenode.map") && (names.Has("PG_VERSION") || names.Has("pg_control")):
		return Context{relations} // a database or global, whatever it is called: a backup may start here
	case tablespace(name):
		return Context{databases}
	}
	switch c.place {
	case cluster:
		return Context{inCluster(name)}
	case databases:
		if digits(name) > 0 && digits(name) == len(name) {
			return Context{relations}
		}
		return Context{cluster}
	case relations, statuses, writeAhead:
		return c // pg_multixact has two folders, pg_wal one
	}
	return Context{}
}

// InPlace reports whether the directory belongs to a PostgreSQL cluster, none of whose files may be taken for unchanged
// by their times.
func (c Context) InPlace() bool { return c.place != outside }

func inCluster(name string) place {
	switch name {
	case "base":
		return databases
	case "global":
		return relations
	case "pg_xact", "pg_clog", "pg_multixact", "pg_subtrans", "pg_commit_ts":
		return statuses
	case "pg_wal", "pg_xlog":
		return writeAhead
	}
	return cluster
}

// tablespace recognises the folder that a server makes in a tablespace, as PG_15_202209061.
func tablespace(name string) bool {
	rest, ok := strings.CutPrefix(name, "PG_")
	if !ok {
		return false
	}
	version, catalog, ok := strings.Cut(rest, "_")
	version = strings.Replace(version, ".", "", 1) // 9.6
	return ok && version != "" && digits(version) == len(version) && len(catalog) == 9 && digits(catalog) == 9
}

// postgres returns the page size for files that are made of pages, else 0.
func (c Context) postgres(name string) uint32 {
	if c.place == relations && relation(name) || c.place == statuses && hex(name) {
		return postgresPage
	}
	return 0
}

// relation recognises names as 16384, 16384.1, 16384_fsm, 16384_vm.2, and those of temporary tables, t3_16385.
func relation(name string) bool {
	if rest, ok := strings.CutPrefix(name, "t"); ok {
		n := digits(rest)
		if n == 0 || n == len(rest) || rest[n] != '_' {
			return false
		}
		name = rest[n+1:]
	}
	n := digits(name)
	if n == 0 {
		return false
	}
	fork, segment, dotted := strings.Cut(name[n:], ".")
	switch fork {
	case "", "_fsm", "_vm", "_init":
		return !dotted || segment != "" && digits(segment) == len(segment)
	}
	return false
}

// digits returns how many decimal digits s begins with.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

func hex(name string) bool { return len(name) >= 4 && strings.Trim(name, "0123456789ABCDEF") == "" }

// sqlite returns the chunk size for a database or its shared memory, else 0.
func sqlite(name string, head []byte) uint32 {
	const wal = 3007000 // version number that shared memory begins with, in the machine's byte order
	if strings.HasSuffix(name, "-shm") && len(head) >= 4 && binary.NativeEndian.Uint32(head) == wal {
		return sqliteShared
	}
	if len(head) < 100 || string(head[:16]) != "SQLite format 3\x00" {
		return 0
	}
	page := uint32(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 64 << 10
	}
	if page < 512 || page&(page-1) != 0 {
		return 0
	}
	return max(page, sqliteLeast)
}

// innodb recognises tablespaces: one table's by name, the system's and those of undo logs by their first page too.
func innodb(name string, head []byte) bool {
	if strings.HasSuffix(name, ".ibd") {
		return true
	}
	number, ok := strings.CutPrefix(name, "ibdata")
	if !ok {
		number, ok = strings.CutPrefix(name, "undo_")
	}
	if !ok || number == "" || digits(number) != len(number) || len(head) < 26 {
		return false
	}
	const spaceHeader = 8 // type of page 0
	return binary.BigEndian.Uint32(head[4:]) == 0 && binary.BigEndian.Uint16(head[24:]) == spaceHeader
}

// image recognises images of machines.
func image(name string, head []byte, size uint64) bool {
	h := string(head)
	switch {
	case strings.HasPrefix(h, "QFI\xfb"), strings.HasPrefix(h, "KDMV"), strings.HasPrefix(h, "vhdxfile"):
		return true
	case len(h) >= 68 && h[64:68] == "\x7f\x10\xda\xbe": // VDI
		return true
	}
	if size < imageLeast || size%512 != 0 {
		return false
	}
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return false
	}
	switch strings.ToLower(name[dot:]) {
	case ".img", ".raw", ".qcow2", ".vmdk", ".vdi", ".vhd", ".vhdx":
		return true
	}
	return false
}
