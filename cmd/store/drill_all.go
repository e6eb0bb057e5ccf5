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

	wanted int                     // how many sources there are to drill
	none   []*verify.DrillDocument // of sources that have no snapshot
}

// drilled is what one drill is of.
type drilled struct {
	dataset, host string
	bare          bool // the repository has nothing of it
}

// backupOf returns what to do about a source of which there is nothing.
func (a *app) backupOf(s drilled) string {
	on := ""
	if s.host != "" {
		on = ", on " + printable(s.host)
	}
	return fmt.Sprintf("To back it up%s: %s", on, a.runnable("backup", "--dataset", s.dataset))
}

// drillAll drills every source. One that fails keeps no other from being drilled; the worst of all exit codes counts.
func (a *app) drillAll(ctx context.Context, o *drillOptions) error {
	if err := a.parseKeysFrom(o); err != nil {
		return err
	}
	sources, err := a.sourcesToDrill(ctx, o)
	if err != nil {
		return err
	}
	for _, s := range sources {
		if o.modes.against && s.host != "" {
			if err := a.refuseAway(o, s.host); err != nil {
				return err
			}
		}
	}
	all := drillsDocument{Drills: []*verify.DrillDocument{}, wanted: len(sources)}
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
		if errors.Is(err, repo.ErrNoSnapshot) && doc.Verdict == verify.CouldNotRun {
			all.none = append(all.none, doc)
		}
		if s.bare && doc.Verdict == verify.CouldNotRun {
			err = hinted(err, "Nothing of it can be restored. %s", a.backupOf(s))
		} else {
			err = a.drillError(doc, err)
		}
		all.Drills = append(all.Drills, doc)
		all.ExitCode = worst(all.ExitCode, doc.ExitCode)
		behind = max(behind, spentOn(doc))
		if err != nil {
			a.warnf("%s", drill.Plain(strings.TrimRight(drilledName(doc)+": "+err.Error()+"\n"+hint(err), "\n")))
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

// spentOn returns how long a drill took of the time in which everything is restored, what was before it and whatever came of it.
func spentOn(d *verify.DrillDocument) time.Duration {
	s := 0.0
	for _, p := range d.RTO.Phases {
		s += p.Seconds
	}
	return time.Duration(s * float64(time.Second))
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
			found[drilled{dataset: s.Dataset, host: s.Host}] = true
		}
	}
	for name, d := range a.config.Datasets { // a drill will say that there is nothing
		if o.dataset != "" && name != o.dataset {
			continue
		}
		for _, host := range d.Hosts {
			x := drilled{dataset: name, host: host}
			if (o.host == "" || host == o.host) && !found[x] {
				x.bare = true
				found[x] = true
			}
		}
		if !has[name] && len(d.Hosts) == 0 {
			found[drilled{name, o.host, true}] = true
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
