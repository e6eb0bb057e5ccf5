package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"savepoint/repo"
	"savepoint/repo/seal"
	"savepoint/repo/storage"
	"savepoint/repo/storage/file"
)

type initOptions struct {
	generate, machineKey string
	kit                  string
	recipients           []string
	label                string
	noPassword           bool
	createBucket         bool
}

// initDocument is what `init --json` prints.
type initDocument struct {
	Repository   string   `json:"repository"`
	Location     string   `json:"location"`
	Slots        []string `json:"slots"`
	Password     string   `json:"password,omitempty"`
	PasswordFile string   `json:"password_file,omitempty"`
	MachineKey   string   `json:"machine_key,omitempty"`
	Kit          string   `json:"kit,omitempty"`

	Probe *probeDocument `json:"probe,omitempty"`
}

func (a *app) initCommand() *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a new repository",
		Long: "init makes a new repository. It opens with a password, a machine key file (for cron) or both; everything\n" +
			"that opens it must be made now or is lost for good with the data.\n\n" + probeHelp,
		Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.runInit(ctx, o) }),
	}
	f := cmd.Flags()
	f.StringVar(&o.generate, "generate-password", "", "make a password of 130 random bits and write it to the new `FILE`; - prints it")
	f.StringVar(&o.machineKey, "machine-key", "", "make a machine key too and write it to the new `FILE`, for --key-file")
	f.StringVar(&o.kit, "kit", "", "write a recovery kit to the new `FILE`: a page with a key of its own and all that a bare host needs")
	f.StringArrayVar(&o.recipients, "recipient", nil, "let the owner of this age key (`age1…`) open the repository too; may be repeated")
	f.StringVar(&o.label, "label", "default", "label of the new key slots: a-z, 0-9, dot, underscore")
	f.BoolVar(&o.createBucket, "create-bucket", false, "make the bucket of s3://… when there is none")
	f.BoolVar(&o.noPassword, "no-password", false, "no password: only --machine-key and --recipient open the repository")
	return cmd
}

func (a *app) runInit(ctx context.Context, o initOptions) error {
	loc, err := a.location()
	if err != nil {
		return err
	}
	if err := a.checkInit(o); err != nil {
		return err
	}
	opt, err := a.repoOptions()
	if err != nil {
		return err
	}
	st, findings, err := a.placeForInit(ctx, loc, o)
	if err != nil {
		return err
	}
	made := &newSecrets{}
	defer made.discardUnlessKept()
	slots, err := a.newSlots(ctx, o, made)
	if err != nil {
		return err
	}
	if loc.bucket == nil {
		if st, err = file.Create(loc.path); err != nil {
			return err
		}
	}
	opt.By = userName() + "@" + opt.Host
	r, err := repo.Init(ctx, st, slots, opt)
	debug.FreeOSMemory() // scrypt took 64 MiB
	if err != nil {
		err = fmt.Errorf("make repository %s: %w", printable(loc.String()), err)
		if mayExist(ctx, st, err) {
			made.keep() // else nothing opens it
			return hinted(err, "%s", sentences("Whether the repository was made is not known: `store snapshots` says if it is there.", made.keptHint(), a.storageAdvice(err)))
		}
		return hinted(err, "%s", sentences(initHint(err), a.storageAdvice(err)))
	}
	made.keep()
	if err := made.nameRepository(r.ID().String(), loc.String()); err != nil {
		a.warnf("the repository is made, but its ID could not be noted in the key file: %v", err)
	}
	if o.kit == "" {
		return a.reportInit(ctx, r, loc, o, made, findings)
	}
	a.place = loc
	doc, _, err := a.makeKit(ctx, r, o.kit, "kit")
	if err != nil {
		return errors.Join(a.reportInit(ctx, r, loc, o, made, findings), hinted(fmt.Errorf("the repository is made, but not its recovery kit: %w", err), "Run: store key kit"))
	}
	made.kit = doc.Kit
	return a.reportInit(ctx, r, loc, o, made, findings)
}

// mayExist reports whether a repository may have come to exist although making it failed: its last object is there, or the
// request for it went without an answer.
func mayExist(ctx context.Context, st storage.Store, err error) bool {
	var op *storage.OpError
	switch {
	case errors.Is(err, repo.ErrExists), errors.As(err, &op) && op.Name != seal.ConfigName:
		return false
	case op != nil && op.Temporary:
		return true
	}
	_, there := st.Stat(ctx, seal.ConfigName)
	return there == nil
}

func initHint(err error) string {
	var damage *repo.CorruptError
	switch {
	case errors.Is(err, repo.ErrExists):
		return "Nothing was changed. Use it as it is, or choose another place."
	case errors.As(err, &damage):
		return "Nothing was changed."
	}
	return "The same command can be run again."
}

