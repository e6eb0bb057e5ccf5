package probe

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// alive returns how many processes there are in this namespace beside its first one.
func alive() int {
	n := 0
	for pid, state := range processes() {
		if pid != os.Getpid() && state.alive {
			n++
		}
	}
	return n
}

// process is what /proc says of one.
type process struct {
	parent  int
	threads int
	alive   bool // and not only waiting to be reaped
}

func processes() map[int]process {
	out := map[int]process{}
	entries, _ := os.ReadDir("/proc") // without it none is found
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // the name before may hold anything
		if err != nil || len(fields) < 2 {
			continue // it has ended
		}
		parent, _ := strconv.Atoi(fields[1]) // the kernel wrote it
		threads := 0
		if len(fields) > 17 {
			threads, _ = strconv.Atoi(fields[17])
		}
		out[pid] = process{parent: parent, threads: threads, alive: fields[0] != "Z" && fields[0] != "X"}
	}
	return out
}

// killChildren kills all that descends from this process. What loses its parent becomes a child of this one, so that none escapes by a
// session of its own or a second fork. It returns how many were killed, and how many may not be.
func killChildren() (killed, remaining int) {
	me := os.Getpid()
	seen, refused := map[int]bool{}, map[int]bool{}
	for {
		all := processes()
		found := false
		for pid := range all {
			if !descends(all, pid, me) || refused[pid] {
				continue
			}
			found = true
			if all[pid].alive && !seen[pid] {
				seen[pid] = true
				killed++
			}
			if unix.Kill(pid, unix.SIGKILL) == unix.EPERM {
				refused[pid] = true
				killed--
			}
		}
		if !found {
			return killed, len(refused)
		}
		reap(len(refused) > 0)
	}
}

// reap waits for children: for one to end, and for all that have ended by then.
func reap(hasty bool) {
	flags := 0
	if hasty { // one that cannot be killed would be waited for
		flags = unix.WNOHANG
	}
	for {
		pid, err := unix.Wait4(-1, nil, flags, nil)
		if err != unix.EINTR && (err != nil || pid == 0) {
			return
		}
		flags = unix.WNOHANG
	}
}

func descends(all map[int]process, pid, from int) bool {
	for range len(all) { // a number that is given again could make a circle
		p, ok := all[pid]
		if !ok || pid == from {
			return false
		}
		if p.parent == from {
			return true
		}
		pid = p.parent
	}
	return false
}
