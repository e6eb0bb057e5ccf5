package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"savepoint/internal/policy"
)

// configHint says where a configuration is looked for.
const configHint = "It is looked for in --config, STORE_CONFIG, $XDG_CONFIG_HOME/savepoint/store.yaml (~/.config) and /etc/savepoint/store.yaml; docs/policy.md has every key."

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check the configuration, or show what holds for each dataset",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return hinted(usagef("config what?"), "`store config check` looks for errors, `store config show` shows what holds for each dataset.")
		},
	}
	var o showOptions
	show := &cobra.Command{
		Use:   "show",
		Short: "Show the settings and what holds for each dataset, with where every value came from",
		Long: "show says which settings are in effect, and what holds for each dataset: each value with the line of the file, the\n" +
			"flag, the variable or the default that it comes from. -v shows what is not set, too. With --from-repository it is the\n" +
			"policy that the newest snapshot of each source carries which has one: what there is when the host and its\n" +
			"configuration are lost, as a file that --config takes.\n" +
			"Passwords and keys are never shown.",
		Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.runConfigShow(ctx, o) }),
	}
	show.Flags().StringVar(&o.dataset, "dataset", "", "only this dataset")
	show.Flags().BoolVar(&o.fromRepository, "from-repository", false, "what the newest snapshot of each source carries that has a policy")
	cmd.AddCommand(show, &cobra.Command{
		Use:   "check",
		Short: "Look for errors in the configuration, and for objectives that contradict schedules",
		Long: "check reads the configuration. An error in it ends with 64 and its place; what is allowed and can hardly be meant is\n" +
			"a warning, with which the exit code is 0.",
		Args: cobra.NoArgs,
		RunE: a.action(func(context.Context, []string) error { return a.runConfigCheck() }),
	})
	return cmd
}

// configCheckDocument is what `config check --json` prints.
type configCheckDocument struct {
	File     string            `json:"file"`
	Datasets []string          `json:"datasets"`
	Warnings []warningDocument `json:"warnings"`
}

type warningDocument struct {
	Dataset string `json:"dataset,omitempty"`
	Key     string `json:"key"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

func (a *app) runConfigCheck() error {
	f := a.config
	if f.Path == "" {
		return hinted(usagef("there is no configuration to check"), configHint)
	}
	if f.Repository != "" {
		loc, err := parseLocation(f.Repository, "repository: in the configuration")
		if err != nil {
			return fmt.Errorf("%s: %w", a.settingPlace("repository"), err)
		}
		for _, name := range sortedNames(f) {
			if err := (dataset{paths: f.Datasets[name].Paths}).refuseOverlap(loc); err != nil {
				return fmt.Errorf("%s: dataset %s: %w", placeText(f.Path, f.Datasets[name].Origins["paths"].Line), name, err)
			}
		}
	}
	doc := configCheckDocument{File: f.Path, Datasets: sortedNames(f), Warnings: []warningDocument{}}
	warnings := append(f.Warnings(a.now()), a.missing()...)
	policy.SortWarnings(warnings)
	for _, w := range warnings {
		doc.Warnings = append(doc.Warnings, warningDocument{w.Dataset, w.Key, w.Line, w.Text})
	}
	if a.g.json {
		return a.printJSON(doc)
	}
	return a.printChecked(doc)
}

// sortedNames returns the names of a configuration's datasets.
func sortedNames(f *policy.File) []string {
	names := make([]string, 0, len(f.Datasets))
	for name := range f.Datasets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// settingPlace returns where a setting of the configuration that is no dataset's stands.
func (a *app) settingPlace(key string) string {
	for _, v := range a.config.Values() {
		if v.Key == key {
			return placeText(a.config.Path, v.Origin.Line)
		}
	}
	return printable(a.config.Path)
}

// missing returns warnings of what the configuration names and this host does not have.
func (a *app) missing() []policy.Warning {
	var out []policy.Warning
	if p := a.config.PasswordFile; p != "" {
		if _, err := os.Stat(p); err != nil {
			for _, v := range a.config.Values() {
				if v.Key == "password_file" {
					out = append(out, policy.Warning{Key: v.Key, Line: v.Origin.Line, Text: fmt.Sprintf("the password file cannot be read: %v", err)})
				}
			}
		}
	}
	host, err := a.hostname("")
	if err != nil {
		return out
	}
	for _, e := range a.config.OfHost(host) {
		for _, p := range e.Paths {
			if _, err := os.Stat(p); errors.Is(err, os.ErrNotExist) {
				out = append(out, policy.Warning{Dataset: e.Name, Key: "paths", Line: e.Origins["paths"].Line, Text: fmt.Sprintf("%s is not there on this host, %s", printable(p), printable(host))})
			}
		}
	}
	return out
}

// printChecked prints what there is, and each warning with its place.
func (a *app) printChecked(doc configCheckDocument) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: no errors, %s", printable(doc.File), plural(len(doc.Datasets), "dataset", "datasets"))
	if n := len(doc.Warnings); n > 0 {
		fmt.Fprintf(&b, ", %s", plural(n, "warning", "warnings"))
	}
	fmt.Fprintln(&b)
	for _, w := range doc.Warnings {
		what := w.Message
		if w.Dataset != "" {
			what = "dataset " + w.Dataset + ": " + what
		}
		fmt.Fprintf(&b, "%s: warning: %s\n", placeText(doc.File, w.Line), what)
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}
