package repo

import (
	"strings"
	"testing"

	"savepoint/repo/seal"
)

// TestAffords holds that password slots together cost no more than sixteen of the highest factor, and that one that is refused costs nothing.
func TestAffords(t *testing.T) {
	to, err := seal.PassphraseRecipient("x", 1)
	if err != nil {
		t.Fatal(err)
	}
	slot, err := seal.SealSlot(seal.Slot{Keys: []seal.Key{seal.NewKey()}}, to)
	if err != nil {
		t.Fatal(err)
	}
	asking := func(factor string) []byte {
		head, rest, _ := strings.Cut(string(slot), " 1\n")
		return []byte(head + " " + factor + "\n" + rest)
	}
	u := &unlocking{}
	for range 1000 {
		if !u.affords(asking("21")) || !u.affords([]byte("no slot")) {
			t.Fatal("a slot that is refused has a price")
		}
	}
	for i := range 16 {
		if !u.affords(asking("20")) {
			t.Fatalf("slot %d is too dear", i)
		}
	}
	if u.affords(asking("20")) || u.affords(asking("1")) {
		t.Error("there is no end to what may be spent")
	}
}
