package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"savepoint/repo"
	"savepoint/repo/seal"
)

// keyListDocument is what `key list --json` prints.
type keyListDocument struct {
	Repository string        `json:"repository"`
	Slots      []keyDocument `json:"slots"`
}

// keyDocument is a key slot under --json. AddedBy and Program are those of the mark that its maker put.
type keyDocument struct {
	ID      string    `json:"id"`
	Object  string    `json:"object"`
	Kind    string    `json:"kind"`
	Type    string    `json:"type"`
	Label   string    `json:"label"`
	Created time.Time `json:"created"`
	AddedBy string    `json:"added_by,omitempty"`
	Program string    `json:"program,omitempty"`
	Removal string    `json:"removal_by,omitempty"` // who put the mark that it is to be removed
	Opened  bool      `json:"opened"`
}

// keyChangeDocument is what `key add`, `key remove`, `key passwd` and `key kit` print with --json.
type keyChangeDocument struct {
	Repository   string   `json:"repository"`
	Added        []string `json:"added"` // objects
	Removed      []string `json:"removed"`
	PasswordFile string   `json:"password_file,omitempty"`
	MachineKey   string   `json:"machine_key,omitempty"`
	Kit          string   `json:"kit,omitempty"`
	Password     string   `json:"password,omitempty"`
	// Stale are the secrets that this command line, environment and configuration name, that opened the repository and do so no more.
	Stale []*namedSecret `json:"stale_secrets,omitempty"`
	Run   string         `json:"run"`
}

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Show and change what opens the repository, and write recovery kits",
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
	}, a.keyAddCommand(), a.keyRemoveCommand(), a.keyPasswdCommand(), a.keyKitCommand())
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
	docs, err := a.describeSlots(ctx, r, slots)
	if err != nil {
		return err
	}
	if a.g.json {
		return a.printJSON(keyListDocument{Repository: r.ID().String(), Slots: docs})
	}
	t := table{header: []string{"", "KIND", "LABEL", "ID", "CREATED", "OPENS WITH", "ADDED BY"}}
	for _, d := range docs {
		mark, by := " ", printable(first(d.AddedBy, "-"))
		if d.Opened {
			mark = "*"
		}
		if d.Removal != "" {
			by += ", to be removed by " + printable(d.Removal)
		}
		t.add(mark, d.Kind, d.Label, d.ID[:8], a.timeText(d.Created), openedBy(d.Type), by)
	}
	return t.print(a.out)
}

// describeSlots says of each slot what opens it, and what the marks tell of it. Marks that cannot be read hide nothing but that.
func (a *app) describeSlots(ctx context.Context, r *repo.Repo, slots []repo.KeySlot) ([]keyDocument, error) {
	heads, err := r.SlotHeads(ctx, slots)
	if err != nil {
		return nil, err
	}
	changes, err := r.KeyChanges(ctx)
	if errors.Is(err, repo.ErrCorrupt) || errors.Is(err, repo.ErrNewer) {
		a.warnf("who changed the key slots is not known: %v", err)
		a.found = worst(a.found, exitCode(err))
	} else if err != nil {
		return nil, err
	}
	told := map[string]*keyDocument{}
	docs := make([]keyDocument, len(slots))
	for i, s := range slots {
		docs[i] = keyDocument{ID: s.ID, Object: s.Name, Kind: s.Kind, Type: first(heads[i].Type, "damaged"), Label: s.Label,
			Created: time.Unix(0, s.Created).UTC(), Opened: s.Name == r.Slot()}
		told[s.Name] = &docs[i]
	}
	for _, c := range changes {
		d := told[c.Slot]
		switch {
		case d == nil:
		case c.Removed:
			d.Removal = c.By
		default:
			d.AddedBy, d.Program = c.By, c.Version
		}
	}
	return docs, nil
}

// openedBy says what opens a slot of a type.
func openedBy(kind string) string {
	switch kind {
	case seal.TypePassword:
		return "password"
	case seal.TypeX25519:
		return "age key"
	case seal.TypeHybrid:
		return "age key, post-quantum"
	case seal.TypeSSHEd, seal.TypeSSHRSA:
		return "SSH key, " + strings.TrimPrefix(kind, "ssh-")
	}
	return printable(kind)
}

// by says who changes keys, for their marks.
func (a *app) by(r *repo.Repo) string { return userName() + "@" + r.Options().Host }

// fewestDigits is how many digits of an ID must be given.
const fewestDigits = 4

// findSlot returns the one slot that an argument names: an ID, at least four digits of it that no other slot begins with, or the object.
func findSlot(slots []repo.KeySlot, text string) (repo.KeySlot, error) {
	id := strings.ToLower(strings.TrimSpace(text))
	if id == "" {
		return repo.KeySlot{}, hinted(usagef("an empty argument names no key slot"), slotsHint)
	}
	var found []repo.KeySlot
	for _, s := range slots {
		if s.Name == text || s.Name == "keys/"+text || strings.HasPrefix(s.ID, id) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) > 0 && len(id) < fewestDigits:
		return repo.KeySlot{}, hinted(usagef("%s is too short to name a key slot: give %d digits of its ID at least", printable(text), fewestDigits), slotsHint)
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return repo.KeySlot{}, hinted(usagef("%d key slots begin with %s: give more digits of the ID", len(found), printable(text)), slotsHint)
	}
	return repo.KeySlot{}, hinted(usagef("there is no key slot %s", printable(elide(text, 80))), slotsHint)
}

const slotsHint = "Nothing was changed. `store key list` lists them; four digits of an ID are enough."

// printKeyChange prints what was done to key slots, in text to whoever wants to know.
func (a *app) printKeyChange(d keyChangeDocument, text string) error {
	d.Run = a.runID
	d.Added, d.Removed = append([]string{}, d.Added...), append([]string{}, d.Removed...)
	if a.g.json {
		return a.printJSON(d)
	}
	if d.Password != "" {
		if _, err := fmt.Fprintln(a.out, d.Password); err != nil {
			return err
		}
	}
	if !a.g.quiet {
		a.notef("%s", text)
	}
	return nil
}
