package restore

import "sync"

// ranges is the memory of requests, which goes from those who fetch to those who write and back.
type ranges struct {
	mu   sync.Mutex
	free [][]byte
	n    int // free or in use
}

// get returns memory for n bytes.
func (m *ranges) get(n int) []byte {
	m.mu.Lock()
	var b []byte
	if last := len(m.free) - 1; last >= 0 {
		b, m.free = m.free[last], m.free[:last]
	} else {
		m.n++
	}
	m.mu.Unlock()
	if cap(b) >= n {
		return b[:0]
	}
	if n > maxRange/4 { // full ones will follow
		n = max(n, maxRange)
	}
	return make([]byte, 0, n)
}

// put gives memory back that get returned. There is none beyond most of them, nor for more than maxRange.
func (m *ranges) put(b []byte, most int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n > most || cap(b) > maxRange {
		m.n--
		return
	}
	m.free = append(m.free, b)
}
