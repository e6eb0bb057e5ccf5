package main

import (
	"context"
	"errors"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"savepoint/internal/policy"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
	"savepoint/repo/tree"
	"savepoint/verify"
)

type backupOptions struct {
	dataset, host, mode string
	tags                []string
	allowShrink, all    bool
}

// backupDocument is what `backup --json` prints.
type backupDocument struct {
	Snapshot *snapshotDocument `json:"snapshot"`
	Parent   string            `json:"parent,omitempty"`
	ExitCode int               `json:"exit_code"`
	Faults   []faultDocument   `json:"faults"`
	// Tolerated is how many of the faults the policy tolerates.
	Tolerated uint64          `json:"tolerated_count"`
	Damaged   []string        `json:"damaged"`
	Stats     backupStats     `json:"stats"`
	Storage   storageDocument `json:"storage"`
	Usage     *verify.Usage   `json:"usage,omitempty"`
	Restore   string          `json:"restore_command"`
	Run       string          `json:"run"`
}

type backupStats struct {
	Changed         uint64  `json:"changed_files"`
	Unchanged       uint64  `json:"unchanged_files"`
	Same            uint64  `json:"same_files"`
	ReadBytes       uint64  `json:"read_bytes"`
	NewChunks       uint64  `json:"new_chunks"`
	NewBytes        uint64  `json:"new_bytes"`
	StoredBytes     uint64  `json:"stored_bytes"`
	RereadFiles     uint64  `json:"reread_files"`
	RereadDifferent uint64  `json:"reread_different"`
	Seconds         float64 `json:"seconds"`
}

func (a *app) backupCommand() *cobra.Command {
	var o backupOptions
	cmd := &cobra.Command{
		Use:   "backup [PATH...]",
		Short: "Back up files and folders as a new snapshot",
		Long: "backup makes a snapshot of one dataset. A PATH that the configuration gives to a dataset is that dataset, with all\n" +
			"its paths; --dataset NAME alone is the configured one. Any other PATH is a dataset under its own name; several\n" +
			"want --dataset NAME. With --all it backs up, one after the other, all datasets of the configuration that this host has.",
		RunE: a.action(func(ctx context.Context, args []string) error { return a.runBackup(ctx, args, o) }),
	}
	f := cmd.Flags()
	f.StringVar(&o.dataset, "dataset", "", "name of the dataset")
	f.BoolVar(&o.all, "all", false, "every dataset of the configuration whose hosts name this one, or that names none")
	f.StringVar(&o.host, "host", "", "name of this host in the snapshot (default: its hostname)")
	f.StringArrayVar(&o.tags, "tag", nil, "tag of the snapshot; may be repeated")
	f.StringVar(&o.mode, "mode", "", "incremental: against the newest snapshot; differential: against the last full one;\nfull: read every byte (default: full when the dataset's policy wants one, else incremental)")
	f.BoolVar(&o.allowShrink, "allow-shrink", false, "a source that lost more than half is as it should be")
	return cmd
}

func (a *app) runBackup(ctx context.Context, args []string, o backupOptions) error {
	if o.all {
		return a.runBackupAll(ctx, args, o)
	}
	opt, e, err := a.backupOptions(args, o)
	if err != nil {
		return err
	}
	r, err := a.openForBackup(ctx)
	if err != nil {
		return err
	}
	res, err := a.backUp(ctx, r, opt)
	if res == nil {
		return err
	}
	return errors.Join(hinted(a.reportBackup(res, e, err), "Snapshot %s is safe; what could not be written is its report.", res.Snapshot.Short()), err)
}

// openForBackup opens the repository, and says that there is no snapshot when it cannot.
func (a *app) openForBackup(ctx context.Context) (*repo.Repo, error) {
	r, err := a.openRepo(ctx)
	if advice := a.storageAdvice(err); advice != "" && exitCode(err) == exitFailure {
		return nil, hinted(err, "No snapshot was made. %s", advice)
	}
	return r, err
}

// backUp makes one snapshot. There may be a result beside an error: the snapshot is there then.
func (a *app) backUp(ctx context.Context, r *repo.Repo, opt backup.Options) (*backup.Result, error) {
	bar := a.newProgress("backup")
	bar.last = "storing what is left"
	opt.Events.Progress = func(p backup.Progress) {
		bar.entries.Add(p.Entries)
		bar.ofEntries.Add(p.FoundEntries)
		bar.bytes.Add(p.Bytes)
		bar.update()
	}
	var kept *repo.Snapshot
	opt.Events.Checkpoint = func(s *repo.Snapshot) {
		kept = s
		if a.g.verbose > 0 {
			a.notef("interrupted snapshot %s published: %s so far, %s", s.Short(), plural(s.Stats.Files, "file", "files"), sizeText(s.Stats.FileBytes))
		}
	}
	res, err := backup.Run(ctx, r, opt)
	bar.end()
	if res != nil && res.Snapshot.Mode == tree.Full && opt.Mode != tree.Full {
		a.infof("dataset %s: every byte was read: the policy wanted a full backup at %s", printable(opt.Dataset), a.timeText(opt.FullSince))
	}
	if err != nil {
		err = a.backupError(err, res, kept)
	}
	return res, err
}

