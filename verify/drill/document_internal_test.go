package drill

import (
	"strings"
	"testing"

	"savepoint/verify"
)

// TestShortened has tries whose lists are too long to be carried in a report: the last good one stays, whatever is left out.
func TestShortened(t *testing.T) {
	var older []verify.Older
	for range 3000 {
		lost := make([]verify.Lost, mostOfOlder)
		for i := range lost {
			lost[i].Path = strings.Repeat("x", 4096)
		}
		older = append(older, verify.Older{Damaged: lost, DamagedCnt: 20, Probe: &verify.Probe{Output: strings.Repeat("\x01", mostOutput)}})
	}
	older[2500].Good, older[2500].Snapshot = true, "good"
	if _, err := verify.Encode(&verify.DrillDocument{Older: older}); err == nil {
		t.Fatal("this is not too long")
	}
	short := shortened(older, 100)
	if _, err := verify.Encode(&verify.DrillDocument{Older: short}); err != nil {
		t.Error(err)
	}
	if len(short) != 101 || short[100].Snapshot != "good" || len(short[0].Damaged) != 1 || short[0].DamagedCnt != 20 {
		t.Errorf("%d, the last %+v", len(short), short[len(short)-1])
	}
	if len(older[0].Damaged) != mostOfOlder || older[0].Probe.Output == "" {
		t.Error("what is printed was changed")
	}
}
