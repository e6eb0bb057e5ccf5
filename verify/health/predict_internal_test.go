package health

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"savepoint/repo"
	"savepoint/verify"
)

// opened is the document of a drill of 2 GiB on one machine, which a secret of that kind opened.
func opened(slot string, seconds float64) *verify.DrillDocument {
	if slot != "" {
		slot = "keys/" + slot + "-a-0123456789abcdef0123456789abcdef"
	}
	return &verify.DrillDocument{Verdict: verify.Restored, Snapshot: "s", Complete: verify.Yes, Program: "v1.0.0", RTO: verify.Recovery{Seconds: seconds, Judged: true},
		Restored:   verify.Restore{Files: 4000, Bytes: 2 << 30},
		Conditions: verify.Conditions{Scenario: "cold", Full: true, Alone: verify.Yes, Throttled: verify.No, CPUs: 2, MemoryBytes: 4 << 30, ScratchFS: "ext4", KeySlot: slot}}
}

// fitted returns the models of drills.
func fitted(docs []*verify.DrillDocument) models {
	l := &look{}
	for _, d := range docs {
		l.trials = append(l.trials, &report{drill: d, trial: trialOf(d)})
	}
	return l.models()
}

// TestPredictionByKey holds that drills which passwords opened and drills which keys opened predict their own kind: of both together, the band
// would hold neither when small restores are mostly opening.
func TestPredictionByKey(t *testing.T) {
	open := map[string]float64{repo.SlotPassphrase: 4, repo.SlotMachine: 0.05, repo.SlotRecipient: 0.06}
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 7))
		within, told, width := 0, 0, 0.0
		for range 1000 {
			var docs []*verify.DrillDocument
			drill := func(kind string) *verify.DrillDocument {
				return opened(kind, (open[kind]+1.5)*(1+0.05*r.NormFloat64()))
			}
			for n := range 12 + r.IntN(4) { // mostly by a password, now and then by a kit
				kind := repo.SlotPassphrase
				if n%4 == 3 {
					kind = repo.SlotMachine
				}
				docs = append(docs, drill(kind))
			}
			m := fitted(docs)
			for _, kind := range []string{repo.SlotPassphrase, repo.SlotMachine} {
				next := drill(kind)
				p, err := m.of[trialOf(next).machine].Predict(next.Restored.Bytes, next.Restored.Files)
				if err != nil {
					t.Fatal(err)
				}
				told++
				if next.RTO.Seconds >= p.Low && next.RTO.Seconds <= p.High {
					within++
				}
				width += (p.High - p.Low) / p.Seconds
			}
		}
		share, wide := float64(within)/float64(told), width/float64(told)
		if share < 0.86 || wide > 0.4 { // a band that holds everything says nothing
			t.Errorf("seed %d: %.3f of %d within the band, which is %.2f times as wide as what it is of", seed, share, told, wide)
		}
	}
}

// TestKeysApart is a property: whatever drills there are, a model is of one kind of key, has at least three drills, all that have it, and none
// that does not tell it.
func TestKeysApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"", repo.SlotPassphrase, repo.SlotMachine, repo.SlotRecipient, "future"}), 0, 20).Draw(t, "kinds")
		n := map[string]int{}
		var docs []*verify.DrillDocument
		for i, k := range kinds {
			docs = append(docs, opened(k, 5+float64(i)/100))
			n[k]++
		}
		m := fitted(docs)
		want := map[string]int{}
		for _, k := range []string{repo.SlotPassphrase, repo.SlotMachine, repo.SlotRecipient} {
			if n[k] >= 3 {
				want[k] = n[k]
			}
		}
		got := map[string]int{}
		for machine, model := range m.of {
			p, err := model.Predict(2<<30, 4000)
			if err != nil {
				t.Fatal(err)
			}
			got[machine.Key] = p.Drills
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("models of %v, want %v", got, want)
		}
		x := &sight{Source: &Source{RecoveryPoint: &Backup{Bytes: 2 << 30, Files: 4000}}}
		for i, d := range docs {
			x.drills = append(x.drills, &report{drill: d, trial: trialOf(docs[i])})
		}
		last := "" // of the drills that tell their key
		for _, k := range kinds {
			if k != "" && k != "future" {
				last = k
			}
		}
		if p := m.predict(x); (p != nil) != (want[last] > 0) {
			t.Errorf("the last one was opened by %q: %+v", last, p)
		}
	})
}
