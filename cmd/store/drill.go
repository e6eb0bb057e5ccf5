package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"savepoint/internal/when"
	"savepoint/repo"
	"savepoint/verify"
	"savepoint/verify/drill"
)

type drillOptions struct {
	selection
	rto, rpo string
	scratch  string
	keysFrom string
	keep     bool
	modes    drillModes
	probe    probeFlags
	want     struct{ rto, rpo time.Duration }
	said     string // which objectives the configuration gave
}

func (a *app) drillCommand() *cobra.Command {
	var o drillOptions
	cmd := &cobra.Command{
		Use:   "drill [PATH] [--probe PROBE [-- ARGUMENT...]]",
		Short: "Restore a snapshot into a scratch folder as a replacement host would, compare it, time it, and remove it",
		Long: "drill proves that a snapshot restores: with an empty cache and no index it restores the newest snapshot, or that of --at, into a\n" +
			"scratch folder, reads every file again from disk and compares it with what was backed up. It says how long the restore took (RTO)\n" +
			"and how old the data is (RPO), writes a report into the repository, and removes the folder.\n\n" +
			"A PATH that the configuration gives to a dataset is that dataset; any other is a path in the snapshot. All of the snapshot is restored.\n\n" + aboutProbes + "\n\n" + timeForms,
	}
	cmd.Args = func(_ *cobra.Command, args []string) error { return o.probe.split(cmd, &args, cobra.MaximumNArgs(1)) }
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		if err := o.probe.split(cmd, &args, nil); err != nil {
			return err
		}
		return a.runDrill(ctx, o, args)
	})
	f := cmd.Flags()
	f.StringVar(&o.at, "at", "", "the incident: the newest snapshot of what was there at this `TIME` is restored, and its age counts from then")
	f.StringVar(&o.dataset, "dataset", "", "only of this dataset")
	f.StringVar(&o.host, "host", "", "only of this host")
	f.StringVar(&o.rto, "rto", "", "objective: the restore takes at most this long, a `DURATION` such as 4h or 90s; exit code 5 when it is missed")
	f.StringVar(&o.rpo, "rpo", "", "objective: what comes back is at most this old, a `DURATION` such as 1h or 3d12h; exit code 5 when it is missed")
	f.StringVar(&o.scratch, "scratch", "", "existing `FOLDER` on a disk with room for all of the snapshot (default: drill in the cache folder)")
	o.modes.register(f)
	f.StringVar(&o.keysFrom, "keys-from", "", "take the secret from the recovery kit `FILE`, or from the one in this folder, and from nowhere else")
	f.BoolVar(&o.keep, "keep", false, "leave what was restored, and say where it is")
	o.probe.register(f)
	return cmd
}

func (a *app) runDrill(ctx context.Context, o drillOptions, args []string) error {
	if err := a.parseDrill(&o, args); err != nil {
		return err
	}
	if o.modes.all {
		return a.drillAll(ctx, &o)
	}
	doc, err := a.drillOne(ctx, &o, a.runID, 0)
	if doc == nil {
		return harmlessly(o.offerDrill(a, err))
	}
	a.noteUsage(doc.Usage)
	if printErr := a.printDrill(doc, err); printErr != nil {
		return errors.Join(printErr, err)
	}
	if o.said != "" && !a.g.json {
		fmt.Fprintln(a.out, o.said)
	}
	return harmlessly(a.drillError(doc, err))
}

// drillOne drills one source. The drill is called run; everything that is restored before it in an incident takes behind.
func (a *app) drillOne(ctx context.Context, o *drillOptions, run string, behind time.Duration) (*verify.DrillDocument, error) {
	defer func() { a.keysFrom = "" }() // the next one may have another kit, or none
	if err := a.drillPolicy(o); err != nil {
		return nil, err
	}
	_, configured := a.config.Datasets[o.dataset]
	where, err := a.scratchFor(o.scratch)
	if err != nil {
		return nil, err
	}
	bar := a.newProgress("drill")
	defer bar.end()
	var resume func(context.Context, string, string) (uint64, uint64, error)
	if o.modes.resume {
		resume = a.backupAway
	}
	return drill.Run(ctx, drill.Options{
		Resume: resume,
		Open: func(ctx context.Context, cache string) (drill.Opened, error) {
			if o.modes.scenario == drill.Warm {
				cache = a.cacheFolder()
			}
			return a.openForDrill(ctx, cache)
		},
		Advise:  func(d *verify.DrillDocument, cannot error) (string, []string) { return a.drillAdvice(o, d, cannot) },
		Select:  func(snaps []*repo.Snapshot) (repo.Choice, error) { return a.selectForDrill(o, snaps) },
		Dataset: first(o.dataset, o.path), Host: o.host, Configured: configured, At: o.query().At, RTO: o.want.rto, RPO: o.want.rpo, Scratch: where,
		Scenario: o.modes.scenario, Behind: behind, RandomWithin: o.modes.want.within, Sample: o.modes.want.sample, MaxDuration: o.modes.want.most,
		AgainstSource: o.modes.against, FindLastGood: o.modes.good,
		Wanted: func(s *repo.Snapshot) drill.Wanted { return a.wantedOf(o, s) },
		Permit: func(s *repo.Snapshot, folder string) error { return a.permitScratch(s, folder) },
		Probe:  o.probe.spec, Keep: o.keep, Now: a.now, Run: run, Version: version, Events: a.drillEvents(o, bar),
	})
}

