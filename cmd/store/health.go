package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"savepoint/verify/health"
)

// The formats of health.
const (
	formatText       = "text"
	formatPrometheus = "prometheus"
)

type healthOptions struct {
	format, textfile string
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
			"Metrics are those of this host's sources, or with --all-hosts those of all, and of the repository as a whole:\n" +
			"one place alone should export these. docs/operations.md has every metric, and rules that alert on them.",
		Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.runHealth(ctx, o) }),
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "text or prometheus (default text; with --textfile nothing is printed)")
	f.StringVar(&o.textfile, "textfile", "", "write metrics to this `FILE`, whole or not at all: NAME.prom in the folder of node_exporter's textfile collector")
	f.StringVar(&o.dataset, "dataset", "", "only of this dataset")
	f.StringVar(&o.host, "host", "", "only of this host")
	f.BoolVar(&o.allHosts, "all-hosts", false, "metrics of all hosts and of the repository")
	return cmd
}

// check refuses what cannot be meant.
func (o healthOptions) check(json bool) error {
	metrics := o.textfile != "" || o.format == formatPrometheus
	switch {
	case o.format != "" && o.format != formatText && o.format != formatPrometheus:
		return usagef("--format %q: text or prometheus", o.format)
	case json && o.format != "":
		return usagef("--json and --format contradict each other")
	case o.allHosts && o.host != "":
		return usagef("--all-hosts and --host contradict each other")
	case o.allHosts && o.dataset != "" && metrics:
		return usagef("--all-hosts and --dataset contradict each other: the series of the repository are of all datasets")
	}
	if o.textfile != "" && filepath.Ext(o.textfile) != ".prom" {
		return hinted(usagef("--textfile %s: node_exporter reads only files whose names end with .prom", printable(o.textfile)), "Nothing was written. Name it so: --textfile %s",
			shellQuote(strings.TrimSuffix(o.textfile, filepath.Ext(o.textfile))+".prom"))
	}
	if fi, err := os.Lstat(o.textfile); o.textfile != "" && err == nil && !fi.Mode().IsRegular() { // a link would be replaced, not what it points to
		return usagef("--textfile %q is no regular file", o.textfile)
	}
	return nil
}

// metricsAlone reports whether nothing is wanted for people.
func (o healthOptions) metricsAlone() bool {
	return o.format == formatPrometheus || o.format == "" && o.textfile != ""
}

func (a *app) runHealth(ctx context.Context, o healthOptions) error {
	if err := o.check(a.g.json); err != nil {
		return err
	}
	here, err := a.hostname("")
	if err != nil && o.host == "" && !o.allHosts {
		return err
	}
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	host := o.host
	if o.metricsAlone() && !a.g.json && !o.allHosts {
		host = first(host, here)
	}
	zone := a.zone
	if a.g.json {
		zone = time.UTC
	}
	status, err := health.Look(ctx, r, health.Options{Now: a.now, Dataset: o.dataset, Host: host, Expected: a.expected(here), Here: here, Zone: zone,
		Command: a.runnable, Run: a.runID})
	if err != nil {
		return err
	}
	if len(status.Sources) == 0 && (o.dataset != "" || o.host != "" && !o.metricsAlone()) { // metrics tell themselves that a host has none
		return hinted(usagef("nothing is known of %s", sourceText(o.dataset, o.host)), "Nothing was written. `store health` lists every source, `store snapshots` what there is of each.")
	}
	if o.textfile != "" || o.format == formatPrometheus {
		if err := a.exportHealth(status, o, here); err != nil {
			return err
		}
	}
	a.found = worst(a.found, status.ExitCode)
	switch {
	case a.g.json:
		return a.printJSON(status)
	case !o.metricsAlone():
		return a.printHealth(status)
	}
	for _, u := range status.Unreadable { // the metrics of one host do not say it
		a.warnf("%s", printable(u.Message))
	}
	return nil
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

// exportHealth writes the metrics to the file or to stdout.
func (a *app) exportHealth(status *health.Status, o healthOptions, here string) error {
	exported := *status
	if !o.allHosts {
		exported.Sources = nil
		for _, s := range status.Sources {
			if s.Host == first(o.host, here) {
				exported.Sources = append(exported.Sources, s)
			}
		}
	}
	if len(exported.Sources) == 0 {
		a.warnf("no source is exported: nothing was backed up%s, and no dataset of the configuration is there", exportedWhere(o, here))
	}
	var text bytes.Buffer
	err := health.WriteMetrics(&text, &exported, health.MetricsOptions{Repository: o.allHosts, Version: version, Written: a.now()})
	if err != nil {
		return err
	}
	if o.textfile == "" {
		_, err := a.out.Write(text.Bytes())
		return err
	}
	path, err := filepath.Abs(o.textfile)
	if err == nil {
		err = health.WriteTextfile(path, text.Bytes())
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