// backupOptions resolves and checks everything that can be without the repository. Without a policy that is nil.
func (a *app) backupOptions(args []string, o backupOptions) (opt backup.Options, e *policy.Effective, err error) {
	mode, err := o.check()
	if err != nil {
		return opt, nil, err
	}
	host, err := a.hostname(o.host)
	if err != nil {
		return opt, nil, err
	}
	if !utf8.ValidString(host) || strings.ContainsFunc(host, unicode.IsControl) {
		return opt, nil, usagef("--host %q: text in one line", host)
	}
	d, err := a.resolveDataset(args, o.dataset)
	if hostErr := a.refuseHost(d, host); hostErr != nil { // before what is said of paths, which are those of another host
		return opt, nil, hostErr
	}
	if err != nil {
		return opt, nil, err
	}
	loc, err := a.location()
	if err != nil {
		return opt, nil, err
	}
	if err := d.refuseOverlap(loc); err != nil {
		return opt, nil, err
	}
	if len(d.paths) > len(args) && len(args) > 0 {
		a.infof("backing up dataset %s with all its paths: %s", d.name, strings.Join(d.paths, ", "))
	}
	opt = backup.Options{
		Dataset: d.name, Class: d.class, Host: host, User: userName(), Paths: d.paths, Tags: o.tags, Mode: mode,
		AllowShrink: o.allowShrink, Policy: d.policy, Now: a.now,
	}
	if e = d.effective; e != nil {
		if e.Full != nil && o.mode == "" {
			opt.FullSince = e.Full.Previous(a.now())
		}
		opt.ExpectFiles, opt.ExpectBytes = e.Expect.Files, e.Expect.Bytes
		opt.Tolerate = func(f tree.Fault) bool { return e.Tolerates(faultName(f.Code), f.Path) }
	}
	return opt, e, nil
}

// check refuses flags that cannot be meant, and returns the mode.
func (o backupOptions) check() (tree.Mode, error) {
	for _, tag := range o.tags {
		if tag == "" || !utf8.ValidString(tag) || strings.ContainsFunc(tag, func(r rune) bool { return r == ',' || !unicode.IsPrint(r) }) {
			return 0, usagef("tag %q: printable text without commas", tag)
		}
	}
	return parseMode(first(o.mode, modeName(tree.Incremental)))
}

func parseMode(s string) (tree.Mode, error) {
	for _, m := range []tree.Mode{tree.Incremental, tree.Differential, tree.Full} {
		if s == modeName(m) {
			return m, nil
		}
	}
	return 0, usagef("--mode %q: incremental, differential or full", s)
}

// userName returns who runs this.
func userName() string {
	u, err := user.Current()
	if err != nil || !utf8.ValidString(u.Username) {
		return strconv.Itoa(os.Getuid())
	}
	return u.Username
}

// outcome says what there is of a backup that did not finish: the last interrupted snapshot that it published, or nil, and what was stored.
func outcome(kept *repo.Snapshot) (made, goesOn string) {
	if kept != nil {
		return "What was finished is kept as the interrupted snapshot " + kept.Short() + "; earlier ones are safe.", "The same command goes on from there."
	}
	return "No snapshot was made; earlier ones are safe.",
		"What was stored is used by the next run as far as it was indexed (every minute, or 64 packs): the same command goes on from there."
}

// backupError says what is safe after a backup that failed. kept is the last interrupted snapshot that it published, or nil.
func (a *app) backupError(err error, res *backup.Result, kept *repo.Snapshot) error {
	made, goesOn := outcome(kept)
	switch {
	case res != nil && isFull(err):
		return hinted(err, "%s", sentences("The snapshot is safe.", a.storageAdvice(err)))
	case res != nil:
		return hinted(err, "The snapshot is safe. The next backup goes on as usual.")
	case unsure(err):
		return hinted(err, "%s", sentences("Whether the snapshot was made is not known: its last request went without an answer, and `store snapshots` says. "+
			"It is whole if it is there, and earlier ones are safe. The same command can be run again.", a.storageAdvice(err)))
	case exitCode(err) == exitInterrupted:
		return hinted(err, "%s %s", made, goesOn)
	case errors.Is(err, repo.ErrCorrupt) && kept != nil:
		return hinted(err, "%s Copy the repository as it is before anything is tried on it.", made)
	case errors.Is(err, repo.ErrHeld), errors.Is(err, repo.ErrCorrupt), errors.Is(err, repo.ErrNewer):
		return err
	case errors.Is(err, s3.ErrBucketGone):
		return hinted(err, "No snapshot was made. %s", a.storageAdvice(err))
	case errors.Is(err, repo.ErrReadOnly):
		return hinted(err, "Nothing was written; earlier snapshots are safe.")
	}
	if isFull(err) {
		return hinted(err, "%s", sentences(made, first(a.storageAdvice(err), "A disk is full: make room where the message says, then run the same command again."), goesOn))
	}
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EROFS) {
		return hinted(err, "%s Whoever backs up must be able to write the repository and own its folders: see its owner and mode.", made)
	}
	return hinted(err, "%s", sentences(made, goesOn, a.storageAdvice(err)))
}

// unsure reports whether a backup ended in the request that publishes its snapshot, or in the look for it that follows, without
// an answer that says no.
func unsure(err error) bool {
	var op *storage.OpError
	if !errors.As(err, &op) || !strings.HasPrefix(op.Name, "snapshots/") || op.Op != "put" && op.Op != "stat" {
		return false
	}
	for _, no := range []error{storage.ErrDenied, storage.ErrExists, s3.ErrSkewed, s3.ErrBucketGone, syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, no) {
			return false
		}
	}
	return true
}
