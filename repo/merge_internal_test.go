package repo

import (
	"fmt"
	"testing"

	"savepoint/repo/storage"
)

func sized(sizes ...int64) []listedSegment {
	var out []listedSegment
	for i, n := range sizes {
		out = append(out, listedSegment{Info: storage.Info{Name: fmt.Sprintf("%04d", i), Size: n}})
	}
	return out
}

func repeat(n int, size int64) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = size
	}
	return out
}

func TestMergeGroups(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		name  string
		sizes []int64
		above int
		want  string // length of each group
	}{
		{"none", nil, 10, "[]"},
		{"few enough", repeat(10, 1000), 10, "[]"},
		{"one more", repeat(11, 1000), 10, "[11]"},
		{"more than one takes", repeat(2001, 1000), 1000, "[1000 1000]"},
		{"half is enough", repeat(4000, 1000), 3000, "[1000 1000 1000]"},
		{"tiers stay apart", append(repeat(20, 1000), repeat(20, 200<<10)...), 10, "[20 20]"},
		{"a few of a tier are left", append(repeat(7, 1000), repeat(20, 200<<10)...), 10, "[20]"},
		{"as much as fits", repeat(60, mib), 10, "[16 16 16 12]"},
		{"large ones are left", repeat(60, 8*mib), 10, "[]"},
		{"larger than any tier", repeat(20, 40*mib), 10, "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []int
			total := 0
			for _, g := range mergeGroups(sized(tt.sizes...), tt.above) {
				got = append(got, len(g))
				sum := int64(0)
				for _, i := range g {
					sum += i.Size
				}
				if total += len(g); sum > mergeTarget {
					t.Errorf("a group of %d bytes", sum)
				}
			}
			if fmt.Sprint(got) != tt.want || total > len(tt.sizes) {
				t.Errorf("groups of %v, want %s", got, tt.want)
			}
		})
	}
}
