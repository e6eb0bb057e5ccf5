package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"savepoint/repo"
)

// copiesOpen says what removing a slot does not do.
const copiesOpen = "Whoever copied the old slot and has its secret can still read every backup, later ones too: docs/guide/recovery.md."

func (a *app) keyRemoveCommand() *cobra.Command {
	allow := false
	cmd := &cobra.Command{
		Use:   "remove ID…",
		Short: "Remove key slots: what they were for opens the repository no more",
		Long: "remove removes key slots. It refuses the last one, and the one that opened the repository just now unless it is told to.\n\n" +
			"It changes no key: " + copiesOpen,
		Args: cobra.MinimumNArgs(1),
		RunE: a.action(func(ctx context.Context, args []string) error { return a.runKeyRemove(ctx, args, allow) }),
	}
	cmd.Flags().BoolVar(&allow, "allow-in-use", false, "also the slot that opened the repository just now: others are known to open it")
	return cmd
}

func (a *app) runKeyRemove(ctx context.Context, args []string, allow bool) error {
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	slots, err := r.KeySlots(ctx)
	if err != nil {
		return err
	}
	chosen, err := chooseSlots(slots, args, r.Slot(), allow)
	if err != nil {
		return err
	}
	doc := keyChangeDocument{Repository: r.ID().String()}
	tried, inUse := a.trySecrets(ctx, r), r.Slot()
	for _, s := range chosen {
		if err := r.RemoveSlot(ctx, s.Name, a.by(r)); err != nil {
			a.warnStale(staleSecrets(ctx, r, tried, inUse, doc.Removed), "")
			return hinted(removeError(s, err), "%s", sentences(removedSoFar(doc.Removed), removeHint(err), a.storageAdvice(err)))
		}
		doc.Removed = append(doc.Removed, s.Name)
	}
	doc.Stale = staleSecrets(ctx, r, tried, inUse, doc.Removed)
	a.warnStale(doc.Stale, "")
	return a.printKeyChange(doc, "Removed "+strings.Join(doc.Removed, ", ")+". "+copiesOpen)
}

// chooseSlots returns the slots to remove, each once, before any is: an argument that cannot be meant leaves all as they are.
func chooseSlots(slots []repo.KeySlot, args []string, inUse string, allow bool) ([]repo.KeySlot, error) {
	var chosen []repo.KeySlot
	for _, text := range args {
		s, err := findSlot(slots, text)
		if err != nil {
			return nil, err
		}
		if s.Name == inUse && !allow {
			return nil, hinted(usagef("%s opened the repository just now", s.Name),
				"Nothing was changed. Open it with the password or key that stays, and remove this one; or, when it is known that another one opens it, add --allow-in-use.")
		}
		if !slices.Contains(chosen, s) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == len(slots) {
		was := "was"
		if len(chosen) > 1 {
			was = "were"
		}
		return nil, hinted(usagef("%s %s not removed: %w", slotNames(chosen), was, repo.ErrLastSlot), "Nothing was changed. %s", removeHint(repo.ErrLastSlot))
	}
	return chosen, nil
}

func slotNames(slots []repo.KeySlot) string {
	var names []string
	for _, s := range slots {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

func removeError(s repo.KeySlot, err error) error {
	if errors.Is(err, repo.ErrLastSlot) {
		return coded(exitUsage, fmt.Errorf("%s was not removed: %w", s.Name, err))
	}
	return err
}

func removedSoFar(removed []string) string {
	if len(removed) == 0 {
		return ""
	}
	return "Removed before that: " + strings.Join(removed, ", ") + "."
}

func removeHint(err error) string {
	if errors.Is(err, repo.ErrLastSlot) {
		return "Add another password or key first: `store key add`."
	}
	return "`store key list` shows what is there."
}

type keyPasswdOptions struct{ newPassword, generate string }

func (a *app) keyPasswdCommand() *cobra.Command {
	var o keyPasswdOptions
	cmd := &cobra.Command{
		Use:   "passwd [ID]",
		Short: "Put a new password in the place of one: that of ID, or the one that opened the repository just now",
		Long: "passwd makes a slot for the new password, reads it back and opens it, and only then removes the old one: whenever it is interrupted, one of\n" +
			"the two opens the repository.\n\nThe data is not sealed anew: " + copiesOpen,
		Args: cobra.MaximumNArgs(1),
		RunE: a.action(func(ctx context.Context, args []string) error { return a.runKeyPasswd(ctx, o, args) }),
	}
	f := cmd.Flags()
	f.StringVar(&o.newPassword, "new-password-file", "", "`FILE` that holds the new password; only its owner may read it")
	f.StringVar(&o.generate, "generate-password", "", "make a password of 130 random bits and write it to the new `FILE`; - prints it")
	return cmd
}

func (a *app) runKeyPasswd(ctx context.Context, o keyPasswdOptions, args []string) error {
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	slots, err := r.KeySlots(ctx)
	if err != nil {
		return err
	}
	which := r.Slot()
	if len(args) > 0 {
		which = args[0]
	}
	old, err := findSlot(slots, which)
	if err != nil {
		return err
	}
	if old.Kind != repo.SlotPassphrase {
		return hinted(usagef("%s is no slot of a password", old.Name), "Nothing was changed. Name one: store key passwd ID; `store key list` lists them. To add a password: store key add.")
	}
	if err := a.place.refuseSecrets(o.generate); err != nil {
		return err
	}
	made := &newSecrets{}
	defer made.discardUnlessKept()
	password, err := a.replacement(ctx, o.newPassword, o.generate, made)
	if err != nil {
		return err
	}
	tried, inUse := a.trySecrets(ctx, r), r.Slot()
	slot, err := r.ReplaceSlot(ctx, old.Name, repo.NewSlot{Kind: repo.SlotPassphrase, Label: old.Label, Passphrase: password},
		repo.Secret{Passphrase: password}, a.by(r))
	debug.FreeOSMemory() // scrypt took 64 MiB, twice
	if err != nil {
		made.keep() // the new slot may be there
		return hinted(err, "%s", sentences("The old password still opens the repository unless `store key list` shows that its slot is gone; then the new one does.", a.storageAdvice(err)))
	}
	made.keep()
	doc := keyChangeDocument{Repository: r.ID().String(), Added: []string{slot.Name}, Removed: []string{old.Name}, PasswordFile: made.passwordFile}
	if made.passwordFile == "" {
		doc.Password = made.generated
	}
	doc.Stale = staleSecrets(ctx, r, tried, inUse, doc.Removed)
	a.warnStale(doc.Stale, first(made.passwordFile, o.newPassword))
	return a.printKeyChange(doc, "The new password opens the repository, the old one does not. "+copiesOpen)
}
