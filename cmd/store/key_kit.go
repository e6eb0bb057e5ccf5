package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"savepoint/internal/kit"
	"savepoint/repo"
	"savepoint/repo/seal"
)

func (a *app) keyKitCommand() *cobra.Command {
	var out, label string
	cmd := &cobra.Command{
		Use:   "kit",
		Short: "Write a recovery kit: a page with a key of its own and all that a host needs which has nothing",
		Long: "kit makes a key and a slot for it, and writes a page of text: the repository's address and ID, the key, and the commands that restore.\n" +
			"The page is an identity file: --identity takes it, and so does age. Print it, or put it on a stick, and keep it away from the hosts that\n" +
			"are backed up. `store drill --keys-from FILE` proves that it works, and `store health` says when that was done last.",
		Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.runKeyKit(ctx, out, label) }),
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "the new `FILE`; - prints the page (default savepoint-kit-ID.txt in this folder)")
	f.StringVar(&label, "label", "kit", "label of the new key slot: a-z, 0-9, dot, underscore")
	return cmd
}

func (a *app) runKeyKit(ctx context.Context, out, label string) error {
	switch {
	case !repo.ValidLabel(label):
		return usagef("label %q: use 1 to 63 of a-z, 0-9, dot and underscore", label)
	case out == "-" && a.g.json:
		return usagef("--json and --out - contradict each other: the kit is a page of text")
	}
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	doc, page, err := a.makeKit(ctx, r, out, label)
	if err != nil {
		return err
	}
	if out == "-" {
		if _, err := fmt.Fprint(a.out, page); err != nil {
			return err
		}
	}
	return a.printKeyChange(doc, a.kitText(doc, sourceToProve(ctx, r)))
}

// sourceToProve returns the flags of the source with which a kit is proven where there are several: that of the newest snapshot.
func sourceToProve(ctx context.Context, r *repo.Repo) []string {
	snaps, _ := r.Snapshots(ctx) // what cannot be read is the drill's to say
	var newest *repo.Snapshot
	several := false
	for _, s := range snaps {
		if !s.Restorable() {
			continue
		}
		several = several || newest != nil && newest.Source() != s.Source()
		if newest == nil || !s.Stored.Before(newest.Stored) {
			newest = s
		}
	}
	if !several {
		return nil
	}
	return []string{"--dataset", newest.Dataset, "--host", newest.Host}
}

// kitText says what to do with a new kit. source are flags of one that is there.
func (a *app) kitText(d keyChangeDocument, source []string) string {
	where, file := "the page that was printed", "FILE"
	if d.Kit != "" {
		where, file = printable(d.Kit), d.Kit
	}
	return fmt.Sprintf("Made a recovery kit: %s. Whoever has it can read every backup. Keep it away from the hosts that are backed up, best on paper too.\n"+
		"Prove that it works: %s", where, a.commandLine(append([]string{"drill", "--repo", a.repoText(), "--keys-from", file}, source...)...))
}

// makeKit makes a key, writes the page unless out is "-", and then the slot, which it opens with the key as it stands in the page. The page is
// there first: a slot whose key is lost would look like one that helps.
func (a *app) makeKit(ctx context.Context, r *repo.Repo, out, label string) (keyChangeDocument, string, error) {
	doc := keyChangeDocument{Repository: r.ID().String()}
	secret, public, err := seal.NewMachineKey()
	if err != nil {
		return doc, "", fmt.Errorf("make a key: %w", err)
	}
	if out == "" {
		out = "savepoint-kit-" + r.ID().String()[:8] + ".txt"
	}
	if err := a.place.refuseSecrets(out); err != nil {
		return doc, "", err
	}
	slot := repo.NewSlot{Kind: repo.SlotMachine, Label: label, Recipient: public, ID: repo.NewSlotID()}
	k := kit.Kit{Repository: a.place.String(), ID: r.ID().String(), Slot: "keys/" + slot.Kind + "-" + label + "-" + slot.ID, Made: a.now(),
		By: a.by(r), Version: version, Secret: secret}
	k.Steps = a.kitSteps(k, out)
	page, err := k.Text()
	if err != nil {
		return doc, "", err
	}
	made := &newSecrets{}
	defer made.discardUnlessKept()
	read := page
	if out != "-" {
		if doc.Kit, err = made.write("recovery kit", out, page); err != nil {
			return doc, "", err
		}
		b, err := os.ReadFile(doc.Kit)
		if err != nil {
			return doc, "", fmt.Errorf("read the recovery kit back: %w", err)
		}
		read = string(b)
	}
	got, err := kit.Parse(read)
	if err != nil {
		return doc, "", fmt.Errorf("read the recovery kit back: %w", err)
	}
	added, err := r.AddSlot(ctx, slot, repo.Secret{Identities: got.Secret}, k.By)
	if err != nil {
		return doc, "", hinted(fmt.Errorf("make the slot of the recovery kit: %w", err), "%s",
			sentences("There is no kit: run the same command again. A slot "+k.Slot+" that is left over opens with nothing; `store key remove` removes it.", a.storageAdvice(err)))
	}
	made.keep()
	doc.Added = []string{added.Name}
	return doc, page, nil
}

// kitSteps are the commands of a page, for a host on which the program is called store.
func (a *app) kitSteps(k kit.Kit, out string) []string {
	file := filepath.Base(out)
	if out == "-" {
		file = "kit.txt"
	}
	at, file := shellQuote(k.Repository), shellQuote(file)
	steps := []string{
		"RESTORE ON A BARE HOST. It needs the program store and this page as the file " + file + ". From paper,",
		"type the title, the lines from repository: to check: as they stand, and the key.",
		"  chmod 600 " + file,
	}
	slot := shellQuote(filepath.Join(k.Repository, k.Slot))
	if a.place.bucket != nil {
		steps = append(steps, "  export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...   # of the bucket, not in this page")
		slot = "SLOT"
	}
	steps = append(steps,
		"  store snapshots --repo "+at+" --identity "+file,
		"  store restore --repo "+at+" --identity "+file+" --dataset D --host H --target DIR",
		"  store restore --repo "+at+" --identity "+file+" --all --target DIR",
		"PROVE THIS PAGE, now and then, on another host than those that are backed up:",
		"  store drill --repo "+at+" --keys-from "+file+" --dataset D --host H",
		"WITHOUT STORE: the project's docs/format.md says how all is stored. age opens the slot, in which the keys are:",
	)
	if a.place.bucket != nil {
		return append(steps, "  copy the bucket into the folder COPY (mc cp -r, aws s3 sync); SLOT is COPY/"+k.Slot,
			"  age -d -i "+file+" "+slot+" >keys.cbor",
			"and its internal/reader/reader.py reads all of it with age and python3:",
			"  python3 reader.py --repo COPY --identity "+file+" snapshots")
	}
	return append(steps, "  age -d -i "+file+" "+slot+" >keys.cbor",
		"and its internal/reader/reader.py reads all of it with age and python3:",
		"  python3 reader.py --repo "+at+" --identity "+file+" snapshots")
}
