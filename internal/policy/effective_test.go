package policy_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/policy"
)

const everything = `repository: s3://game-backups/prod?endpoint=minio.internal:9000
password_file: /etc/savepoint/password
timezone: Europe/Berlin
prices: {gb_month: 0.023, gb_out: 0.09, per_1000_requests: 0.005}
datasets:
  user-data:
    class: user
    hosts: [world-1, world-2]
    paths: [/srv/game/users]
    schedule: "0 * * * *"
    full: "0 0 * * *"
    objectives: {rpo: 2h, rto: 4h}
    keep: {hourly: 48, daily: 30, monthly: 12}
    expect: {files: 1000, bytes: 1GiB}
    tolerate: [vanished, "torn:/srv/game/users/*.log", /srv/game/users/tmp/**]
    drill:
      schedule: "30 3 * * *"
      probe: ["/usr/local/bin/check-users", "{target}"]
      timeout: 10m
      keys_from: /media/kit
      isolation: none
      scratch: /var/scratch
    recovery: {detect: 5m, decide: 10m, cutover: 0s}
  ledger:
    class: transactional
    paths: [/srv/game/ledger]
    objectives: {rpo: none}
    drill:
      probe:
        postgres:
          data: pg
          database: game
          sql:
            - {query: "SELECT sum(gold) FROM players", expect: 1000000, tolerance: 2.5%}
          canary: SELECT max(at) FROM heartbeat
          max_age: 1d
quota: 10 TiB
`

