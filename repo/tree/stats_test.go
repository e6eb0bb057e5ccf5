package tree_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"savepoint/repo/tree"
)

func TestStats(t *testing.T) {
	for _, want := range []tree.Stats{{}, {Files: 1, FileBytes: 1 << 60, RereadDifferent: 3}} {
		b, err := tree.EncodeStats(&want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tree.DecodeStats(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Error(diff)
		}
	}
	if s, err := tree.DecodeStats(nil); err != nil || *s != (tree.Stats{}) {
		t.Errorf("a report without counts: %+v, %v", s, err)
	}
	for _, bad := range [][]byte{{0x01}, {0xa1}, {0xa1, 0x01, 0x61, 'x'}, {0xa0, 0}} {
		if s, err := tree.DecodeStats(bad); err == nil {
			t.Errorf("%x: %+v", bad, s)
		}
	}
}
