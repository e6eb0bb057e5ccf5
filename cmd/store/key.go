package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// keyListDocument is what `key list --json` prints.
type keyListDocument struct {
	Repository string        `json:"repository"`
	Slots      []keyDocument `json:"slots"`
}

type keyDocument struct {
	ID      string    `json:"id"`
	Object  string    `json:"object"`
	Kind    string    `json:"kind"`
	Label   string    `json:"label"`
	Created time.Time `json:"created"`
	Opened  bool      `json:"opened"`
}

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Show what opens the repository",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return hinted(usagef("key needs a command"), "`store key list` lists the key slots.")
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List the key slots; the one that opened the repository just now is marked with *",
		Args:  cobra.NoArgs,
		RunE:  a.action(func(ctx context.Context, _ []string) error { return a.runKeyList(ctx) }),
	})
	return cmd
}

func (a *app) runKeyList(ctx context.Context) error {
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	slots, err := r.KeySlots(ctx)
	if err != nil {
		return err
	}
	doc := keyListDocument{Repository: r.ID().String(), Slots: []keyDocument{}}
	t := table{header: []string{"", "KIND", "LABEL", "ID", "CREATED"}}
	for _, s := range slots {
		created := time.Unix(0, s.Created)
		mark := " "
		if s.Name == r.Slot() {
			mark = "*"
		}
		t.add(mark, s.Kind, s.Label, s.ID[:8], a.timeText(created))
		doc.Slots = append(doc.Slots, keyDocument{s.ID, s.Name, s.Kind, s.Label, created.UTC(), s.Name == r.Slot()})
	}
	if a.g.json {
		return a.printJSON(doc)
	}
	return t.print(a.out)
}
