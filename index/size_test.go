package index_test

import (
	"context"
	"testing"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/record"
)

// TestOtherSize has a listed segment change its size after it was applied: it is damaged, and what only it locates is missed.
func TestOtherSize(t *testing.T) {
	dir := t.TempDir()
	s := shelf{
		segmentID(1): encode(t, nil, packOf(1, []chunk.ID{chunkID(1)}, 1)),
		segmentID(2): encode(t, nil, packOf(2, []chunk.ID{chunkID(2)}, 1)),
	}
	x := open(t, dir)
	bring(t, x, s)
	if !has(t, x, chunkID(1)) || !has(t, x, chunkID(2)) {
		t.Fatal("what was applied is not there")
	}
	listed := s.listed()
	for i := range listed {
		if listed[i].ID == segmentID(2) {
			listed[i].Size--
		}
	}
	for range 2 {
		err := x.Sync(t.Context(), listed, func(ctx context.Context, id record.ID) (*record.Segment, error) {
			if id == segmentID(2) {
				return nil, nil // it cannot be read
			}
			return s.read(ctx, id)
		})
		if err == nil {
			err = x.SetLive(index.Judge{})
		}
		if err != nil {
			t.Fatal(err)
		}
		if !has(t, x, chunkID(1)) || has(t, x, chunkID(2)) {
			t.Error("the chunk of the damaged segment is there, or the other is not")
		}
	}
	bring(t, x, s) // it was put right
	if !has(t, x, chunkID(1)) || !has(t, x, chunkID(2)) {
		t.Error("a segment that was put right is not read")
	}
}
