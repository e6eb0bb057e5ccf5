package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"savepoint/repo"
	"savepoint/repo/seal"
)

type keyAddOptions struct {
	label                      string
	newPassword, generate      string
	machineKey                 string
	hybrid                     bool
	recipients, recipientFiles []string
}

func (a *app) keyAddCommand() *cobra.Command {
	var o keyAddOptions
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Let another password or key open the repository",
		Long: "add makes key slots for a new password, a new machine key file, or public keys of people and machines. Each is read back from the\n" +
			"repository before it counts. With none of the flags it asks for a new password.",
		Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.runKeyAdd(ctx, o) }),
	}
	f := cmd.Flags()
	f.StringVar(&o.label, "label", "default", "label of the new key slots: a-z, 0-9, dot, underscore")
	f.StringVar(&o.newPassword, "new-password-file", "", "`FILE` that holds the new password; only its owner may read it")
	f.StringVar(&o.generate, "generate-password", "", "make a password of 130 random bits and write it to the new `FILE`; - prints it")
	f.StringVar(&o.machineKey, "machine-key", "", "make a machine key and write it to the new `FILE`, for --key-file")
	f.BoolVar(&o.hybrid, "post-quantum", false, "with --machine-key: a key that also quantum computers do not break; age before 1.3 does not know it")
	f.StringArrayVar(&o.recipients, "recipient", nil, "public key of age (`age1…` or age1pq1…) or of SSH (ssh-ed25519 …, ssh-rsa …); may be repeated")
	f.StringArrayVar(&o.recipientFiles, "recipient-file", nil, "`FILE` with public keys, a line each; may be repeated")
	return cmd
}

func (a *app) runKeyAdd(ctx context.Context, o keyAddOptions) error {
	recipients, err := o.check()
	if err != nil {
		return err
	}
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	if err := a.place.refuseSecrets(o.generate, o.machineKey); err != nil {
		return err
	}
	made := &newSecrets{}
	defer made.discardUnlessKept()
	slots, proofs, err := a.slotsToAdd(ctx, o, recipients, made)
	if err != nil {
		return err
	}
	doc := keyChangeDocument{Repository: r.ID().String(), PasswordFile: made.passwordFile, MachineKey: made.keyFile}
	if made.passwordFile == "" {
		doc.Password = made.generated
	}
	for i, s := range slots {
		slot, err := r.AddSlot(ctx, s, proofs[i], a.by(r))
		if err != nil {
			made.keep() // the slot may be there
			return hinted(fmt.Errorf("add a key slot: %w", err), "%s", sentences(addedSoFar(doc.Added), "What opened the repository before still does. `store key list` shows whether the new slot is there.", a.storageAdvice(err)))
		}
		doc.Added = append(doc.Added, slot.Name)
	}
	made.keep()
	debug.FreeOSMemory() // scrypt took 64 MiB
	if err := made.nameRepository(r.ID().String(), a.place.String()); err != nil {
		a.warnf("the key slot is made, but the repository's ID could not be noted in the key file: %v", err)
	}
	return a.printKeyChange(doc, "Added "+strings.Join(doc.Added, ", ")+": from now on it opens the repository too.")
}

func addedSoFar(added []string) string {
	if len(added) == 0 {
		return ""
	}
	return "Added before that: " + strings.Join(added, ", ") + "."
}

// check refuses what contradicts itself, and returns the public keys that are given.
func (o *keyAddOptions) check() ([]string, error) {
	if !repo.ValidLabel(o.label) {
		return nil, usagef("label %q: use 1 to 63 of a-z, 0-9, dot and underscore", o.label)
	}
	if o.hybrid && o.machineKey == "" {
		return nil, usagef("--post-quantum is for --machine-key; for a key that is there, give its public part with --recipient")
	}
	recipients := o.recipients
	for _, f := range o.recipientFiles {
		more, err := readRecipients(f)
		if err != nil {
			return nil, err
		}
		recipients = append(recipients, more...)
	}
	for _, p := range recipients {
		if _, err := seal.ParseRecipient(p); err != nil {
			return nil, recipientError("", p, err)
		}
	}
	ways := 0
	for _, given := range []bool{o.newPassword != "", o.generate != "", o.machineKey != "", len(recipients) > 0} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		return nil, usagef("one of --new-password-file, --generate-password, --machine-key and --recipient at a time")
	}
	return recipients, nil
}

// recipientError says what is wrong with a public key, and where it stands, if in a file. A secret one is not repeated.
func recipientError(where, p string, err error) error {
	if strings.Contains(strings.ToUpper(p), "SECRET") || strings.Contains(p, "PRIVATE") {
		return hinted(usagef("%sa secret key was given where a public one belongs", where), "`age-keygen -y FILE` prints the public key of one of age; that of one of SSH lies beside it, in FILE.pub.")
	}
	return hinted(usagef("%srecipient %s is no public key: %w", where, printable(elide(p, 80)), err), "One of age begins with age1 or age1pq1, and `age-keygen -y FILE` prints it; one of SSH with ssh-ed25519 or ssh-rsa, as in id_ed25519.pub.")
}

// maxRecipients is how many public keys a file may hold.
const maxRecipients = 100

// readRecipients reads public keys, a line each; lines that begin with # are comments.
func readRecipients(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, hinted(coded(exitUsage, fmt.Errorf("--recipient-file: %w", err)), "Nothing was changed. It is a file with public keys, a line each.")
	}
	var out []string
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := seal.ParseRecipient(line); err != nil {
			return nil, recipientError(fmt.Sprintf("--recipient-file %s, line %d: ", printable(path), n), line, err)
		}
		out = append(out, line)
	}
	if len(out) == 0 || len(out) > maxRecipients {
		return nil, usagef("--recipient-file %s: %d public keys, want 1 to %d", printable(path), len(out), maxRecipients)
	}
	return out, nil
}

// slotsToAdd makes the slots that are wanted, the files of their secrets, and what each must open with.
func (a *app) slotsToAdd(ctx context.Context, o keyAddOptions, recipients []string, made *newSecrets) ([]repo.NewSlot, []repo.Secret, error) {
	switch {
	case len(recipients) > 0:
		var slots []repo.NewSlot
		for _, p := range recipients {
			slots = append(slots, repo.NewSlot{Kind: repo.SlotRecipient, Label: o.label, Recipient: p})
		}
		return slots, make([]repo.Secret, len(slots)), nil
	case o.machineKey != "":
		secret, public, err := made.newKey(o.machineKey, o.hybrid, a.now())
		if err != nil {
			return nil, nil, err
		}
		kind := repo.SlotMachine
		if o.hybrid { // older programs know machine keys of one type
			kind = repo.SlotRecipient
		}
		return []repo.NewSlot{{Kind: kind, Label: o.label, Recipient: public}}, []repo.Secret{{MachineKey: secret}}, nil
	}
	password, err := a.replacement(ctx, o.newPassword, o.generate, made)
	return []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: o.label, Passphrase: password}}, []repo.Secret{{Passphrase: password}}, err
}

// replacement returns a new password: of a file, made, or asked for.
func (a *app) replacement(ctx context.Context, file, generate string, made *newSecrets) (string, error) {
	switch {
	case file != "" && generate != "":
		return "", usagef("--generate-password contradicts --new-password-file")
	case file != "":
		return readPasswordFile(file)
	case generate != "":
		return made.password(generate)
	case isTerminal(a.in):
		return a.askNewPassword(ctx)
	}
	return "", hinted(usagef("no new password given"), "Give --new-password-file FILE or --generate-password FILE.")
}
