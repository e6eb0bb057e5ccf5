package source

import "golang.org/x/sys/unix"

// bcachefs, jfs and zfs have no constant in x/sys, or not on all architectures.
const (
	jfsMagic = 0x3153464a
	zfsMagic = 0x2fc12fc1
)

// TrustTimes reports whether mtime, ctime and inode numbers of the file system that d lies on can tell that a file is
// unchanged. Trusted are local file systems on a block device, by name: ext2 to ext4, XFS, Btrfs, ZFS, F2FS, bcachefs,
// JFS, ReiserFS, NILFS, and the read-only SquashFS, EROFS, ISO 9660 and UDF. All others are not, those that do not exist yet
// among them:
//
//   - tmpfs and ramfs never write back, so stores through mmap move mtime once and never again;
//   - NFS, CIFS, SMB, 9p, Ceph, AFS, Coda and FUSE take times from another machine or program, late or cached;
//   - FAT, exFAT and NTFS have no ctime, or make up inode numbers;
//   - overlayfs passes on what lies below, and cannot say what that is.
//
// A file mounted over a name has a Meta.Dev other than that of d.Meta(); this answer is not about it. One system call.
func TrustTimes(d *Dir) bool {
	magic, err := fsMagic(d.fd)
	return err == nil && trusted(magic)
}

func trusted(magic int64) bool {
	switch magic {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, zfsMagic, unix.F2FS_SUPER_MAGIC,
		unix.BCACHEFS_SUPER_MAGIC, jfsMagic, unix.REISERFS_SUPER_MAGIC, unix.NILFS_SUPER_MAGIC,
		unix.SQUASHFS_MAGIC, unix.EROFS_SUPER_MAGIC_V1, unix.ISOFS_SUPER_MAGIC, unix.UDF_SUPER_MAGIC:
		return true
	}
	return false
}

// tellsHoles reports whether what a file system calls a hole is one. ZFS before 2.1.14 and 2.2.2 has called data that
// was being written a hole.
func tellsHoles(fd int) bool {
	magic, err := fsMagic(fd)
	return err == nil && magic != zfsMagic
}

// fsMagic returns the number of the type of the file system that fd lies on.
func fsMagic(fd int) (int64, error) {
	var st unix.Statfs_t
	_, err := retry(func() (struct{}, error) { return struct{}{}, unix.Fstatfs(fd, &st) })
	return int64(uint32(st.Type)), err // sign-extended on some architectures
}
