package main

import "fmt"

// A target is what the project wants to reach on two cores, and what a run has found.
type target struct {
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
	Met  bool   `json:"met"`
}

const (
	wantSpeedup = 1.5       // of the first backup of src
	wantDistant = 1.3       // of the first backup and the restores of src on a server
	wantSlope   = 10e-6     // seconds for an unchanged file of src
	wantBeyond  = 0.25      // of a restore, beside a drill of the same
	wantAnon    = 256 << 20 // bytes of anonymous memory, anywhere
)

// judge holds the figures against the targets that were measured.
func judge(rep *report) []target {
	var targets []target
	for _, r := range rep.Results {
		if r.Corpus == "src" {
			targets = append(targets, judgeTree(r, rep.Server != "")...)
		}
	}
	where, most := "", int64(0)
	for _, r := range rep.Results {
		for _, s := range r.Steps {
			if f := r.of(s.Tool, s.Step); s.Tool == toolStore && f.anon > most {
				where, most = r.Corpus+", "+s.Step, f.anon
			}
		}
	}
	targets = append(targets, judgeDrills(rep)...)
	if where != "" {
		targets = append(targets, target{
			Name: "peak RssAnon of any step", Want: "< " + mib(wantAnon) + " MiB",
			Got: fmt.Sprintf("%s MiB (%s)", mib(most), where), Met: most < wantAnon,
		})
	}
	return targets
}

// judgeDrills says what drills take beyond the restore that is in them.
func judgeDrills(rep *report) []target {
	var targets []target
	for _, r := range rep.Results {
		if len(r.Drills) > 0 {
			own, alone := median(r.Drills, func(d drill) float64 { return d.beyond(d.RTO) }), median(r.Drills, func(d drill) float64 { return d.beyond(d.Restore) })
			targets = append(targets, target{
				Name: r.Corpus + ": drill beyond its restore", Want: fmt.Sprintf("< %.0f%%", 100*wantBeyond),
				Got: fmt.Sprintf("%.0f%% (beyond a restore alone %.0f%%)", 100*own, 100*alone), Met: own < wantBeyond,
			})
		}
	}
	return targets
}

func judgeTree(r *result, distant bool) []target {
	var targets []target
	backup, restore, how := wantSpeedup, 1.0, "at least as fast as restic"
	if distant {
		backup, restore, how = wantDistant, wantDistant, fmt.Sprintf("≥ %.1f× as fast as restic", wantDistant)
	}
	if ours, theirs := r.of(toolStore, stepFirst), r.of(toolRestic, stepFirst); ours.n > 0 && theirs.n > 0 {
		targets = append(targets, target{
			Name: "src: first backup", Want: fmt.Sprintf("≥ %.1f× as fast as restic", backup),
			Got: fmt.Sprintf("%.2f× (%.2f s, restic %.2f s)", theirs.wall/ours.wall, ours.wall, theirs.wall), Met: theirs.wall >= backup*ours.wall,
		})
	}
	ours, ok1 := r.grown(toolStore, stepFirst)
	theirs, ok2 := r.grown(toolRestic, stepFirst)
	if ok1 && ok2 {
		targets = append(targets, target{
			Name: "src: repository after the first backup", Want: "smaller than restic's",
			Got: fmt.Sprintf("%s MiB, restic %s MiB", mib(ours), mib(theirs)), Met: ours < theirs,
		})
	}
	if perFile, _, ok := r.slopeOf(toolStore); ok {
		got := fmt.Sprintf("%.1f µs", perFile*1e6)
		if other, _, ok := r.slopeOf(toolRestic); ok {
			got += fmt.Sprintf(" (restic %.1f µs)", other*1e6)
		}
		targets = append(targets, target{
			Name: "src: each unchanged file (slope)", Want: fmt.Sprintf("< %.0f µs", wantSlope*1e6), Got: got, Met: perFile < wantSlope,
		})
	}
	for _, step := range []string{stepRestore1, stepRestore2} {
		ours, theirs := r.of(toolStore, step), r.of(toolRestic, step)
		if ours.n == 0 || theirs.n == 0 {
			continue
		}
		targets = append(targets, target{
			Name: "src: " + step, Want: how,
			Got: fmt.Sprintf("%.2f× (%.2f s, restic %.2f s)", theirs.wall/ours.wall, ours.wall, theirs.wall), Met: restore*ours.wall <= theirs.wall,
		})
	}
	return targets
}