func load(t testing.TB, text string) *policy.File {
	t.Helper()
	f, err := policy.Load(write(t, text, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// origins returns what a dataset has, as "key: value (origin line)".
func origins(e *policy.Effective) []string {
	var out []string
	for _, v := range e.Values() {
		if v.Text == "" {
			continue
		}
		s := v.Key + ": " + v.Text + " (" + string(v.Origin.From)
		if v.Origin.Line > 0 {
			s += " " + itoa(v.Origin.Line)
		}
		out = append(out, s+")")
	}
	return out
}

func TestEffective(t *testing.T) {
	f := load(t, everything)
	want := map[string][]string{
		"user-data": {
			"class: user (file 7)", `hosts: ["world-1","world-2"] (file 8)`, `paths: ["/srv/game/users"] (file 9)`,
			"schedule: 0 * * * * (file 10)", "full: 0 0 * * * (file 11)", "objectives.rpo: 2h (file 12)", "objectives.rto: 4h (file 12)",
			"keep.hourly: 48 (file 13)", "keep.daily: 30 (file 13)", "keep.monthly: 12 (file 13)",
			"expect.files: 1000 (file 14)", "expect.bytes: 1GiB (file 14)",
			`tolerate: ["vanished","torn:/srv/game/users/*.log","/srv/game/users/tmp/**"] (file 15)`,
			"drill.schedule: 30 3 * * * (file 17)", `drill.probe: ["/usr/local/bin/check-users","{target}"] (file 18)`, "drill.timeout: 10m (file 19)",
			"drill.keys_from: /media/kit (file 20)", "drill.isolation: none (file 21)", "drill.scratch: /var/scratch (file 22)",
			"recovery.detect: 5m (file 23)", "recovery.decide: 10m (file 23)", "recovery.cutover: 0s (file 23)",
		},
		"ledger": {
			"class: transactional (file 25)", `paths: ["/srv/game/ledger"] (file 26)`, "objectives.rpo: none (file 27)", "objectives.rto: 4h (class)",
			"keep.hourly: 72 (class)", "keep.daily: 30 (class)", "keep.monthly: 12 (class)",
			`drill.probe: {"postgres":{"data":"pg","database":"game","sql":[{"query":"SELECT sum(gold) FROM players","expect":"1000000","tolerance":"2.5%"}],"canary":"SELECT max(at) FROM heartbeat","max_age":"1d"}} (file 29)`,
			"drill.timeout: 30m (default)", "drill.isolation: full (default)",
		},
	}
	for name, lines := range want {
		if diff := cmp.Diff(lines, origins(f.Datasets[name])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	e := f.Datasets["user-data"]
	if e.Objectives != (policy.Objectives{RPO: 2 * time.Hour, RTO: 4 * time.Hour}) || e.Expect != (policy.Expect{Files: 1000, Bytes: 1 << 30}) ||
		e.Keep != (policy.Keep{Hourly: 48, Daily: 30, Monthly: 12}) || e.Drill.Timeout != 10*time.Minute || e.Drill.Isolation != policy.None {
		t.Errorf("got %+v", e)
	}
	if total, known := e.Recovery.Total(); !known || total != 15*time.Minute {
		t.Errorf("the recovery takes %s, %t", total, known)
	}
	if _, known := f.Datasets["ledger"].Recovery.Total(); known {
		t.Error("a recovery of which nothing was said takes a known time")
	}
	if at := e.Drill.Schedule.Next(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)); at.Format(time.RFC3339) != "2026-07-01T03:30:00+02:00" {
		t.Errorf("the drill is at %s", at)
	}
	probe := f.Datasets["ledger"].Drill.Probe
	wantArgv := []string{"postgres", "--data=pg", "--database=game", "--sql=SELECT sum(gold) FROM players", "--expect=1000000", "--tolerance=2.5%",
		"--canary=SELECT max(at) FROM heartbeat", "--max-age=24h0m0s"}
	if diff := cmp.Diff(wantArgv, probe.Argv); diff != "" || probe.Builtin != "postgres" {
		t.Errorf("%s (-want +got):\n%s", probe.Builtin, diff)
	}
	for host, names := range map[string][]string{"world-1": {"ledger", "user-data"}, "world-3": {"ledger"}} {
		var got []string
		for _, e := range f.OfHost(host) {
			got = append(got, e.Name)
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s has %v, want %v", host, got, names)
		}
	}
}

// TestStored holds that what a snapshot carries is the policy, without what is no
// one else's, whether the file or a snapshot tells it.
func TestStored(t *testing.T) {
	f := load(t, everything)
	for name, e := range f.Datasets {
		b, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"scratch", "password", "minio", "repository"} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s carries %q: %s", name, secret, b)
			}
		}
		got, err := policy.Decode(name, b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := got.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s became %s, %v", b, again, err)
		}
		for key, o := range e.Origins {
			if key != "drill.scratch" && got.Origins[key].From != o.From {
				t.Errorf("%s: %s came from %s, and is said to come from %s", name, key, o.From, got.Origins[key].From)
			}
		}
		if got.Quota != 10<<40 || got.Objectives != e.Objectives || got.Schedule.String() != e.Schedule.String() || got.Timezone.String() != "Europe/Berlin" || *got.Prices != *e.Prices {
			t.Errorf("got %+v", got)
		}
	}
	// What the first programs stored, and what later ones may.
	for text, msg := range map[string]string{
		`{"class":"state","paths":["/srv/world"]}`:                                "",
		`{"class":"state","paths":["/srv/world"],"colour":"red","drill":{"x":1}}`: "",
		`{"class":"state"}`:                           "has no paths",
		`{"class":"new","paths":["/a"]}`:              "none of user",
		`{"class":"log","paths":["/a"],"schedule":1}`: "number",
		`[`: "unexpected end",
		`{"class":"log","paths":["/a"],"timezone":"Mars/Olympus"}`: "no time zone",
		"\xff": "UTF-8",
		`{"class":"log","paths":["/a"],"full":"` + strings.Repeat(" ", policy.MaxStored) + `"}`: "larger",
	} {
		e, err := policy.Decode("d", []byte(text))
		if (err == nil) != (msg == "") || err != nil && !strings.Contains(err.Error(), msg) {
			t.Errorf("%.60s: %+v, %v, want %q", text, e, err, msg)
		}
	}
}

func TestLoadRefusesValues(t *testing.T) {
	set := func(lines string) string { return "datasets:\n  a:\n    class: user\n    paths: [/a]\n" + lines }
	for _, tt := range []struct {
		name, text   string
		line, column int
		msg          string
	}{
		{"tag", set("    hosts: !x\n      y\n"), 5, 12, "tag !x"},
		{"zone", "timezone: Mars/Olympus\n", 1, 1, "no time zone"},
		{"zone of this host", "timezone: Local\n", 1, 1, "no time zone"},
		{"price", "prices:\n  gb_out: -1\n", 2, 3, `prices.gb_out "-1" is no price`},
		{"price that is none", "prices: {gb_month: nan}\n", 1, 10, "no price"},
		{"slip in a nested key", set("    drill:\n      isolaton: full\n"), 6, 7, `unknown key "isolaton"; did you mean "isolation"?`},
		{"slip in a probe", set("    drill:\n      probe: {sqlite: {mach: [a]}}\n"), 6, 24, `did you mean "match"?`},
		{"swapped letters", set("    shcedule: x\n"), 5, 5, `did you mean "schedule"?`},
		{"key of another place", set("    rpo: 1h\n"), 5, 5, `unknown key "rpo"; here there are class, drill, expect, full`},
		{"host", set("    hosts: [b, a b]\n"), 5, 16, "no name of a host"},
		{"host twice", set("    hosts: [b, b]\n"), 5, 16, "stands there already"},
		{"schedule", set("    schedule: 0 25 * * *\n"), 5, 5, `schedule "0 25 * * *"`},
		{"schedule without quotes", set("    schedule: * * * * *\n"), 5, 23, `a schedule stands between quotes`},
		{"steps without quotes", set("    drill: {schedule: */5 * * * *}\n"), 5, 27, `a schedule stands between quotes`},
		{"shorthand without quotes", set("    full: @daily\n"), 5, 11, `a schedule stands between quotes`},
		{"a list for one value", set("    drill: {probe: [x, [y]]}\n"), 5, 24, "here is a list, where one value belongs"},
		{"schedule that never is", set("    full: 0 0 31 2 *\n"), 5, 5, "no day is ever like that"},
		{"objective", set("    objectives: {rpo: soon}\n"), 5, 18, `objectives.rpo "soon" is no length of time`},
		{"objective of nothing", set("    objectives: {rto: 0s}\n"), 5, 18, "not more than nothing"},
		{"negative", set("    objectives: {rto: -1h}\n"), 5, 18, "no length of time"},
		{"keep", set("    keep: {daily: many}\n"), 5, 12, "no whole number"},
		{"keep nothing", set("    keep: {daily: 0}\n"), 5, 5, "keeps nothing"},
		{"expect", set("    expect: {bytes: lots}\n"), 5, 14, "no number of bytes"},
		{"expect files", set("    expect: {files: -1}\n"), 5, 14, "no whole number"},
		{"tolerate", set("    tolerate: [torn, lost]\n"), 5, 22, `"lost" is none of unreadable, torn`},
		{"tolerate a pattern", set("    tolerate: [\"torn:/a/[\"]\n"), 5, 16, "no pattern"},
		{"tolerate all", set("    tolerate: [/]\n"), 5, 16, "no absolute pattern"},
		{"tolerate too much", set("    tolerate: [/**/**/**/**/a]\n"), 5, 16, "too many"},
		{"isolation", set("    drill: {isolation: some}\n"), 5, 13, "neither full nor none"},
		{"relative kit", set("    drill: {keys_from: kit}\n"), 5, 13, "not absolute"},
		{"recovery", set("    recovery: {detect: 500d}\n"), 5, 16, "longer than a year"},
		{"quota without a unit", "\nquota: 10\n", 2, 1, "quota \"10\" has no unit"},
		{"quota of nothing", "quota: 0TB\n", 1, 1, "leaves no room"},
		{"quota of a word", "quota: lots\n", 1, 1, "is no number of bytes"},
		{"quota below zero", "quota: -1TB\n", 1, 1, "is no number of bytes"},
		{"quota beyond counting", "quota: 16EiB\n", 1, 1, "is no number of bytes"},
		{"quota of a list", "quota: [1TB]\n", 1, 8, "a list, where one value"},
		{"quota of a dataset", set("    quota: 1TB\n"), 5, 5, "unknown key \"quota\""},
		{"probe of text", set("    drill:\n      probe: check\n"), 6, 7, "a list of a program and its arguments"},
		{"two probes", set("    drill:\n      probe: {files: {match: [a]}, canary: {match: [b]}}\n"), 6, 7, "files and canary: one of them"},
		{"probe outside", set("    drill: {probe: {files: {match: [../a]}}}\n"), 5, 13, "within the restored folder"},
		{"probe in a folder", set("    drill: {probe: [./check]}\n"), 5, 13, "depends on the folder"},
		{"probe without answer", set("    drill: {probe: {postgres: {sql: [{query: x}]}}}\n"), 5, 13, "no expect"},
		{"secret in a probe", set("    drill: {probe: [/bin/x, --password=hunter2]}\n"), 5, 13, "argument 1 looks like a secret"},
		{"secret after its flag", set("    drill: {probe: [/bin/x, --token, hunter2]}\n"), 5, 13, "argument 2 looks like a secret"},
		{"secret in a URL", set("    drill: {probe: [/bin/x, \"postgres://u:hunter2@h/db\"]}\n"), 5, 13, "looks like a secret"},
		{"paths in each other", "datasets:\n  a:\n    class: log\n    paths: [/a/b, /a]\n", 4, 19, "lie in each other"},
		{"too large", set("    tolerate: [" + strings.Repeat("/abcdefghijklmnopqrstuvwxyz/abcdefghij/**, ", 500) + "torn]\n"), 2, 3, "at most 16384"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := policy.Load(write(t, tt.text, 0o600))
			var e *policy.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %+v, %v, want an *Error", f, err)
			}
			if e.Line != tt.line || e.Column != tt.column || !strings.Contains(e.Msg, tt.msg) {
				t.Errorf("got %v, want %d:%d and %q", err, tt.line, tt.column, tt.msg)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message has several lines, or a secret:\n%v", err)
			}
		})
	}
	for _, fine := range []string{
		set("    drill: {probe: [check, --password-file, /etc/x, \"{target}\"]}\n"), set("    drill: {probe: {sqlite: {match: [\"**/*.db\"], quick: true}}}\n"),
		set("    objectives: {rpo: 90m, rto: 1.5h}\n"), set("    expect: {files: 0, bytes: 1.5 MB}\n"), set("    drill: {probe: []}\n"), set("    drill:\n"),
		"datasets:\n  a:\n    class: log\n    paths: [/a]\n    objectives: &o {rpo: 1h}\n  b: {class: log, paths: [/b], objectives: *o}\n",
	} {
		if _, err := policy.Load(write(t, fine, 0o600)); err != nil {
			t.Errorf("%v in\n%s", err, fine)
		}
	}
}

