package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"savepoint/internal/policy"
	"savepoint/repo"
	"savepoint/verify/health"
	"savepoint/verify/health/serve"
	"savepoint/verify/measure"
)

// The formats of health.
const (
	formatText       = "text"
	formatJSON       = "json"
	formatPrometheus = "prometheus"
	formatNagios     = "nagios"
	formatHTML       = "html"
	formatJUnit      = "junit"
)

// formats are all of them.
var formats = []string{formatText, formatJSON, formatPrometheus, formatNagios, formatHTML, formatJUnit}

type healthOptions struct {
	format, textfile string
	push, ping       string
	listen           string
	refresh          time.Duration
	refreshed        bool // it was given
	pinged           bool // what there was to tell was told
	dataset, host    string
	allHosts         bool
}

func (a *app) healthCommand() *cobra.Command {
	var o healthOptions
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Say when each source was last backed up, and when a restore was last proven",
		Long: "health says when each source was last backed up, what would be lost now, when a restore was last proven and how\n" +
			"long it took, and what verifications found. It reads lists, manifests and reports, and writes nothing.\n\n" +
			"Metrics and pings are about this host's sources, or with --all-hosts about those of all, and metrics then about\n" +
			"the repository as a whole: one place alone should export these. docs/operations.md has every metric, rules that\n" +
			"alert on them, and how to set up each output. --format nagios exits as Nagios wants: 0, 1, 2 or 3.",
		Args: cobra.NoArgs,
		RunE: a.healthAction(&o),
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if o.format == formatNagios {
			a.nagiosFailed(err)
		}
		return err
	})
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "text, json, prometheus, nagios, html or junit (default text; with --textfile, --push or --ping nothing is printed)")
	f.StringVar(&o.textfile, "textfile", "", "write metrics to this `FILE`, whole or not at all: NAME.prom in the folder of node_exporter's textfile collector")
	f.StringVar(&o.push, "push", "", "put metrics to this `URL` of a Pushgateway, with the grouping key in its path (env STORE_PUSH_USER and STORE_PUSH_PASSWORD, or STORE_PUSH_TOKEN)")
	f.StringVar(&o.ping, "ping", "", "get this `URL` when nothing is critical, else post what is to URL/fail")
	f.StringVar(&o.listen, "listen", "", "serve /metrics, /healthz and a page at this `ADDRESS` until a signal: PORT or HOST:PORT; without a host 127.0.0.1")
	f.DurationVar(&o.refresh, "refresh", serve.DefaultRefresh, "with --listen, how long after one look at the repository the next begins")
	f.StringVar(&o.dataset, "dataset", "", "only of this dataset")
	f.StringVar(&o.host, "host", "", "only of this host")
	f.BoolVar(&o.allHosts, "all-hosts", false, "metrics and pings of all hosts, and metrics of the repository")
	return cmd
}

// healthAction is action, with what the outputs need that tell of errors too.
func (a *app) healthAction(o *healthOptions) func(*cobra.Command, []string) error {
	run := a.action(func(ctx context.Context, _ []string) error { return a.runHealth(ctx, o) })
	return func(cmd *cobra.Command, args []string) error {
		a.g.json = a.g.json || o.format == formatJSON
		o.refreshed = cmd.Flags().Changed("refresh")
		err := run(cmd, args)
		if err != nil && context.Cause(cmd.Context()) == errInterrupted {
			err = interrupted(err)
		}
		switch {
		case err == nil:
		case o.format == formatNagios:
			a.nagiosFailed(err)
			return nil
		case o.ping != "" && !o.pinged && exitCode(err) != exitInterrupted && o.check(a.g.json, a.getenv) == nil:
			return errors.Join(err, a.pingFailed(cmd.Context(), *o, err))
		}
		return err
	}
}

