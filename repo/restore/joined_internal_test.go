package restore

import "testing"

func TestJoinedTakesWhatGoesOn(t *testing.T) {
	block := make([]byte, 40)
	other := make([]byte, 40)
	for name, c := range map[string]struct {
		pl   place
		data []byte
		want bool
	}{
		"goes on":               {place{node: 1, off: 110}, block[10:20], true},
		"elsewhere in the file": {place{node: 1, off: 120}, block[10:20], false},
		"in another file":       {place{node: 2, off: 110}, block[10:20], false},
		"further in the block":  {place{node: 1, off: 110}, block[20:30], false},
		"in another block":      {place{node: 1, off: 110}, other[10:20], false},
	} {
		t.Run(name, func(t *testing.T) {
			j := joined{place{node: 1, off: 100}, 1, block[0:10]}
			if got := j.takes(&c.pl, c.data); got != c.want {
				t.Fatalf("takes: %v, want %v", got, c.want)
			}
			if want := 10 + map[bool]int{true: len(c.data)}[c.want]; len(j.data) != want || int(j.chunks) != want/10 {
				t.Errorf("%d bytes of %d chunks, want %d", len(j.data), j.chunks, want)
			}
		})
	}
	if (&joined{}).takes(&place{}, block) {
		t.Error("an empty stretch took a chunk")
	}
}