func TestTolerates(t *testing.T) {
	f := load(t, "datasets:\n  a:\n    class: user\n    paths: [/a]\n    tolerate: [vanished, 'torn:/a/*.log', '/a/tmp/**', '/a/**/cache/*', 'unreadable:/a/[xy]']\n")
	e := f.Datasets["a"]
	for _, tt := range []struct {
		kind, path string
		want       bool
	}{
		{"vanished", "/a/anything", true}, {"vanished", "", true}, {"torn", "/a/x.log", true}, {"torn", "/a/b/x.log", false}, {"unreadable", "/a/x.log", false},
		{"torn", "/a/tmp/x/y", true}, {"torn", "/a/tmp", true}, {"torn", "/a/tmpx", false}, {"unreadable", "/a/b/c/cache/f", true}, {"unreadable", "/a/cache/f", true},
		{"unreadable", "/a/cache/f/g", false}, {"unreadable", "/a/x", true}, {"unreadable", "/a/z", false}, {"torn", "/a/x", false}, {"torn", "a/tmp/x", false},
	} {
		if got := e.Tolerates(tt.kind, tt.path); got != tt.want {
			t.Errorf("%s %s: %t", tt.kind, tt.path, got)
		}
	}
}

func TestWarnings(t *testing.T) {
	set := func(lines string) string { return "datasets:\n  a:\n    class: user\n    paths: [/a]\n" + lines }
	for _, tt := range []struct {
		name, text string
		want       []string // what each has in it, with its line
	}{
		{"none", set("    schedule: '*/30 * * * *'\n"), nil},
		{"nothing said", set(""), nil},
		{"daily against an hour", set("    schedule: '0 3 * * *'\n    objectives: {rpo: 1h}\n"), []string{"5 the RPO objective is 1h, and by the schedule \"0 3 * * *\" backups are up to 1d apart"}},
		{"hourly against an hour", set("    schedule: '0 * * * *'\n    objectives: {rpo: 1h}\n"), []string{"5 the RPO objective is 1h, and"}},
		{"against the class", set("    schedule: '0 9-17 * * 1-5'\n"), []string{"5 the RPO objective is 2h (default of class user), and by the schedule \"0 9-17 * * 1-5\" backups are up to 2d16h apart"}},
		{"no objective", set("    schedule: '0 3 * * *'\n    objectives: {rpo: none}\n"), nil},
		{"rare drills", set("    drill: {schedule: '0 0 1 1,7 *'}\n"), []string{"5 by the drill schedule \"0 0 1 1,7 *\" drills are up to 184d apart"}},
		{"monthly drills", set("    drill: {schedule: '0 0 1 * *'}\n"), nil},
		{"by line", "datasets:\n  b: {class: user, paths: [/b], drill: {isolation: none}}\n  a: {class: user, paths: [/a], drill: {isolation: none}, keep: {last: 3}}\n  0: {class: user, paths: [/c], drill: {isolation: none}}\n",
			[]string{"2 the probe", "3 the probe", "3 checked", "4 the probe"}},
		{"stray full", set("    schedule: '30 * * * *'\n    full: '0 0 * * *'\n"), []string{"6 by \"0 0 * * *\" a full backup is due at 2026-01-02 00:00 UTC"}},
		{"people too slow", set("    recovery: {detect: 2h, decide: 1h, cutover: 1h}\n"), []string{"5 the RTO objective is 4h (default of class user), and detect, decide and cutover take 4h"}},
		{"not isolated", set("    drill: {isolation: none}\n"), []string{"5 the probe is not isolated"}},
		{"slow probe", set("    drill: {probe: [x], timeout: 5h}\n"), []string{"5 the probe may take 5h"}},
		{"keep", set("    keep: {last: 3}\n"), []string{"5 checked, shown and kept with every snapshot, but nothing acts on it so far: keep (line 5)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, w := range load(t, tt.text).Warnings(newYear) {
				got = append(got, itoa(w.Line)+" "+w.Text)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got %q, want %q", got[i], want)
				}
			}
		})
	}
}

