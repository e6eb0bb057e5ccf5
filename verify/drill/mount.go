package drill

import "golang.org/x/sys/unix"

// mount is where an open file was reached: its file system, and the place that this is mounted in. A folder of the same file system that is
// mounted once more has another id, and nothing else tells it.
type mount struct {
	major, minor uint32
	id           uint64 // 0 before Linux 5.8
}

// mountOf returns the mount of a descriptor.
func mountOf(fd int) (mount, error) {
	var st unix.Statx_t
	err := ignoringEINTR(func() error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_TYPE|unix.STATX_MNT_ID, &st) })
	m := mount{major: st.Dev_major, minor: st.Dev_minor}
	if st.Mask&unix.STATX_MNT_ID != 0 {
		m.id = st.Mnt_id
	}
	return m, err
}
