package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// isolate makes of the namespaces that this process was started in what doc.go says, and gives up rights.
func (o order) isolate() error {
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"bring up the loopback", loopbackUp},
		{"keep mounts to itself", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"mount the restored folder", func() error { return bind(o.Target) }},
		{"mount the temporary folder", func() error { return bind(o.Temp) }},
		{"mount /proc", func() error {
			return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}},
		{"make all mounts read-only (which needs Linux 5.12)", func() error {
			return unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV})
		}},
		{"make devices", devices},
		{"make the restored folder writable", func() error { return loosen(o.Target, unix.MOUNT_ATTR_RDONLY) }},
		{"make the temporary folder writable", func() error { return loosen(o.Temp, unix.MOUNT_ATTR_RDONLY) }},
		{"cover the sockets of other services", func() error { return cover(o.Cover) }},
		{"give up rights", giveUp},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

func bind(path string) error { return unix.Mount(path, path, "", unix.MS_BIND, "") }

func loosen(path string, attributes uint64) error {
	return unix.MountSetattr(unix.AT_FDCWD, path, 0, &unix.MountAttr{Attr_clr: attributes})
}

// loopbackUp brings up the one interface that a new network has.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// harmlessDevices are what programs cannot do without.
var harmlessDevices = [...]string{"null", "zero", "full", "random", "urandom", "tty"}

// devices puts a /dev with nothing but these in the place of the host's: root could write to a disk by its device, whatever is mounted
// read-only.
func devices() error {
	var fds [len(harmlessDevices)]int
	for i, name := range harmlessDevices {
		fd, err := unix.Open("/dev/"+name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		fds[i] = fd
	}
	if err := unix.Mount("tmpfs", "/dev", "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755,size=1g"); err != nil {
		return err
	}
	for i, name := range harmlessDevices {
		path := "/dev/" + name
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount("/proc/self/fd/"+strconv.Itoa(fds[i]), path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := loosen(path, unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_RDONLY); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	err := errors.Join(os.Mkdir("/dev/shm", 0o700), os.Chmod("/dev/shm", 0o1777|os.ModeSticky))
	for name, to := range map[string]string{"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"} {
		err = errors.Join(err, os.Symlink("/proc/self/fd"+to, "/dev/"+name))
	}
	return err
}

// cover puts /dev/null over sockets: those of files are reached across networks, and a database of the host may listen on one that the
// probe takes for the restored one's.
func cover(paths []string) error {
	for _, path := range paths {
		err := unix.Mount("/dev/null", path, "", unix.MS_BIND, "")
		switch {
		case err == nil, errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EACCES): // gone, or out of reach
		default:
			return fmt.Errorf("%s: %w", filepath.Clean(path), err)
		}
	}
	return nil
}

// kept are the rights of root that have to do with files and users. Others would let it undo what was mounted, or reach what is outside.
var kept = []int{unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID,
	unix.CAP_NET_BIND_SERVICE, unix.CAP_AUDIT_WRITE}

// giveUp drops rights from this thread and whatever it starts: all of them from a user who got them with the namespace only.
func giveUp() error {
	var keep [2]uint32
	if os.Geteuid() == 0 {
		for _, c := range kept {
			keep[c/32] |= 1 << (c % 32)
		}
	}
	for c := range unix.CAP_LAST_CAP + 1 {
		if keep[c/32]&(1<<(c%32)) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && err != unix.EINVAL { // the kernel may be older
			return err
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has, want [2]unix.CapUserData
	if err := unix.Capget(&header, (*unix.CapUserData)(unsafe.Pointer(&has))); err != nil {
		return err
	}
	for i := range want {
		set := has[i].Permitted & keep[i]
		want[i] = unix.CapUserData{Effective: set, Permitted: set}
	}
	return unix.Capset(&header, (*unix.CapUserData)(unsafe.Pointer(&want)))
}
