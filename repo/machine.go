package repo

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"savepoint/repo/pack"
)

// Bounds of PackBuffers where it is not given.
const (
	fewBuffers    = 4
	manyBuffers   = 16
	bufferPortion = 32 // buffers beyond the few take at most this part of the memory
)

// packBuffers returns how many pack buffers suit a machine with so many cores and so many bytes of memory; 0: not known.
func packBuffers(cores int, memory uint64) int {
	fit := int(min(memory/bufferPortion/pack.BufferLen, manyBuffers))
	return max(fewBuffers, min(cores, fit))
}

// memory returns how many bytes of memory this process can have: the machine's, or what its control group (version 2) and those
// above allow, if that is less; 0 when it cannot be told. root is the root of the file system.
func memory(root fs.FS) uint64 {
	least := machineMemory(root)
	b, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return least
	}
	for line := range strings.Lines(string(b)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		if !ok {
			continue
		}
		// A container sees its own group as the root.
		for dir := path.Join("sys/fs/cgroup", path.Clean("/"+group)); ; dir = path.Dir(dir) {
			if n, ok := number(root, path.Join(dir, "memory.max")); ok && (least == 0 || n < least) {
				least = n
			}
			if dir == "sys/fs/cgroup" {
				break
			}
		}
	}
	return least
}

// number reads a file that holds a number; false when it does not.
func number(root fs.FS, name string) (uint64, bool) {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}

func machineMemory(root fs.FS) uint64 {
	b, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) == 3 && f[0] == "MemTotal:" && f[2] == "kB" {
			n, _ := strconv.ParseUint(f[1], 10, 54) // 0 for what is no number
			return n << 10
		}
	}
	return 0
}
