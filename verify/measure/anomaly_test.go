package measure_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"savepoint/verify/measure"
)

// weeks returns a usual run for each of the weeks before noon, and one at noon that change makes unusual.
func weeks(n int, change func(*measure.Run)) []measure.Run {
	usual := measure.Run{Files: 10000, Changed: 200, Bytes: 40 << 30, Read: 800 << 20, New: 80 << 20, Stored: 24 << 20}
	var out []measure.Run
	for i := n; i >= 0; i-- {
		r := usual
		r.At = noon.AddDate(0, 0, -7*i)
		if i == 0 {
			change(&r)
		}
		out = append(out, r)
	}
	return out
}

func TestUnusual(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*measure.Run)
		want   []measure.Kind
		text   string
	}{
		"as ever":               {func(*measure.Run) {}, nil, ""},
		"twice as much changed": {func(r *measure.Run) { r.Changed = 400 }, nil, ""},
		"encrypted": {func(r *measure.Run) { r.Changed, r.Read, r.New, r.Stored = 9900, 40<<30, 40<<30, 40<<30 },
			[]measure.Kind{measure.ChangedRatio, measure.NewBytes, measure.DedupCollapse, measure.Entropy},
			"changed 99% of its files, usually 2% (the median of 5 runs on a Friday)"},
		"a full one": {func(r *measure.Run) { r.Changed, r.Read, r.Full = 10000, 40<<30, true }, nil, ""},
		"a deploy": {func(r *measure.Run) { r.New, r.Read, r.Stored = 400<<20, 4<<30, 120<<20 }, []measure.Kind{measure.NewBytes},
			"added 400 MiB, usually 80 MiB (the median of 5 runs on a Friday)"},
		"videos": {func(r *measure.Run) { r.Stored = 79 << 20 }, []measure.Kind{measure.Entropy},
			"stored what is new at 98.8% of its size, usually 30%: it compresses as little as encrypted data does (the median of 5 runs on a Friday)"},
		"nothing dedups": {func(r *measure.Run) { r.New, r.Stored = 600<<20, 180<<20 }, []measure.Kind{measure.NewBytes, measure.DedupCollapse}, ""},
		"nothing to say": {func(r *measure.Run) { r.Changed, r.Read, r.New, r.Stored = 0, 0, 0, 0 }, nil, ""},
	} {
		var kinds []measure.Kind
		var sentences []string
		for _, j := range measure.Unusual(weeks(5, tt.change), time.UTC) {
			if j.Unusual {
				kinds, sentences = append(kinds, j.Kind), append(sentences, j.Sentence)
			}
			if j.Unusual != (j.Sentence != "") || j.Unusual && (!j.Known || j.Runs != 5) {
				t.Errorf("%s: %+v", name, j)
			}
		}
		if len(kinds) != len(tt.want) || tt.text != "" && sentences[0] != tt.text {
			t.Errorf("%s: %v: %q", name, kinds, sentences)
			continue
		}
		for i := range kinds {
			if kinds[i] != tt.want[i] {
				t.Errorf("%s: %v", name, kinds)
			}
		}
	}
}

// judged returns what is said of one kind.
func judged(runs []measure.Run, k measure.Kind) measure.Judgement {
	for _, j := range measure.Unusual(runs, time.UTC) {
		if j.Kind == k {
			return j
		}
	}
	panic("no such kind")
}

func TestTooFewRuns(t *testing.T) {
	burning := func(r *measure.Run) { r.Changed = r.Files }
	for n, known := range []bool{false, false, false, true, true} {
		if j := judged(weeks(n, burning), measure.ChangedRatio); j.Known != known || j.Unusual != known {
			t.Errorf("with %d earlier runs: %+v", n, j)
		}
	}
	if got := measure.Unusual(nil, time.UTC); len(got) != len(measure.Kinds()) || got[0].Known {
		t.Errorf("without runs: %+v", got)
	}
	other := weeks(5, burning)
	for i := range other[:5] {
		other[i].At = other[i].At.Add(-23 * time.Hour)
	}
	if j := judged(other, measure.ChangedRatio); j.Known {
		t.Errorf("compared with Thursdays: %+v", j)
	}
	small := func(r *measure.Run) { r.New, r.Stored = 1000, 1000 }
	if j := judged(weeks(5, small), measure.Entropy); j.Known {
		t.Errorf("a few bytes tell nothing: %+v", j)
	}
}