// parseDrill reads the argument and the flags. A path of a dataset in the configuration is that dataset.
func (a *app) parseDrill(o *drillOptions, args []string) error {
	paths, err := absolutePaths(args)
	if err != nil {
		return err
	}
	for _, p := range paths {
		owner, _, owned := a.config.Dataset(p)
		if owned && o.dataset != "" && o.dataset != owner {
			return usagef("%s belongs to dataset %s of the configuration, not to %q", printable(p), owner, o.dataset)
		}
		if owned {
			o.dataset = owner
		} else {
			o.path = p
		}
	}
	if err := o.parse(a, ""); err != nil {
		return err
	}
	if o.want.rto, err = objective("--rto", o.rto); err != nil {
		return err
	}
	if o.want.rpo, err = objective("--rpo", o.rpo); err != nil {
		return err
	}
	if err := o.modes.parse(a, o); err != nil {
		return err
	}
	return o.probe.parse()
}

// parseKeysFrom finds the recovery kit.
func (a *app) parseKeysFrom(o *drillOptions) error {
	if o.keysFrom == "" {
		return nil
	}
	if a.secretGiven() {
		return usagef("--keys-from contradicts the password or key that is given: the drill takes the secret from the kit alone")
	}
	found, err := findKit(o.keysFrom)
	if err != nil {
		return err
	}
	a.keysFrom, err = filepath.Abs(found)
	return err
}

