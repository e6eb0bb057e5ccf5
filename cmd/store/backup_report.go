package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"savepoint/internal/policy"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/tree"
	"savepoint/verify"
)

// reportBackup prints what a backup did, and its faults always. e is the dataset's policy, or nil.
func (a *app) reportBackup(res *backup.Result, e *policy.Effective, failed error) error {
	noted := a.noteBackup(res, e)
	a.noteUsage(verify.UsageOf(a.usage))
	if a.g.json {
		return a.printJSON(a.backupDocumentOf(res, noted, failed))
	}
	a.sayBackup(res)
	return nil
}

// noteBackup warns of what is not as it should be, and has it decide the exit code. It returns what of the repository was met damaged.
func (a *app) noteBackup(res *backup.Result, e *policy.Effective) []string {
	if len(res.Damaged) > 0 {
		a.found = worst(a.found, exitDamage)
		a.warnf("damaged in the repository, and marked so: %s\nThis snapshot does not need it; older ones may.", strings.Join(res.Damaged, ", "))
	}
	noted := a.noteDamage()
	if more := slices.DeleteFunc(slices.Clone(noted), func(name string) bool { return slices.Contains(res.Damaged, name) }); len(more) > 0 {
		a.warnf("damaged in the repository: %s\nThis snapshot does not need it. What it costs: %s", strings.Join(more, ", "), a.runnable("verify"))
	}
	if res.Faulty() {
		a.found = worst(a.found, exitFaults)
		a.warnFaults(res, e)
	}
	return noted
}

// restoreCommand restores a snapshot.
func (a *app) restoreCommandOf(s *repo.Snapshot) string {
	return a.commandLine(append(append([]string{"restore"}, a.again()...), s.Short())...)
}

// backupDocumentOf returns the document of a backup after noteBackup.
func (a *app) backupDocumentOf(res *backup.Result, noted []string, failed error) backupDocument {
	s := res.Snapshot
	doc := backupDocument{
		Snapshot: documentOf(s), ExitCode: worst(a.found, exitCode(failed)), Faults: faultDocuments(s.Faults), Tolerated: res.Tolerated, Stats: statsOf(res),
		Storage: a.storageTotals(), Usage: verify.UsageOf(a.usage), Restore: a.restoreCommandOf(s), Run: a.runID, Damaged: append(append([]string{}, res.Damaged...), noted...),
	}
	if res.Parent != nil {
		doc.Parent = res.Parent.ID()
	}
	return doc
}

// sayBackup says what a backup did to whoever wants to know.
func (a *app) sayBackup(res *backup.Result) {
	s := res.Snapshot
	st := s.Stats
	from := "first snapshot of this source"
	if res.Parent != nil {
		from = modeName(s.Mode) + " to " + res.Parent.Short()
		if res.Parent.Completeness == tree.Interrupted {
			from = "goes on from the interrupted " + res.Parent.Short()
		}
	}
	if s.Mode == tree.Full {
		from = "full"
	}
	a.infof("snapshot %s of %s: %s (%s)\n"+
		"  %s in %s, %s: %s\n"+
		"  read %s, new %s, stored as %s, in %s\n"+
		"restore it with:\n%s",
		s.Short(), printable(s.Source()), stateOf(s), from,
		plural(st.Files, "file", "files"), plural(st.Directories, "folder", "folders"), sizeText(st.FileBytes),
		changesText(res),
		sizeText(st.ReadBytes), sizeText(st.NewBytes), sizeText(st.NewPackBytes+st.NewTreePack), durationText(res.Duration), a.restoreCommandOf(s))
	if res.Tolerated > 0 && s.Completeness == tree.Complete {
		a.infof("the policy tolerates %s:%s", plural(res.Tolerated, "fault", "faults"), faultList(s))
	}
}

