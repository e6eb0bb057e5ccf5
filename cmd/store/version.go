package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"savepoint/repo/seal"
)

// versionDocument is what `version --json` prints.
type versionDocument struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	System  string `json:"system"`
	Format  int    `json:"format"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program and of the repository format it reads and writes",
		Args:  cobra.NoArgs,
		RunE: a.action(func(context.Context, []string) error {
			doc := versionDocument{version, commit(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, seal.Version}
			if a.g.json {
				return a.printJSON(doc)
			}
			from := ""
			if doc.Commit != "" {
				from = " (" + doc.Commit + ")"
			}
			_, err := fmt.Fprintf(a.out, "store %s%s, %s %s, repository format %d\n", doc.Version, from, doc.Go, doc.System, doc.Format)
			return err
		}),
	}
}

// commit returns the commit that the program was built from, or "" when the build did not record it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