func (a *app) runHealth(ctx context.Context, o *healthOptions) error {
	if err := o.check(a.g.json, a.getenv); err != nil {
		return err
	}
	here, err := a.hostname("")
	if err != nil && o.host == "" && !o.allHosts {
		return err
	}
	if o.listen != "" {
		return a.serveHealth(ctx, *o, here)
	}
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	host := o.host
	if o.silent() && !a.g.json && !o.allHosts {
		host = first(host, here)
	}
	status, err := health.Look(ctx, r, a.lookOptions(o.dataset, host, here))
	if err != nil {
		return err
	}
	if len(status.Sources) == 0 && (o.dataset != "" || o.host != "" && !o.silent()) { // metrics tell themselves that a host has none
		return hinted(usagef("nothing is known of %s", sourceText(o.dataset, o.host)), "Nothing was written. `store health` lists every source, `store snapshots` what there is of each.")
	}
	a.found = worst(a.found, status.ExitCode)
	var pushed error
	if o.exports() {
		if pushed, err = a.exportHealth(ctx, status, *o, here); err != nil {
			return err
		}
	}
	if err := a.printHealthAs(status, *o); err != nil {
		return err
	}
	if o.ping != "" {
		o.pinged = true
		return errors.Join(pushed, a.pingHealth(ctx, o.narrow(status, here), *o))
	}
	return pushed
}

// lookOptions are those of a look at the sources of a dataset and a host, from the host here.
func (a *app) lookOptions(dataset, host, here string) health.Options {
	o := health.Options{Now: a.now, Dataset: dataset, Host: host, Expected: a.expected(here), Here: here, Zone: a.zone, Command: a.runnable, Run: a.runID,
		Plan: a.planOf, Quota: a.config.Quota, Prices: a.prices(), Expect: a.expects}
	if a.g.json {
		o.Zone = time.UTC
	}
	return o
}

// expects returns what a backup of the snapshot's dataset must have at least: as the configuration says, else as the snapshot does.
func (a *app) expects(s *repo.Snapshot) (files, bytes uint64) {
	e := a.config.Datasets[s.Dataset]
	if e == nil && len(s.Policy) > 0 {
		e, _ = policy.Decode(s.Dataset, s.Policy) // one that cannot be read expects nothing
	}
	if e == nil {
		return 0, 0
	}
	return e.Expect.Files, e.Expect.Bytes
}

// planOf returns what the configuration says of a source.
func (a *app) planOf(dataset, _ string) health.Plan {
	var plan health.Plan
	e := a.config.Datasets[dataset]
	if e == nil {
		return plan
	}
	plan.RPO, plan.RTO = e.Objectives.RPO, e.Objectives.RTO
	plan.Drills = e.Drill.Schedule != nil || e.Drill.Probe != nil
	if e.Schedule != nil {
		plan.Next, plan.Interval = e.Schedule.Next, e.Schedule.MaxGap()
	}
	if s := e.Drill.Schedule; s != nil {
		plan.NextDrill, plan.DrillInterval = s.Next, s.MaxGap()
	}
	plan.Keep = keepRules(e.Keep)
	if r := e.Recovery; r.Detect != nil && r.Decide != nil && r.Cutover != nil {
		plan.Assumed = &measure.Assumed{Detect: *r.Detect, Decide: *r.Decide, Cutover: *r.Cutover}
	}
	return plan
}

// keepRules returns which snapshots the policy keeps. How far back a number of the last ones goes depends on how often one backs up: it counts
// for nothing here.
func keepRules(k policy.Keep) []measure.Rule {
	const day = 24 * time.Hour
	return []measure.Rule{
		{Shortest: time.Hour, Longest: time.Hour, Count: k.Hourly}, {Shortest: 23 * time.Hour, Longest: 25 * time.Hour, Count: k.Daily}, // clocks change
		{Shortest: 7*day - time.Hour, Longest: 7*day + time.Hour, Count: k.Weekly}, {Shortest: 28 * day, Longest: 31*day + time.Hour, Count: k.Monthly}, {Shortest: 365 * day, Longest: 366 * day, Count: k.Yearly},
	}
}

// prices returns what the configuration says that the store charges. The configuration has checked them.
func (a *app) prices() measure.Prices {
	price := func(f float64) measure.Price {
		p, err := measure.ParsePrice(strconv.FormatFloat(f, 'f', -1, 64))
		if err != nil || f == 0 {
			return measure.Price{}
		}
		return p
	}
	p := a.config.Prices
	if p == nil {
		return measure.Prices{}
	}
	return measure.Prices{GBMonth: price(p.GBMonth), GBOut: price(p.GBOut), Per1000Requests: price(p.Per1000Requests)}
}