// TestSameWeekday backs up every hour, in full on Fridays at noon, and changes much on Sundays.
func TestSameWeekday(t *testing.T) {
	var runs []measure.Run
	for at := noon.AddDate(0, 0, -35); !at.After(noon); at = at.Add(time.Hour) {
		r := measure.Run{At: at.Add(time.Duration(at.Day()) * time.Minute), Files: 1000, Changed: 10, Bytes: 1 << 30}
		if at.Weekday() == time.Friday && at.Hour() == 12 || at.Weekday() == time.Sunday {
			r.Changed = 900
		}
		runs = append(runs, r)
	}
	if j := judged(runs, measure.ChangedRatio); !j.Known || j.Unusual || j.Usual != 0.9 || j.Runs != 5 {
		t.Errorf("the full backup of a Friday is compared with those: %+v", j)
	}
	if j := judged(runs[:len(runs)-1], measure.ChangedRatio); j.Usual != 0.01 {
		t.Errorf("the run before it is compared with those before them: %+v", j)
	}
	runs[len(runs)-2].Changed = 900
	if j := judged(runs[:len(runs)-1], measure.ChangedRatio); !j.Unusual {
		t.Errorf("as much at eleven is unusual: %+v", j)
	}
}

func TestSizeCollapse(t *testing.T) {
	runs := func(sizes ...uint64) []measure.Run {
		var out []measure.Run
		for i, s := range sizes {
			out = append(out, measure.Run{At: noon.AddDate(0, 0, i), Bytes: s})
		}
		return out
	}
	for name, tt := range map[string]struct {
		runs           []measure.Run
		known, unusual bool
	}{
		"half":                      {runs(100, 100, 100, 50), true, false},
		"less than half":            {runs(100, 100, 100, 49), true, true},
		"nothing left":              {runs(100, 100, 100, 0), true, true},
		"once, three days ago":      {runs(100, 1, 100, 100, 90), true, false},
		"two runs say nothing":      {runs(100, 100, 1), false, false},
		"a week later it is usual":  {runs(100, 100, 100, 10, 10, 10, 10, 10), true, false},
		"what is older than a week": {append(runs(100, 100, 100), measure.Run{At: noon.AddDate(0, 0, 20)}), false, false},
	} {
		if j := judged(tt.runs, measure.SizeCollapse); j.Known != tt.known || j.Unusual != tt.unusual {
			t.Errorf("%s: %+v", name, j)
		}
	}
	j := judged(runs(100, 200, 300, 49), measure.SizeCollapse)
	if want := "has 49 B, usually 200 B (the median of 3 runs of the seven days before)"; j.Sentence != want {
		t.Errorf("%q, wanted %q", j.Sentence, want)
	}
}

// TestUnusualAnything holds that a sentence can be printed, whatever runs counted.
func TestUnusualAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 9))
		var runs []measure.Run
		at := noon
		for range rapid.IntRange(0, 40).Draw(t, "runs") {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(40*time.Hour)).Draw(t, "pause")))
			runs = append(runs, measure.Run{At: at, Files: number.Draw(t, "files"), Changed: number.Draw(t, "changed"), Bytes: number.Draw(t, "bytes"),
				Read: number.Draw(t, "read"), New: number.Draw(t, "new"), Stored: number.Draw(t, "stored")})
		}
		js := measure.Unusual(runs, time.UTC)
		if len(js) != len(measure.Kinds()) {
			t.Fatalf("%+v", js)
		}
		for _, j := range js {
			if strings.Contains(j.Sentence, "NaN") || strings.Contains(j.Sentence, "Inf") || !(j.Value >= 0 && j.Usual >= 0) || j.Unusual && !j.Known {
				t.Fatalf("%+v", j)
			}
		}
	})
}
