package drill

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"savepoint/repo/restore"
)

// filesystems are the names of the kinds that statfs tells by number.
var filesystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.F2FS_SUPER_MAGIC: "f2fs",
	0x2fc12fc1: "zfs", unix.NFS_SUPER_MAGIC: "nfs", unix.CIFS_SUPER_MAGIC: "cifs", unix.SMB2_SUPER_MAGIC: "smb2", unix.FUSE_SUPER_MAGIC: "fuse",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs", unix.HUGETLBFS_MAGIC: "hugetlbfs",
}

func statfs(path string) (st unix.Statfs_t, err error) {
	err = ignoringEINTR(func() error { return unix.Statfs(path, &st) })
	if err != nil {
		return st, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return st, nil
}

func filesystemName(st unix.Statfs_t) string {
	if name := filesystems[int64(st.Type)]; name != "" {
		return name
	}
	return fmt.Sprintf("%#x", uint32(st.Type))
}

// inMemory reports whether a file system keeps files in memory: a restore into it measures no disk, and takes the memory of who else
// runs here.
func inMemory(st unix.Statfs_t) bool {
	switch int64(st.Type) {
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.HUGETLBFS_MAGIC:
		return true
	}
	return false
}

// checkFilesystem returns the name of the file system at path, and an error when it lies in memory: itself, or the layer of an
// overlay that is written to, as far as that can be seen from here.
func (o Options) checkFilesystem(path string) (string, error) {
	st, err := o.statfs(path)
	if err != nil {
		return "", err
	}
	name := filesystemName(st)
	memory := inMemory(st)
	if upper := upperDir("/proc/self/mountinfo", path); !memory && int64(st.Type) == unix.OVERLAYFS_SUPER_MAGIC && upper != "" {
		if below, err := o.statfs(upper); err == nil && inMemory(below) {
			name, memory = name+" on "+filesystemName(below), true
		}
	}
	if memory {
		return name, fmt.Errorf("the scratch folder %s is on %s, which is in memory: a restore there proves nothing of a disk; name a folder on a disk with --scratch", path, name)
	}
	return name, nil
}

// upperDir returns the folder that an overlay at path writes to; "" when it is none, or cannot be told. The mount is the last one of those whose
// point is the longest that path lies beneath.
func upperDir(mountinfo, path string) string {
	f, err := os.Open(mountinfo)
	if err != nil {
		return ""
	}
	defer f.Close()
	best, upper := -1, ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		mount, kind, found := strings.Cut(lines.Text(), " - ")
		at, fields := strings.Fields(mount), strings.Fields(kind)
		if !found || len(at) < 5 || len(fields) < 3 {
			continue
		}
		point := unescape(at[4])
		if len(point) < best || path != point && !strings.HasPrefix(path, strings.TrimSuffix(point, "/")+"/") {
			continue
		}
		best, upper = len(point), ""
		if fields[0] != "overlay" {
			continue
		}
		for option := range strings.SplitSeq(fields[2], ",") {
			if dir, ok := strings.CutPrefix(option, "upperdir="); ok {
				upper = unescape(dir)
			}
		}
	}
	return upper
}

// unescape undoes what the kernel does to blanks in /proc.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// What a restore takes beside the bytes of its files: a folder has entries and may have a block of attributes, and something else
// may write to the disk meanwhile.
const (
	spareBytes  = 64 << 20
	spareShare  = 50 // one part in so many of all
	spareInodes = 64
)

// checkSpace returns an error that says how much is missing when what is planned does not fit where path is.
func (o Options) checkSpace(path string, p restore.Plan) error {
	st, err := o.statfs(path)
	if err != nil {
		return err
	}
	entries := p.Files + p.Directories + p.Others
	need := needed(p, st)
	need = saturated(need, need/spareShare+spareBytes, '+')
	if free := free(st); need > free {
		return fmt.Errorf("the scratch folder %s has too little room: %s are needed, %s are free, %s are missing; make room, or name another folder with --scratch",
			path, sizeText(need), sizeText(free), sizeText(need-free))
	}
	if wanted := entries + spareInodes; st.Files > 0 && wanted > st.Ffree {
		return fmt.Errorf("the file system of the scratch folder %s can take %d more files, %d are needed, %d too many; name another folder with --scratch",
			path, st.Ffree, wanted, wanted-st.Ffree)
	}
	return nil
}

// needed returns how many bytes a restore takes.
func needed(p restore.Plan, st unix.Statfs_t) uint64 {
	block := uint64(max(st.Frsize, st.Bsize, 512))
	return saturated(p.Bytes, saturated(p.Files+p.Others+2*p.Directories, block, '*'), '+')
}

// saturated adds or multiplies; what is too large for the type is the largest of it. A snapshot may say anything of its sizes.
func saturated(a, b uint64, op byte) uint64 {
	switch {
	case op == '+' && a > math.MaxUint64-b, op == '*' && b > 0 && a > math.MaxUint64/b:
		return math.MaxUint64
	case op == '+':
		return a + b
	}
	return a * b
}
