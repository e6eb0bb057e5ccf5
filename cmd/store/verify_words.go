package main

import (
	"strings"

	"github.com/spf13/cobra"

	"savepoint/verify/check"
)

// verifyWords are the flags of verify as they were given.
type verifyWords struct {
	flags                   *cobra.Command
	readData, budget, shard string
	snapshots               []string
	dataset, host           string
}

func (w *verifyWords) register(cmd *cobra.Command) {
	w.flags = cmd
	f := cmd.Flags()
	f.StringVar(&w.readData, "read-data", "", "read packs back: `AMOUNT` is all (when none is given), a percentage such as 5% or 0.5%, or a size such as 10GiB")
	f.Lookup("read-data").NoOptDefVal = "all"
	f.StringVar(&w.budget, "budget", "", "begin to read back no more packs after this `TIME or SIZE`, such as 30m from the beginning of the run, or 10GiB; with --read-data")
	f.StringArrayVar(&w.snapshots, "snapshot", nil, "only this snapshot, by the beginning of its `ID`, and what it needs; can be given several times")
	f.StringVar(&w.dataset, "dataset", "", "only the snapshots of this dataset, and what they need")
	f.StringVar(&w.host, "host", "", "only the snapshots of this host, and what they need")
	f.StringVar(&w.shard, "shard", "", "only the packs of this `PART`, such as 3/16, the third of sixteen; trees and the index are looked at in full")
}

// parse puts the flags into the options of a run.
func (w *verifyWords) parse(o *check.Options) error {
	given := w.flags.Flags().Changed
	var err error
	if given("read-data") {
		if o.ReadData, err = check.ParseAmount(w.readData); err != nil {
			return usagef("--read-data: %w", err)
		}
	}
	if given("budget") {
		if o.Budget, err = check.ParseBudget(w.budget); err != nil {
			return usagef("--budget: %w", err)
		}
		if o.ReadData.IsZero() {
			return hinted(usagef("--budget ends reading back, and no data is to be read"), "As much as it allows is read with --read-data --budget=%s.", o.Budget)
		}
	}
	if given("shard") {
		if o.Scope.Shard, err = check.ParseShard(w.shard); err != nil {
			return usagef("--shard: %w", err)
		}
	}
	return w.parseSnapshots(o)
}

func (w *verifyWords) parseSnapshots(o *check.Options) error {
	given := w.flags.Flags().Changed
	if given("snapshot") && (given("dataset") || given("host")) {
		return usagef("--snapshot names the snapshots already: leave --dataset and --host out")
	}
	for flag, value := range map[string]string{"--dataset": w.dataset, "--host": w.host} {
		if given(strings.TrimPrefix(flag, "--")) && value == "" {
			return usagef("%s is empty: nothing would be left out", flag)
		}
	}
	for _, id := range w.snapshots {
		id = strings.ToLower(id)
		if id == "" || len(id) > 32 || strings.Trim(id, "0123456789abcdef") != "" {
			return hinted(usagef("--snapshot %q is no ID", id), "A snapshot is named by the beginning of its ID, which `store snapshots` lists.")
		}
		o.Scope.Snapshots = append(o.Scope.Snapshots, id)
	}
	o.Scope.Dataset, o.Scope.Host = w.dataset, w.host
	return nil
}
