package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"savepoint/repo"
	"savepoint/verify"
	"savepoint/verify/drill"
)

// drillsDocument is what drill --all prints with --json.
type drillsDocument struct {
	Drills   []*verify.DrillDocument `json:"drills"`
	ExitCode int                     `json:"exit_code"`
	// SiteRTO is how long it took until everything was back, in seconds; null unless that was the scenario and everything came back.
	SiteRTO *float64 `json:"site_rto_seconds"`
}

// source is what one drill is of.
type drilled struct {
	dataset, host string
	configured    bool
}

// drillAll drills every source. One that fails keeps no other from being drilled; the worst of all exit codes counts.
func (a *app) drillAll(ctx context.Context, o *drillOptions) error {
	sources, err := a.sourcesToDrill(ctx, o)
	if err != nil {
		return err
	}
	all := drillsDocument{Drills: []*verify.DrillDocument{}}
	var behind time.Duration
	var said []string
	for i, s := range sources {
		one := *o
		one.dataset, one.host = s.dataset, s.host
		doc, err := a.drillOne(ctx, &one, fmt.Sprintf("%s-%d", a.runID, i+1), behind)
		if ctx.Err() != nil {
			if len(all.Drills) == 0 {
				return err
			}
			all.ExitCode = exitCode(err)
			return errors.Join(a.printDrills(&all, said), err) // what came to its end is said
		}
		if doc == nil { // it did not begin: the scratch folder, or the kit
			doc = &verify.DrillDocument{Verdict: verify.CouldNotRun, ExitCode: exitFailure, Dataset: s.dataset, Host: s.host, Reasons: []string{err.Error()}}
		}
		if one.said != "" {
			said = append(said, fmt.Sprintf("%s@%s: %s", printable(doc.Dataset), printable(doc.Host), one.said))
		}
		err = a.drillError(doc, err)
		all.Drills = append(all.Drills, doc)
		all.ExitCode = worst(all.ExitCode, doc.ExitCode)
		behind = max(behind, time.Duration(doc.RTO.Seconds*float64(time.Second))) // one that could not begin has no time
		if err != nil {
			a.warnf("%s", drill.Plain(err.Error()))
			if next := hint(err); next != "" {
				a.warnf("%s", drill.Plain(next))
			}
		} else {
			a.infof("%s", drill.Line(doc, a.zone))
		}
	}
	all.site(o.modes.scenario)
	if err := a.printDrills(&all, said); err != nil {
		return err
	}
	if all.ExitCode == exitOK {
		return nil
	}
	return coded(all.ExitCode, drillsError(&all))
}

// site notes how long everything took together.
func (d *drillsDocument) site(scenario string) {
	if scenario != drill.Site || len(d.Drills) == 0 {
		return
	}
	for _, x := range d.Drills {
		if !x.RTO.Judged {
			return
		}
	}
	d.SiteRTO = &d.Drills[len(d.Drills)-1].RTO.Seconds // it waited for all others
}

// drillsError says how many drills ended otherwise than they should.
func drillsError(d *drillsDocument) error {
	n := map[verify.Verdict]int{}
	var what []string
	for _, x := range d.Drills {
		n[x.Verdict]++
	}
	for _, v := range []verify.Verdict{verify.Damage, verify.CouldNotRun, verify.Inconclusive, verify.ObjectiveMissed} {
		if n[v] > 0 {
			what = append(what, fmt.Sprintf("%d %s", n[v], v))
		}
	}
	if len(what) == 0 {
		return errors.New("a drill ended with an error")
	}
	return fmt.Errorf("of %s: %s", plural(uint64(len(d.Drills)), "drill", "drills"), strings.Join(what, ", "))
}

// sourcesToDrill lists the sources that the repository or the configuration knows, in order of dataset and host.
func (a *app) sourcesToDrill(ctx context.Context, o *drillOptions) ([]drilled, error) {
	r, err := a.openRepo(ctx)
	if err != nil {
		return nil, err
	}
	snaps, bad := r.Snapshots(ctx)
	if bad != nil && !errors.Is(bad, repo.ErrCorrupt) && !errors.Is(bad, repo.ErrNewer) {
		return nil, bad
	}
	a.repo = nil // each drill says what is damaged
	found := map[drilled]bool{}
	has := map[string]bool{}
	for _, s := range snaps {
		has[s.Dataset] = true
		if (o.dataset == "" || s.Dataset == o.dataset) && (o.host == "" || s.Host == o.host) {
			_, configured := a.config.Datasets[s.Dataset]
			found[drilled{s.Dataset, s.Host, configured}] = true
		}
	}
	for name := range a.config.Datasets {
		if !has[name] && (o.dataset == "" || name == o.dataset) {
			found[drilled{name, o.host, true}] = true // a drill will say that there is nothing
		}
	}
	if len(found) == 0 {
		return nil, hinted(usagef("there is nothing to drill: the repository has no snapshot of such a source, and the configuration no dataset"),
			"`store snapshots` lists what there is; `store backup PATH` makes the first snapshot.")
	}
	return slices.SortedFunc(maps.Keys(found), func(x, y drilled) int {
		return slices.Compare([]string{x.dataset, x.host}, []string{y.dataset, y.host})
	}), nil
}

// printDrills prints a table of what the drills came to, and which objectives the configuration gave.
func (a *app) printDrills(d *drillsDocument, said []string) error {
	if a.g.json {
		return a.printJSON(d)
	}
	t := table{header: []string{"source", "verdict", "snapshot of", "RTO", "RPO", "restored"}, right: map[int]bool{3: true, 4: true, 5: true}}
	for _, x := range d.Drills {
		name := printable(x.Dataset)
		if x.Host != "" {
			name += "@" + printable(x.Host)
		}
		row := []string{name, string(x.Verdict), "", "", "", ""}
		if x.Snapshot != "" {
			row[2], row[3], row[4], row[5] = a.timeText(x.WindowEnd), spanText(x.RTO.Seconds), spanText(x.RPO.Seconds), sizeText(x.Restored.Bytes)
			if !x.RTO.Judged && x.Verdict != verify.Damage {
				row[3] = "none" // what was measured is no RTO
			}
		}
		t.add(row...)
	}
	if err := t.print(a.out); err != nil {
		return err
	}
	for _, s := range said {
		if _, err := fmt.Fprintln(a.out, s); err != nil {
			return err
		}
	}
	if d.SiteRTO != nil {
		_, err := fmt.Fprintf(a.out, "everything was back after %s\n", spanText(*d.SiteRTO))
		return err
	}
	return nil
}
