package check_test

import (
	"strings"
	"syscall"
	"testing"

	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/record"
	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/verify/check"
)

// TestWhatBackupsDo holds what findings say of backups: whether they go on, store everything again, or cannot begin.
func TestWhatBackupsDo(t *testing.T) {
	w := newWorld(t)
	mark := putMark(t, w.st, record.Mark{Kind: record.Tombstone, Objects: []string{"snapshots/00000000/x"}})
	condemned := condemn(t, w.st, "data/00/"+strings.Repeat("00", 32))
	report := func() string { verified(t, w.st, check.Options{}); return names(w.st, "reports/")[0] }()
	const goesOn, again, fails = "goes on", "stores again", "fails"
	for _, tt := range []struct {
		name, damaged, unread string
		says                  string // of damage
		saysUnread            string
	}{
		{mark, again, fails, "backups store everything again", "no backup can begin"},
		{condemned, again, fails, "backups store everything again", "no backup can begin"},
		{"config", fails, "", "nothing is written until config is whole", ""},
		{report, goesOn, goesOn, "", ""},
		{names(w.st, "leases/")[0], goesOn, goesOn, "nothing", "nothing"},
	} {
		w.game.cache = ""
		run := func(st storage.Store, inner *mem.Store) string {
			before := len(names(inner, "data/"))
			r, err := repo.Open(t.Context(), st, secret, repo.Options{Sealers: 2, Host: "checker"})
			if err == nil {
				_, err = backup.Run(t.Context(), r, backup.Options{Dataset: w.game.dataset, Host: w.game.host, Paths: []string{w.game.dir}})
			}
			switch {
			case err != nil:
				return fails
			case len(names(inner, "data/")) > before:
				return again
			}
			return goesOn
		}
		st := w.st.Clone()
		st.Replace(tt.name, flip(object(t, st, tt.name), 60))
		d := verified(t, st.Clone(), check.Options{})
		if got := run(st, st); got != tt.damaged || len(d.Findings) != 1 || !strings.Contains(d.Findings[0].Next, tt.says) {
			t.Errorf("%s damaged: a backup %s, want %s; %+v", tt.name, got, tt.damaged, d.Findings)
		}
		if tt.unread == "" {
			continue
		}
		st = w.st.Clone()
		broken := &failing{st, syscall.EIO, func(n string) bool { return n == tt.name }}
		d = verified(t, broken, check.Options{})
		if got := run(broken, st); got != tt.unread || len(d.Findings) != 1 || !strings.Contains(d.Findings[0].Message+d.Findings[0].Next, tt.saysUnread) {
			t.Errorf("%s unread: a backup %s, want %s; %+v", tt.name, got, tt.unread, d.Findings)
		}
	}
}