func TestSpanText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Minute: "1h30m", 84 * time.Hour: "3d12h", 7 * 24 * time.Hour: "7d", 1500 * time.Millisecond: "1.5s",
	} {
		if got := policy.SpanText(d); got != want {
			t.Errorf("%s: %s, want %s", time.Duration(d), got, want)
		}
	}
}

// TestDocumented holds docs/policy.md to the program: every key has a row, every
// default of a class is the one that holds, and its examples are without errors.
func TestDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	f := load(t, everything)
	keys := map[string]bool{}
	for _, v := range slices.Concat(f.Values(), f.Datasets["ledger"].Values()) {
		keys[v.Key] = true
	}
	for key := range keys {
		if !strings.Contains(text, "\n| `"+key+"` |") {
			t.Errorf("the key %s has no row", key)
		}
	}
	documented := map[string]map[string]string{}
	classes := []string{"user", "state", "transactional", "log"}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != len(classes)+1 || !strings.HasPrefix(line, "| `") {
			continue
		}
		key := strings.Trim(cells[0], " `")
		if !keys[key] {
			t.Errorf("there is no key %s", key)
		}
		for i, class := range classes {
			if documented[class] == nil {
				documented[class] = map[string]string{}
			}
			if value := strings.TrimSpace(cells[i+1]); value != "–" {
				documented[class][key] = value
			}
		}
	}
	for _, class := range classes {
		e := load(t, "datasets:\n  a: {class: "+class+", paths: [/a]}\n").Datasets["a"]
		got := map[string]string{}
		for _, v := range e.Values() {
			if v.Origin.From != policy.FromFile && v.Text != "" {
				got[v.Key] = v.Text
			}
		}
		if diff := cmp.Diff(documented[class], got); diff != "" {
			t.Errorf("defaults of %s (-documented +effective):\n%s", class, diff)
		}
	}
	examples := 0
	for part := range strings.SplitSeq(text, "```yaml\n") {
		example, _, closed := strings.Cut(part, "```")
		if !closed || strings.HasPrefix(part, "#") && examples == 0 && strings.HasPrefix(text, part) {
			continue
		}
		if strings.HasPrefix(text, part) {
			continue // what comes before the first
		}
		examples++
		if _, err := policy.Load(write(t, example, 0o600)); err != nil {
			t.Errorf("example %d: %v\n%s", examples, err, example)
		}
	}
	if examples < 2 {
		t.Errorf("%d examples", examples)
	}
}