// printHealthAs prints a status in the format that is wanted, if one is.
func (a *app) printHealthAs(status *health.Status, o healthOptions) error {
	switch {
	case a.g.json:
		return a.printJSON(status)
	case o.format == formatNagios:
		return a.printNagios(status)
	case o.format == formatHTML:
		return a.write(a.healthPage(status, pageOptions{}))
	case o.format == formatJUnit:
		return a.write(junitReport(status))
	case !o.silent() && o.format != formatPrometheus:
		return a.printHealth(status)
	}
	for _, u := range status.Unreadable { // the metrics of one host do not say it
		a.warnf("%s", printable(u.Message))
	}
	return nil
}

// write prints what was made without an error.
func (a *app) write(text []byte, err error) error {
	if err == nil {
		_, err = a.out.Write(text)
	}
	return err
}

// expected returns the sources that the configuration names, and those datasets of it without hosts of which something is there on this host:
// they should have been backed up.
func (a *app) expected(host string) []health.Expected {
	var out []health.Expected
	for name, d := range a.config.Datasets {
		for _, h := range d.Hosts { // which the configuration says, whatever is here
			out = append(out, health.Expected{Dataset: name, Class: string(d.Class), Host: h})
		}
		if len(d.Hosts) > 0 {
			continue
		}
		for _, p := range d.Paths {
			if _, err := os.Lstat(p); err == nil && host != "" {
				out = append(out, health.Expected{Dataset: name, Class: string(d.Class), Host: host})
				break
			}
		}
	}
	return out
}

// runnable returns a command that can be run as it is shown.
func (a *app) runnable(args ...string) string {
	return a.commandLine(append(append([]string{args[0]}, a.again()...), args[1:]...)...)
}

// exportedWhere says whose sources are exported.
func exportedWhere(o healthOptions, here string) string {
	if o.allHosts {
		return ""
	}
	return " from the host " + printable(first(o.host, here))
}

// narrow returns a status with the sources and warnings alone that metrics and pings are about: those of a host, and those of the repository.
func (o healthOptions) narrow(s *health.Status, here string) *health.Status {
	if o.allHosts {
		return s
	}
	host, out := first(o.host, here), *s
	out.Sources, out.Warnings = nil, nil
	for _, x := range s.Sources {
		if x.Host == host {
			out.Sources = append(out.Sources, x)
		}
	}
	for _, w := range s.Warnings {
		if w.Host == host || w.Dataset == "" {
			out.Warnings = append(out.Warnings, w)
		}
	}
	return &out
}

// metricsText returns the metrics of a status. up is nil where they are made once.
func (o healthOptions) metricsText(s *health.Status, here string, at time.Time, up *bool) ([]byte, error) {
	var text bytes.Buffer
	err := health.WriteMetrics(&text, o.narrow(s, here), health.MetricsOptions{Repository: o.allHosts, Version: version, Written: at, Up: up})
	return text.Bytes(), err
}

// exportHealth writes the metrics to the file or to stdout, and pushes them. An error of the push is told apart: all else can be done after it.
func (a *app) exportHealth(ctx context.Context, status *health.Status, o healthOptions, here string) (pushed, err error) {
	if len(o.narrow(status, here).Sources) == 0 {
		a.warnf("no source is exported: nothing was backed up%s, and no dataset of the configuration is there", exportedWhere(o, here))
	}
	text, err := o.metricsText(status, here, a.now(), nil)
	if err != nil {
		return nil, err
	}
	switch {
	case o.textfile != "":
		err = writeTextfile(o.textfile, text)
	case o.format == formatPrometheus:
		_, err = a.out.Write(text)
	}
	if err == nil && o.push != "" {
		pushed = a.pushHealth(ctx, text, o)
	}
	return pushed, err
}

func writeTextfile(name string, text []byte) error {
	path, err := filepath.Abs(name)
	if err == nil {
		err = health.WriteTextfile(path, text)
	}
	var perr *os.PathError
	if errors.As(err, &perr) {
		return hinted(err, "The file that was there is as it was. The folder must be there and have room, and this user must be able to write to it.")
	}
	return err
}

// sourceText names what --dataset and --host ask for.
func sourceText(dataset, host string) string {
	switch {
	case host == "":
		return "a dataset " + printable(dataset)
	case dataset == "":
		return "a host " + printable(host)
	}
	return printable(dataset + "@" + host)
}
