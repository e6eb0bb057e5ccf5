package health_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/repo/pack"
	"savepoint/repo/record"
	"savepoint/verify"
	"savepoint/verify/health"
)

// TestVerifications tells damage that was healed from damage that was not.
func TestVerifications(t *testing.T) {
	const structure, data = "structure", "data"
	loss := []verify.Finding{{Code: "pack-missing", Message: "a pack is gone.", Harm: verify.Loss, Next: "store backup /srv"}}
	bytes := []verify.Finding{{Code: "pack-damaged", Message: "a pack is damaged.", Harm: verify.Loss, Next: "store backup /srv"}}
	note := []verify.Finding{{Code: "orphan", Harm: verify.Note}}
	run := func(level string, exit int, f []verify.Finding, marked ...string) verify.CheckDocument {
		return verify.CheckDocument{Level: level, ExitCode: exit, Findings: f, FindingCnt: uint64(len(f)), Marked: marked}
	}
	partly := func(d verify.CheckDocument) verify.CheckDocument { d.NotMarked = "the store is read-only"; return d }
	of := func(shard string, d verify.CheckDocument) verify.CheckDocument { // a shard, or one snapshot
		d.ReadBack.Never = 1
		d.Scope = &verify.Scope{Shard: shard}
		if shard == "" {
			d.Scope.IDs = []string{"1a2b3c4d"}
		}
		return d
	}
	some := func(d verify.CheckDocument) verify.CheckDocument { d.ReadBack.Never = 3; return d }
	for name, c := range map[string]struct {
		runs              []verify.CheckDocument
		exit              int
		structure, byData string // last whole
	}{
		"never":                         {nil, 0, "", ""},
		"whole":                         {[]verify.CheckDocument{run(structure, 0, note)}, 0, "13:00", ""},
		"read back":                     {[]verify.CheckDocument{run(data, 0, nil)}, 0, "13:00", "13:00"},
		"damage":                        {[]verify.CheckDocument{run(structure, 0, nil), run(structure, 4, loss)}, 4, "13:00", ""},
		"harm beyond the list":          {[]verify.CheckDocument{run(structure, 4, note)}, 4, "", ""},
		"healed":                        {[]verify.CheckDocument{run(structure, 4, loss), run(structure, 0, note)}, 0, "14:00", ""},
		"interrupted after damage":      {[]verify.CheckDocument{run(structure, 130, loss)}, 4, "", ""},
		"not looked since":              {[]verify.CheckDocument{run(structure, 4, loss), run(structure, 1, nil)}, 4, "", ""},
		"a structure sees no bytes":     {[]verify.CheckDocument{run(data, 4, bytes), run(structure, 0, nil)}, 4, "14:00", ""},
		"but it sees marks":             {[]verify.CheckDocument{run(data, 4, bytes, "data/00/aa"), run(structure, 0, nil)}, 0, "14:00", ""},
		"but not all of them":           {[]verify.CheckDocument{partly(run(data, 4, bytes, "data/00/aa")), run(structure, 0, nil)}, 4, "14:00", ""},
		"what is missing, too":          {[]verify.CheckDocument{run(data, 4, loss), run(structure, 0, nil)}, 0, "14:00", ""},
		"reading back heals everything": {[]verify.CheckDocument{run(data, 4, bytes), run(data, 0, nil)}, 0, "14:00", "14:00"},
		"but not reading other packs":   {[]verify.CheckDocument{run(data, 4, bytes), some(run(data, 0, nil))}, 4, "14:00", "14:00"},
		"a part is not everything":      {[]verify.CheckDocument{of("", run(structure, 0, nil)), of("1/2", run(data, 0, nil))}, 0, "", ""},
		"all shards are":                {[]verify.CheckDocument{of("1/2", run(data, 0, nil)), of("2/2", run(data, 0, nil))}, 0, "13:00", "13:00"},
		"but not of two divisions":      {[]verify.CheckDocument{of("1/2", run(data, 0, nil)), of("2/3", run(data, 0, nil)), of("3/3", run(data, 0, nil))}, 0, "", ""},
		"nor one of them twice":         {[]verify.CheckDocument{of("1/2", run(data, 0, nil)), of("1/2", run(data, 0, nil))}, 0, "", ""},
		"nor one that was not whole":    {[]verify.CheckDocument{of("1/2", run(structure, 0, nil)), of("1/2", run(structure, 1, nil)), of("2/2", run(structure, 0, nil))}, 0, "", ""},
		"data needs all of them":        {[]verify.CheckDocument{of("1/2", run(data, 0, nil)), of("2/2", run(structure, 0, nil))}, 0, "13:00", ""},
		"a part finds damage":           {[]verify.CheckDocument{run(structure, 0, nil), of("", run(structure, 4, loss))}, 4, "13:00", ""},
		"which another does not heal":   {[]verify.CheckDocument{run(structure, 4, loss), of("", run(structure, 0, nil)), of("1/2", run(structure, 0, nil))}, 4, "", ""},
		"nor the same part":             {[]verify.CheckDocument{of("", run(structure, 4, loss)), of("", run(data, 0, nil))}, 4, "", ""},
		"nor shards from before":        {[]verify.CheckDocument{of("1/2", run(structure, 0, nil)), of("1/3", run(structure, 4, loss)), of("2/2", run(structure, 0, nil))}, 4, "13:00", ""},
		"but all shards after it":       {[]verify.CheckDocument{of("", run(structure, 4, loss)), of("1/2", run(structure, 0, nil)), of("2/2", run(structure, 0, nil))}, 0, "14:00", ""},
		"and a full run":                {[]verify.CheckDocument{of("", run(structure, 4, loss)), run(structure, 0, nil)}, 0, "14:00", ""},
		"nor other damage in between":   {[]verify.CheckDocument{run(data, 4, bytes), run(structure, 4, loss), run(structure, 0, nil)}, 4, "15:00", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i, d := range c.runs {
				w.at([]string{"13:00", "14:00", "15:00"}[i])
				w.check(d)
			}
			s := w.look(health.Options{})
			whole := func(l health.Level) string {
				if l.LastWhole == nil {
					return ""
				}
				return l.LastWhole.Format("15:04")
			}
			if got := whole(s.Verify.Structure); got != c.structure {
				t.Errorf("structure was last whole at %q, want %q", got, c.structure)
			}
			if got := whole(s.Verify.Data); got != c.byData {
				t.Errorf("data was last whole at %q, want %q", got, c.byData)
			}
			if s.ExitCode != c.exit || (s.Verify.Unhealed != nil) != (c.exit == 4) {
				t.Errorf("exit code %d, want %d; %+v", s.ExitCode, c.exit, s.Verify.Unhealed)
			}
			if c.exit == 4 && name != "harm beyond the list" && (s.Warnings[0].Next != "store backup /srv" || !strings.Contains(s.Warnings[0].Message, "a pack is ")) {
				t.Errorf("the worst warning is %+v", s.Warnings[0])
			}
		})
	}
}