// TestFileOfManyDatasets holds that loading does not take longer than it should.
func TestFileOfManyDatasets(t *testing.T) {
	var b strings.Builder
	b.WriteString("datasets:\n")
	names := map[string]bool{}
	for i := range 500 {
		name := "d" + itoa(i)
		names[name] = true
		b.WriteString("  " + name + ": {class: user, paths: [/" + name + "], schedule: '* * * * *', drill: {schedule: '0 0 29 2 *'}}\n")
	}
	f := load(t, b.String())
	if got := slices.Sorted(maps.Keys(f.Datasets)); len(got) != len(names) || len(f.Warnings(newYear)) != 500 {
		t.Errorf("%d datasets, %d warnings", len(got), len(f.Warnings(newYear)))
	}
	if name, _, ok := f.Dataset(filepath.Join("/", "d77")); !ok || name != "d77" {
		t.Errorf("got %q", name)
	}
}

// newYear is when these tests look at schedules from.
var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestWarningsOfNow: a full backup that is due when none runs is the next one, not one of the past; and a file without datasets is told of.
func TestWarningsOfNow(t *testing.T) {
	f := load(t, "datasets:\n  a:\n    paths: [/a]\n    class: state\n    schedule: '15 */2 * * *'\n    full: '@weekly'\n")
	now := time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)
	var said strings.Builder
	for _, w := range f.Warnings(now) {
		said.WriteString(w.Text + "\n")
	}
	if !strings.Contains(said.String(), `by "@weekly" a full backup is due at 2026-11-22 00:00 UTC`) {
		t.Error(said.String())
	}
	empty := load(t, "# nothing yet\n").Warnings(now)
	if len(empty) != 1 || empty[0].Text != "it names no dataset: backup --all and health have nothing to look at by it" {
		t.Errorf("%+v", empty)
	}
}