// checkInit refuses options that contradict each other.
func (a *app) checkInit(o initOptions) error {
	given := a.g.passwordFile != "" || a.g.passwordCommand != ""
	switch {
	case a.g.keyFile != "", a.g.identity != "":
		return hinted(usagef("init makes a key file and reads none"), "Use --machine-key FILE; for a key that is there already, --recipient with its public key.")
	case o.noPassword && o.machineKey == "" && len(o.recipients) == 0:
		return usagef("--no-password leaves nothing that opens the repository: add --machine-key or --recipient")
	case o.noPassword && (given || o.generate != ""):
		return usagef("--no-password contradicts the password that is given")
	case o.generate != "" && given:
		return usagef("--generate-password contradicts the password that is given")
	case o.kit == "-":
		return hinted(usagef("--kit needs a file"), "`store key kit --out -` prints a kit.")
	case !repo.ValidLabel(o.label):
		return usagef("label %q: use 1 to 63 of a-z, 0-9, dot and underscore", o.label)
	}
	for _, r := range o.recipients {
		if _, err := seal.ParseRecipient(r); err != nil {
			return hinted(usagef("recipient %q is no age public key", r), "It begins with age1 or age1pq1; `age-keygen -y FILE` prints it.")
		}
	}
	return nil
}

// newSlots makes the key slots that init was asked for, and the files of their secrets.
func (a *app) newSlots(ctx context.Context, o initOptions, made *newSecrets) ([]repo.NewSlot, error) {
	var slots []repo.NewSlot
	if !o.noPassword {
		password, err := a.newPassword(ctx, o, made)
		if err != nil {
			return nil, err
		}
		slots = append(slots, repo.NewSlot{Kind: repo.SlotPassphrase, Label: o.label, Passphrase: password})
	}
	if o.machineKey != "" {
		public, err := made.machineKey(o.machineKey, a.now())
		if err != nil {
			return nil, err
		}
		slots = append(slots, repo.NewSlot{Kind: repo.SlotMachine, Label: o.label, Recipient: public})
	}
	for _, r := range o.recipients {
		slots = append(slots, repo.NewSlot{Kind: repo.SlotRecipient, Label: o.label, Recipient: r})
	}
	return slots, nil
}

func (a *app) newPassword(ctx context.Context, o initOptions, made *newSecrets) (string, error) {
	if o.generate != "" {
		return made.password(o.generate)
	}
	source, err := a.secretSource()
	if errors.Is(err, errNoSecret) {
		return "", hinted(coded(exitUsage, errors.New("no password given")),
			"Give --password-file, --password-command or STORE_PASSWORD, or let --generate-password FILE make one; "+
				"--no-password with --machine-key FILE does without.")
	}
	if err != nil {
		return "", err
	}
	source.keyFile, source.identity = "", "" // STORE_KEY_FILE and STORE_IDENTITY open other repositories
	if source.password == "" && source.file == "" && source.command == "" && !source.prompt {
		return "", hinted(usagef("no password given"), "STORE_KEY_FILE alone makes no slot: use --no-password with --machine-key, or give a password.")
	}
	secret, err := a.readSecret(ctx, &source, a.askNewPassword)
	if err == nil && secret.Passphrase == "" {
		err = errEmptyPassword()
	}
	return secret.Passphrase, err
}

// reportInit says what was made and what must not be lost.
func (a *app) reportInit(ctx context.Context, r *repo.Repo, loc location, o initOptions, made *newSecrets, found *probeDocument) error {
	slots, err := r.KeySlots(ctx)
	if err != nil {
		return err
	}
	doc := initDocument{Repository: r.ID().String(), Location: loc.String(), Slots: []string{}, Probe: found,
		PasswordFile: made.passwordFile, MachineKey: made.keyFile, Kit: made.kit}
	for _, s := range slots {
		doc.Slots = append(doc.Slots, s.Name)
	}
	if made.passwordFile == "" {
		doc.Password = made.generated
	}
	if a.g.json {
		return a.printJSON(doc)
	}
	if doc.Password != "" {
		if _, err := fmt.Fprintln(a.out, doc.Password); err != nil {
			return err
		}
	}
	if a.g.quiet {
		return nil
	}
	var what []string
	if !o.noPassword {
		what = append(what, "the password")
	}
	if o.machineKey != "" {
		what = append(what, "the machine key file "+printable(made.keyFile))
	}
	if len(o.recipients) > 0 {
		what = append(what, "the age key of --recipient")
	}
	if made.kit != "" {
		what = append(what, "the recovery kit "+printable(made.kit))
	}
	a.notef("Made repository %s at %s.\n%s%s%s%s", r.ID(), printable(loc.String()), found.lines(), mustKeep(what), kitOffer(made), a.firstBackup(made))
	return nil
}

// kitOffer names the command that makes a recovery kit, when none was made.
func kitOffer(made *newSecrets) string {
	if made.kit != "" {
		return ""
	}
	return " `store key kit` writes a page for that."
}

// firstBackup is the line that shows the next command, when a file that was made opens the repository.
func (a *app) firstBackup(made *newSecrets) string {
	words := []string{"backup", "--repo", a.repoText()}
	switch {
	case made.keyFile != "":
		words = append(words, "--key-file", made.keyFile)
	case made.passwordFile != "":
		words = append(words, "--password-file", made.passwordFile)
	default:
		return ""
	}
	return "\nNext: " + a.commandLine(words...) + " FOLDER"
}

// mustKeep says what losing the keys means.
func mustKeep(what []string) string {
	if len(what) == 1 {
		return "Only " + what[0] + " opens it. Whoever loses that loses all data in it: nobody can help then. Keep a copy on another machine or on paper."
	}
	last := len(what) - 1
	return "It opens with " + strings.Join(what[:last], ", ") + " or " + what[last] +
		". Losing all of these loses all data in it: nobody can help then. Keep a copy of one of them on another machine or on paper."
}