// TestLedger counts the packs that were read back within the window, each once, and their bytes: these are what coverage is of.
func TestLedger(t *testing.T) {
	w := newWorld(t)
	read := func(ids ...byte) []record.ReadBack {
		var out []record.ReadBack
		for _, id := range ids {
			out = append(out, record.ReadBack{PackRef: record.PackRef{Kind: pack.Data, ID: pack.ID{id}}, Time: w.clock().UnixNano()})
		}
		return out
	}
	if v := w.look(health.Options{}).Verify; v.Coverage != nil || v.Never != nil || v.Oldest != nil {
		t.Errorf("before any run: %+v", v)
	}
	w.check(verify.CheckDocument{Level: "data", Structure: verify.Structure{Packs: 8}, ReadBack: verify.ReadBack{Never: 5}}, read(1, 2, 3)...)
	w.wait(20 * 24 * time.Hour)
	oldest := w.clock()
	w.check(verify.CheckDocument{Level: "data", Structure: verify.Structure{Packs: 8}, ReadBack: verify.ReadBack{Oldest: &oldest}}, read(3, 4)...)
	if v := w.look(health.Options{}).Verify; v.Coverage != nil {
		t.Errorf("no run has counted bytes: %v", *v.Coverage)
	}
	day := func(d int) time.Time { return w.clock().Truncate(24*time.Hour).AddDate(0, 0, -d) }
	counted := verify.ReadBack{Oldest: &oldest, PackBytes: 1000, Days: []verify.ReadDay{{At: day(0), Bytes: 100}, {At: day(20), Bytes: 600}, {At: day(31), Bytes: 300}}}
	w.check(verify.CheckDocument{Level: "structure", Structure: verify.Structure{Packs: 8}, ReadBack: counted})
	v := w.look(health.Options{}).Verify
	if v.ReadBack != 4 || *v.Coverage != 0.7 || *v.Never != 0 || !v.Oldest.Equal(oldest) {
		t.Errorf("%+v", v)
	}
	w.wait(11 * 24 * time.Hour)
	if v = w.look(health.Options{}).Verify; v.ReadBack != 2 || *v.Coverage != 0.1 {
		t.Errorf("after the window: %+v", v)
	}
}

// TestPart shows a run that looked at a part alone for what it was.
func TestPart(t *testing.T) {
	w := newWorld(t)
	w.check(verify.CheckDocument{Level: "data", ReadBack: verify.ReadBack{Never: 2}, Structure: verify.Structure{Packs: 8}, Scope: &verify.Scope{Dataset: "users", Host: "h", Shard: "1/4"}})
	s := w.look(health.Options{})
	v := s.Verify
	if v.Structure.Last != nil || v.Data.Last != nil || v.Part == nil || v.Part.Scope != "dataset users of host h, shard 1/4" || len(v.Part.Document) == 0 || v.Packs != 8 || *v.Never != 2 {
		t.Errorf("%+v", v)
	}
	says := func(s *health.Status, text string) bool {
		return slices.ContainsFunc(s.Warnings, func(w health.Warning) bool { return strings.Contains(w.Message, text) })
	}
	if !says(s, "only parts of the repository were verified, the last one at ") {
		t.Errorf("%+v", s.Warnings)
	}
	w.wait(time.Hour)
	w.check(verify.CheckDocument{Level: "structure"})
	w.wait(time.Hour)
	w.check(verify.CheckDocument{Level: "structure", ExitCode: 1, Scope: &verify.Scope{Shard: "2/4"}})
	s = w.look(health.Options{})
	if says(s, "only parts") || !says(s, "of shard 2/4 could not look at everything") || s.Verify.Structure.LastWhole == nil || s.Verify.Structure.Last.ExitCode != 0 {
		t.Errorf("%+v", s.Warnings)
	}
	w.wait(time.Hour)
	w.check(verify.CheckDocument{Level: "structure", Scope: &verify.Scope{}}) // of a later program: what it looked at is not known
	if s = w.look(health.Options{}); !s.Verify.Part.At.After(*s.Verify.Structure.LastWhole) {
		t.Errorf("%+v", s.Verify.Structure)
	}
}
