package repo

import (
	"fmt"
	"testing"
	"testing/fstest"
)

func TestPackBuffers(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		cores  int
		memory uint64
		want   int
	}{
		{1, 1 * gib, 4},
		{2, 24 * gib, 4},
		{4, 256 * gib, 4},
		{6, 16 * gib, 6},
		{16, 8 * gib, 7},
		{16, 16 * gib, 14},
		{16, 32 * gib, 16},
		{16, 512 << 20, 4},
		{128, 1024 * gib, 16},
		{128, 1<<64 - 1, 16},
		{16, 0, 4},
	} {
		if got := packBuffers(tt.cores, tt.memory); got != tt.want {
			t.Errorf("%d buffers for %d cores and %d MiB, want %d", got, tt.cores, tt.memory>>20, tt.want)
		}
	}
}

func TestMemory(t *testing.T) {
	const info = "proc/meminfo"
	const group = "proc/self/cgroup"
	for i, tt := range []struct {
		files map[string]string
		want  uint64
	}{
		{nil, 0},
		{map[string]string{info: "MemTotal:       1000 kB\nMemFree:        500 kB\n"}, 1000 << 10},
		{map[string]string{info: "MemFree: 500 kB\nMemTotal: what kB\n"}, 0},
		{map[string]string{info: "MemTotal: 1000\n"}, 0},
		{map[string]string{info: "MemTotal: 1000 kB\n", group: "0::/\n", "sys/fs/cgroup/memory.max": "4096\n"}, 4096},
		{map[string]string{info: "MemTotal: 1000 kB\n", group: "0::/../..\n", "sys/fs/cgroup/memory.max": "4096\n"}, 4096},
		{map[string]string{info: "MemTotal: 1000 kB\n", group: "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, 1000 << 10},
		{map[string]string{info: "MemTotal: 1000 kB\n", group: "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "8000000\n"}, 1000 << 10},
		{map[string]string{info: "MemTotal: 1000 kB\n", group: "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "5000\n"}, 5000},
		{map[string]string{group: "1:memory:/x\n0::/a\n", "sys/fs/cgroup/a/memory.max": "5000\n", "sys/fs/cgroup/x/memory.max": "50\n"}, 5000},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := memory(root); got != tt.want {
				t.Errorf("%d bytes, want %d", got, tt.want)
			}
		})
	}
}