// objective reads a duration, as ages are written or as Go writes them; 0 when there is none.
func objective(flag, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := when.ParseAge(text)
	if err != nil {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d <= 0 {
		return 0, usagef("%s %q: a duration greater than 0, such as 4h, 90s, 1h30m or 3d12h", flag, text)
	}
	return d, nil
}

// scratchFor returns where drills make their folders. It must not be in the repository, nor the repository in it.
func (a *app) scratchFor(dir string) (drill.Scratch, error) {
	where := drill.Scratch{Prefix: "savepoint-drill-"}
	switch cache := a.cacheFolder(); {
	case dir != "":
		abs, err := filepath.Abs(dir)
		if err != nil {
			return where, fmt.Errorf("--scratch: %w", err)
		}
		if info, err := os.Stat(abs); err != nil || !info.IsDir() {
			return where, hinted(usagef("--scratch %s is no folder", printable(dir)), "Name one that is there, on a disk with room for all of the snapshot.")
		}
		where.Base = abs
	case cache == "":
		return where, hinted(usagef("a drill restores into the cache folder, and --no-cache says that there is none"), "Name a folder on a disk: --scratch DIR.")
	default:
		abs, err := filepath.Abs(cache)
		if err != nil {
			return where, fmt.Errorf("cache folder: %w", err)
		}
		where = drill.Scratch{Base: filepath.Join(abs, "drill"), Make: true}
	}
	loc, err := a.location()
	if err != nil {
		return where, err
	}
	in, err := loc.contains(where.Base)
	if err == nil && !in && loc.bucket == nil {
		in, err = beneath(loc.path, where.Base)
	}
	if err != nil {
		return where, fmt.Errorf("compare the scratch folder with the repository: %w", err)
	}
	if in {
		return where, hinted(usagef("the scratch folder %s and the repository %s lie in each other", printable(where.Base), printable(loc.String())),
			"Nothing was changed. Name another folder: --scratch DIR.")
	}
	return where, nil
}

// openForDrill opens the repository anew, as a host does that has nothing but the secret. Only its chains of reports go on.
func (a *app) openForDrill(ctx context.Context, cache string) (drill.Opened, error) {
	var waited time.Duration
	chains := a.cacheFolder()
	r, source, err := a.openRepoAs(ctx, func(o *repo.Options) { o.Cache, o.Chains = cache, chains }, func(ctx context.Context) (string, error) {
		began := a.now()
		defer func() { waited = a.now().Sub(began) }()
		return a.askPassword(ctx)
	})
	if err != nil {
		return drill.Opened{}, err
	}
	a.repo = nil // what is damaged and done without is in the reasons of the verdict, which decides
	_, down, err := a.limits()
	return drill.Opened{
		Repo: r, KeyFrom: source.text(), KeyOnHost: a.secretOnHost(source), Kit: source.kit != nil, Waited: waited, Throttled: down > 0, Local: a.place.bucket == nil,
		Count: func() drill.Count {
			t := a.meter.Totals()
			return drill.Count{Requests: t.Requests(), Retries: t.Retries, Received: t.Received}
		},
	}, err
}

// secretOnHost reports whether a secret lies on this host. A recovery kit does not when it is on a stick or a share.
func (a *app) secretOnHost(s secretSource) bool {
	if s.kit != nil && s.identity == a.keysFrom {
		return a.onThisHost(s.identity)
	}
	return s.file != "" || s.keyFile != "" || s.identity != ""
}

// text says where a secret comes from.
func (s secretSource) text() string {
	var what []string
	if s.keyFile != "" {
		what = append(what, "key file")
	}
	switch {
	case s.kit != nil:
		what = append(what, "recovery kit")
	case s.identity != "":
		what = append(what, "identity file")
	}
	switch {
	case s.file != "":
		what = append(what, "password file")
	case s.command != "":
		what = append(what, "password command")
	case s.password != "", s.prompt:
		what = append(what, "password")
	}
	return fmt.Sprintf("%s (%s)", strings.Join(what, " and "), s.origin)
}

// selectForDrill chooses as a restore does.
func (a *app) selectForDrill(o *drillOptions, snaps []*repo.Snapshot) (repo.Choice, error) {
	o.found = snaps
	if err := o.refuseFuture(a); err != nil {
		return repo.Choice{}, err
	}
	c, err := repo.Select(snaps, o.query())
	switch {
	case errors.Is(err, repo.ErrNoSnapshot):
		err = o.explainNone(a, err)
		if exitCode(err) == exitUsage && !a.wantsDrilled(o, snaps) {
			err = noSource{err}
		}
	case err == nil && o.modes.against:
		err = a.refuseAway(o, c.Host)
	}
	return c, err
}

// noSource is the error of a drill of what nobody has backed up or wants backed up: a slip in the command line.
type noSource struct{ error }

func (e noSource) Unwrap() []error { return []error{e.error, drill.ErrNoSource} }

// wantsDrilled reports whether the configuration wants that backed up of which a drill found no snapshot.
func (a *app) wantsDrilled(o *drillOptions, snaps []*repo.Snapshot) bool {
	e := a.config.Datasets[o.dataset]
	if e == nil || o.path != "" {
		return false
	}
	return o.host == "" || slices.Contains(e.Hosts, o.host) || len(e.Hosts) == 0 && !slices.ContainsFunc(snaps, func(s *repo.Snapshot) bool { return s.Dataset == o.dataset })
}

// refuseAway refuses to compare with the source on a host that is not the source's.
func (a *app) refuseAway(o *drillOptions, host string) error {
	here, err := a.hostname("")
	if err != nil || here == host {
		return err
	}
	return hinted(usagef("--against-source: this host is %s, the source is on %s", printable(here), printable(host)),
		"Run it on that host, or drill what is of this one (--host %s), or leave out --against-source.", shellQuote(here))
}

// permitScratch refuses a folder in the source itself: the next backup would take the restored files for a part of it.
func (a *app) permitScratch(s *repo.Snapshot, folder string) error {
	err := a.checkTarget(folder, s, nil)
	if err == nil {
		return nil
	}
	return hinted(fmt.Errorf("the scratch folder: %w", err), "Nothing was restored. Name a folder elsewhere: --scratch DIR.")
}

func (a *app) drillEvents(o *drillOptions, bar *progress) drill.Events {
	of := "" // which of all it is about
	if o.modes.all {
		of = printable(strings.Join(nonEmpty(o.dataset, o.host), "@")) + ": "
	}
	return drill.Events{
		Leftovers: func(n int) { a.infof("removed what %s left that did not come to an end", plural(n, "drill", "drills")) },
		Notice:    func(text string) { a.warnf("%s%s", of, drill.Plain(text)) },
		Comparing: func(files, bytes uint64) {
			bar.end()
			a.infof("restored %s, %s; comparing", plural(files, "file", "files"), sizeText(bytes))
		},
		Probing: func() { a.infof("compared; probing") },
		Planned: bar.planned, Progress: bar.restored,
	}
}

// offerDrill makes ready-to-run commands of what several sources fit. The dataset and the host say which source; the path is not needed.
func (o *drillOptions) offerDrill(a *app, err error) error {
	shown := o.selection
	shown.path, shown.byKit = "", o.keysFrom != ""
	return shown.offer(a, err, "drill", o.own()...)
}

// own returns the flags of the drill itself, as they were given.
func (o *drillOptions) own() []string {
	var own []string
	for _, f := range [][2]string{{"--rto", o.rto}, {"--rpo", o.rpo}} {
		if f[1] != "" {
			own = append(own, f[:]...)
		}
	}
	if o.scratch != "" {
		if abs, absErr := filepath.Abs(o.scratch); absErr == nil {
			own = append(own, "--scratch", abs)
		}
	}
	if o.keep {
		own = append(own, "--keep")
	}
	if o.keysFrom != "" {
		if abs, err := filepath.Abs(o.keysFrom); err == nil {
			own = append(own, "--keys-from", abs)
		}
	}
	return append(append(own, o.modes.words()...), o.probe.words()...)
}

// harmless is an error whose text does nothing to a terminal: the paths of scratch folders, which users name, stand in many.
type harmless struct{ err error }

func harmlessly(err error) error {
	if err == nil {
		return nil
	}
	return harmless{err}
}

func (h harmless) Error() string { return drill.Plain(h.err.Error()) }
func (h harmless) Unwrap() error { return h.err }