// changesText counts the files of a snapshot by what became of them since the one before.
func changesText(res *backup.Result) string {
	st := res.Snapshot.Stats
	if res.Snapshot.Mode == tree.Full {
		return "all of them read"
	}
	text := fmt.Sprintf("%s new or changed, %s unchanged", humanize.Comma(int64(st.ChangedFiles-min(res.Same, st.ChangedFiles))), humanize.Comma(int64(st.UnchangedFiles)))
	if res.Same > 0 {
		text += fmt.Sprintf(", %s read and found the same", humanize.Comma(int64(res.Same)))
	}
	return text
}

// warnFaults says why a backup exits with 3.
func (a *app) warnFaults(res *backup.Result, e *policy.Effective) {
	s := res.Snapshot
	if s.FaultCount > res.Tolerated {
		some := ""
		if res.Tolerated > 0 {
			some = fmt.Sprintf(", %d of them tolerated", res.Tolerated)
		}
		a.warnf("snapshot %s lacks %s of the source, or has it torn%s; all else is safe:%s", s.Short(), plural(s.FaultCount, "entry", "entries"), some, faultList(s))
	}
	switch short := a.shortOf(s, e); {
	case short != "":
		a.warnf("snapshot %s %s: it is kept as suspect.\n"+
			"Check that everything is mounted. If the source is as it should be, the configuration expects too much", s.Short(), short)
	case s.Suspect:
		a.warnf("snapshot %s has less than half of what the source had before: it is kept as suspect.\n"+
			"Check that everything is mounted. If the source is as it should be: %s", s.Short(), a.backupAgain(s, "--allow-shrink"))
	}
	if n := s.Stats.RereadDifferent; n > 0 {
		a.warnf("%s had other bytes although size and times were unchanged; they were stored again.\n"+
			"Something writes without changing times, or the disk or memory fails: a backup with --mode full reads everything", plural(n, "file", "files"))
	}
}

// backupAgain returns the command that backs up the source of a snapshot once more.
func (a *app) backupAgain(s *repo.Snapshot, more ...string) string {
	words := append([]string{"backup"}, a.again()...)
	if here, err := a.hostname(""); err != nil || here != s.Host {
		words = append(words, "--host", s.Host)
	}
	words = append(words, more...)
	var paths []string
	for _, r := range s.Roots {
		paths = append(paths, r.Path)
	}
	if _, configured := a.config.Datasets[s.Dataset]; configured {
		paths = nil
	}
	if len(paths) != 1 || paths[0] != s.Dataset {
		words = append(words, "--dataset", s.Dataset)
	}
	return a.commandLine(append(words, paths...)...)
}

func statsOf(res *backup.Result) backupStats {
	st := res.Snapshot.Stats
	return backupStats{
		Changed: st.ChangedFiles, Unchanged: st.UnchangedFiles, Same: res.Same, ReadBytes: st.ReadBytes, NewChunks: st.NewChunks, NewBytes: st.NewBytes,
		StoredBytes: st.NewPackBytes + st.NewTreePack, RereadFiles: st.RereadFiles, RereadDifferent: st.RereadDifferent,
		Seconds: res.Duration.Round(time.Millisecond).Seconds(),
	}
}

// shortOf says what a snapshot has less of than its dataset's policy expects; "" when it has enough.
func (a *app) shortOf(s *repo.Snapshot, e *policy.Effective) string {
	if e == nil {
		return ""
	}
	var has, wants []string
	if s.Stats.Files < e.Expect.Files {
		has, wants = append(has, plural(s.Stats.Files, "file", "files")), append(wants, plural(e.Expect.Files, "file", "files")+" ("+a.originText(e, "expect.files")+")")
	}
	if s.Stats.FileBytes < e.Expect.Bytes {
		has, wants = append(has, sizeText(s.Stats.FileBytes)), append(wants, sizeText(e.Expect.Bytes)+" ("+a.originText(e, "expect.bytes")+")")
	}
	if has == nil {
		return ""
	}
	return fmt.Sprintf("has %s, where at least %s are expected", strings.Join(has, " and "), strings.Join(wants, " and "))
}
