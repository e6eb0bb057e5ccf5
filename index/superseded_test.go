package index_test

import (
	"context"
	"testing"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/repo/record"
)

// TestSupersededTwice retires a segment, and later the one that superseded it, as two prune runs do: nothing is lost, so nothing is read but what is new.
func TestSupersededTwice(t *testing.T) {
	dir := t.TempDir()
	s := shelf{}
	// A large segment makes the base, so that what follows goes to the delta.
	var many []chunk.ID
	for i := range uint64(2000) {
		many = append(many, chunkID(1000+i))
	}
	s[segmentID(9)] = encode(t, nil, packOf(9, many, 8))
	x := open(t, dir)
	bring(t, x, s)
	p := packOf(1, []chunk.ID{chunkID(1)}, 8)
	s[segmentID(1)] = encode(t, nil, p)
	bring(t, x, s)
	s[segmentID(2)] = encode(t, []record.ID{segmentID(1)}, p)
	bring(t, x, s)
	delete(s, segmentID(1)) // retired: 2 is in its place
	bring(t, x, s)
	s[segmentID(3)] = encode(t, []record.ID{segmentID(2)}, p)
	bring(t, x, s)
	delete(s, segmentID(2)) // retired: 3 is in its place
	reads := 0
	read := func(ctx context.Context, id record.ID) (*record.Segment, error) {
		reads++
		return s.read(ctx, id)
	}
	if err := x.Sync(t.Context(), s.listed(), read); err != nil {
		t.Fatal(err)
	}
	if err := x.SetLive(index.Judge{}); err != nil {
		t.Fatal(err)
	}
	if reads > 0 {
		t.Errorf("%d segments were read again: the index was built from nothing", reads)
	}
	if !has(t, x, chunkID(1)) {
		t.Error("chunk 1 is gone")
	}
}
