package restore

import "testing"

// TestRanges: memory comes back, and there is no more of it than is wanted.
func TestRanges(t *testing.T) {
	var m ranges
	small, large := m.get(1000), m.get(2<<20)
	if cap(small) != 1000 || cap(large) != maxRange || m.n != 2 {
		t.Errorf("%d and %d bytes, %d pieces", cap(small), cap(large), m.n)
	}
	m.put(append(large, 1), 2)
	again := m.get(maxRange)
	if len(again) != 0 || &again[:1][0] != &large[:1][0] {
		t.Error("memory does not come back")
	}
	m.put(small, 2)
	if b := m.get(2000); cap(b) != 2000 || m.n != 2 {
		t.Errorf("%d bytes, %d pieces", cap(b), m.n)
	}
	m.put(again, 1) // fewer are wanted now
	if m.n != 1 || len(m.free) != 0 {
		t.Errorf("%d pieces, %d free", m.n, len(m.free))
	}
	m.put(m.get(maxRange+1), 4) // one block
	if m.n != 1 || len(m.free) != 0 {
		t.Errorf("%d pieces, %d free", m.n, len(m.free))
	}
}
