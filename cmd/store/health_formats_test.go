package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"savepoint/verify"
	"savepoint/verify/health"
)

// hostile are names that may stand in a repository, and that one format or another takes for its own.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'`, `a|b=1`, `x' | 'y'=2;;;;`, "a\nb", "a\r\n| c=1", "\x1b[2Jgone", "nul\x00byte", "\ufffe\uffff",
	"]]>", "<!--", "-->", "&amp;&lt;", "{{.Repository}}", "\u202egnp.exe", "\u2028", "世界", `back\slash`, "tab\there", " ", "a  b", "javascript:alert(1)", "*/}", "</style>",
	"\u00a0", "e\u0301", strings.Repeat("long", 300), "$HOSTNAME$", "`id`", "%s%d", "\x7f", "\u0085",
}

// hostileHistory is a repository with a source of each name, in all states, damage among them.
func hostileHistory(t *testing.T) *history {
	h := newHistory(t)
	verdicts := []verify.Verdict{verify.Restored, verify.ObjectiveMissed, verify.CouldNotRun, "proved <b>\n\x1b twice | by=1"}
	for i, name := range hostile {
		s := h.backup(name, hostile[len(hostile)-1-i], 1<<(i%40), uint64(i%3/2))
		h.drill(s, verdicts[i%len(verdicts)], 4.25, 1800)
	}
	h.drill(h.backup("broken", "world-1", 1, 0), verify.Damage, 0, 0)
	h.now = h.now.Add(90 * time.Minute)
	return h
}

func (h *history) look() *health.Status {
	h.t.Helper()
	s, err := health.Look(h.t.Context(), h.repo, health.Options{Command: testApp().commandLine})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// testApp is a program whose output is thrown away.
func testApp() *app {
	a := newApp([]string{"store"}, nil, io.Discard, io.Discard, func(string) string { return "" })
	a.zone = time.UTC
	return a
}

// TestNagios parses what a check prints as Nagios does.
func TestNagios(t *testing.T) {
	s := hostileHistory(t).look()
	text := testApp().nagiosReport(s, nagiosCode(s))
	if len(text) > 8<<10 {
		t.Errorf("%d bytes, of which Nagios reads 8192", len(text))
	}
	if strings.Count(text, "|") != 1 || !utf8.ValidString(text) || strings.ContainsAny(text, "<>") {
		t.Errorf("pipes or tags that names brought:\n%s", text)
	}
	first, _, _ := strings.Cut(text, "\n")
	word, measures, _ := strings.Cut(first, " | ")
	if !strings.HasPrefix(word, "SAVEPOINT CRITICAL - DAMAGE; ") || utf8.RuneCountInString(word) > 230 {
		t.Errorf("it begins with %q", word)
	}
	for line := range strings.Lines(text) {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("a line has what no terminal should get: %q", line)
		}
	}
	checkMeasures(t, measures)
	if !strings.Contains(text, "\ncritical: broken@world-1 did not come back whole") {
		t.Errorf("the damage is not in:\n%s", text)
	}
}

// checkMeasures holds measures to the guidelines: 'label'=value[unit];[warn];[crit];[min], each label once.
func checkMeasures(t *testing.T, text string) {
	t.Helper()
	one := regexp.MustCompile(`^('(?:[^'=]|'')+'|[^'= ]+)=(?:(\d+(?:\.\d+)?)(s?)|U);;;0(?: |$)`)
	seen := map[string]bool{}
	for text != "" {
		m := one.FindStringSubmatch(text)
		if m == nil || seen[m[1]] {
			t.Fatalf("measures go wrong, or twice the same, at %q", text)
		}
		seen[m[1]] = true
		text = text[len(m[0]):]
	}
	for _, want := range []string{"sources", "attention", "damaged_packs", "exposed_most", "proven_age"} {
		if !seen[want] {
			t.Errorf("no measure %s in %v", want, seen)
		}
	}
}

// TestNagiosMeasures prints measures of each of few sources, under labels that are told apart and stay in one order.
func TestNagiosMeasures(t *testing.T) {
	h := newHistory(t)
	for _, name := range []string{"a|b", "a=b", "a'b", "plain", `q"q`} {
		h.drill(h.backup(name, "world-1", 1, 0), verify.Restored, 4.25, 1800)
	}
	h.now = h.now.Add(time.Hour + 300*time.Millisecond) // a first night has no more than that, and is never shown as nothing
	got := strings.Join(nagiosMeasures(h.look()), " ")
	checkMeasures(t, got)
	for _, want := range []string{`'exposed plain@world-1'=3600.3s;;;0`, `'rto plain@world-1'=4.25s;;;0`, "proven_age=3600.3s;;;0", "exposed_most=3600.3s;;;0"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if n := strings.Count(got, "'exposed "); n != 5 {
		t.Errorf("%d of 5 sources: %s", n, got)
	}
}

// TestNagiosNothingToRestore says which sources have no recovery point: how much of them is exposed has no number, and no other has more.
func TestNagiosNothingToRestore(t *testing.T) {
	h := newHistory(t)
	h.drill(h.backup("world", "vm", 1, 0), verify.Restored, 4.25, 1800)
	h.now = h.now.Add(time.Hour)
	o := health.Options{Command: testApp().commandLine}
	for _, name := range []string{"a|b", "c", "d", "e"} {
		o.Expected = append(o.Expected, health.Expected{Dataset: name, Host: "vm"})
	}
	s, err := health.Look(t.Context(), h.repo, o)
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(testApp().nagiosReport(s, nagiosCode(s)), "\n")
	word, measures, _ := strings.Cut(first, " | ")
	if want := "; nothing to restore of a¦b@vm, c@vm, d@vm and 1 more"; !strings.HasSuffix(word, want) {
		t.Errorf("%q does not end with %q", word, want)
	}
	checkMeasures(t, measures)
	for _, want := range []string{"exposed_most=U;;;0", "'exposed c@vm'=U;;;0", "'exposed world@vm'=3600s;;;0"} {
		if !strings.Contains(measures+" ", want+" ") {
			t.Errorf("no %s in %s", want, measures)
		}
	}
	if !strings.Contains(rest, "\ncritical: c@vm was never backed up; on vm: store backup") {
		t.Errorf("what to do is not in %s", rest)
	}
}

// TestNagiosCode gives each state its exit code.
func TestNagiosCode(t *testing.T) {
	of := func(state health.State) *health.Status {
		return &health.Status{Sources: []*health.Source{{Dataset: "world", Host: "a", State: state}}}
	}
	newer := of(health.NeverDrilled)
	newer.ExitCode = exitFailure
	damage := of(health.Good)
	damage.ExitCode = exitDamage
	warned := of(health.Good)
	warned.Warnings = []health.Warning{{State: health.DrillFailed}}
	for want, list := range map[int][]*health.Status{
		nagiosOK:       {of(health.Good)},
		nagiosWarning:  {of(health.Faulty), of(health.DrillFailed), of(health.NeverDrilled), warned},
		nagiosCritical: {of(health.Damaged), of(health.NeverBackedUp), of(health.NoPoint), of(health.Stopped), of(health.DrillMissed), of("a later state"), damage, {}},
		nagiosUnknown:  {newer},
	} {
		for _, s := range list {
			if got := nagiosCode(s); got != want {
				t.Errorf("%+v: %d, want %d", s, got, want)
			}
		}
	}
}

// TestJUnit reads a report back, as strictly as the schemas are.
func TestJUnit(t *testing.T) {
	s := hostileHistory(t).look()
	b, err := junitReport(s)
	if err != nil {
		t.Fatal(err)
	}
	var doc junitSuites
	d := xml.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Suites) != len(hostile)+2 || doc.Suites[0].Name != "repository" {
		t.Fatalf("%d suites, the first is %q", len(doc.Suites), doc.Suites[0].Name)
	}
	names := map[string]bool{}
	failed := map[string]string{}
	for i, suite := range doc.Suites {
		names[suite.Name] = true
		failures, skipped := 0, 0
		for _, c := range suite.Cases {
			if c.Failure != nil {
				failures++
				failed[suite.Name] += c.Name + "; "
				if c.Failure.Message == "" || c.Failure.Type == "" || c.Failure.Text == "" {
					t.Errorf("%s: %s failed, and not why", suite.Name, c.Name)
				}
			}
			if c.Skipped != nil {
				skipped++
			}
		}
		if suite.ID != i || suite.Tests != len(suite.Cases) || suite.Failures != failures || suite.Skipped != skipped || suite.Hostname == "" ||
			suite.Hostname != strings.TrimSpace(suite.Hostname) {
			t.Errorf("suite %d: %+v", i, suite)
		}
		if _, err := time.Parse("2006-01-02T15:04:05", suite.Timestamp); err != nil {
			t.Error(err)
		}
	}
	if len(names) != len(doc.Suites) {
		t.Errorf("%d names of %d suites", len(names), len(doc.Suites))
	}
	if got := failed["broken@world-1"]; got != "restorable; last drill came to a result; undamaged; " && got != "restorable; undamaged; " {
		t.Errorf("of what is broken, this failed: %q", got)
	}
}

// TestPage holds the page to being one: names are text in it whatever they are, and it asks nothing of anybody.
func TestPage(t *testing.T) {
	s := hostileHistory(t).look()
	b, err := testApp().healthPage(s, pageOptions{stale: "<i>old</i>"})
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, banned := range []string{"<script", "<img", "<i>", "<b>", "<link", "@import", "url(", "\x1b", "\x00", "\u202e", "<!-- ", "http-equiv=\"refresh\""} {
		if strings.Contains(text, banned) {
			t.Errorf("the page has %q", banned)
		}
	}
	checkElements(t, text)
	for _, want := range []string{"broken@world-1", "&lt;script&gt;alert(1)&lt;/script&gt;", "DAMAGE; ", `<span class="word critical">damage</span>`, `<span class="word warning">drill failed</span>`,
		`<span class="word ok">passed</span>`, "<title>CRITICAL", "These values are old: &lt;i&gt;old&lt;/i&gt;"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if n := strings.Count(text, `<tr><th scope="row"><bdi class="name">`); n != len(s.Sources) {
		t.Errorf("%d rows of %d sources", n, len(s.Sources))
	}
}

// checkElements holds that every element is closed where it should be, and has no attribute that names brought.
func checkElements(t *testing.T, text string) {
	t.Helper()
	void := []string{"meta", "!DOCTYPE"}
	attribute := regexp.MustCompile(`^(?: (?:lang|charset|name|content|class|scope|data-label|datetime)="[^"<>]*"| html| open)*$`)
	_, body, _ := strings.Cut(text, "</style>")
	head, _, _ := strings.Cut(text, "<style>")
	var open []string
	for _, m := range regexp.MustCompile(`<(/?)([!\w]+)([^<]*?)>`).FindAllStringSubmatch(head+body, -1) {
		switch {
		case m[1] == "" && !attribute.MatchString(m[3]):
			t.Errorf("attributes that should not be: %s", m[0])
		case slices.Contains(void, m[2]):
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			t.Fatalf("%s closes %v", m[0], open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
	if n, m := strings.Count(head+body, "<"), len(regexp.MustCompile(`<(/?)([!\w]+)([^<]*?)>`).FindAllString(head+body, -1)); n != m {
		t.Errorf("%d tags, %d times <", m, n)
	}
}

// TestPageWell shows that all is well in green and in a word.
func TestPageWell(t *testing.T) {
	h := newHistory(t)
	h.drill(h.backup("world", "world-1", 1<<20, 0), verify.Restored, 4.25, 1800)
	h.check(verify.CheckDocument{Level: "data", Structure: verify.Structure{Packs: 40}})
	s := h.look()
	b, err := testApp().healthPage(s, pageOptions{reload: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<header class="verdict ok">`, "<h1>OK</h1>", `<span class="word ok">ok</span>`, `content="60"`, "world@world-1 in 4.2s"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("no %q in\n%s", want, b)
		}
	}
	if bytes.Contains(b, []byte("What to do")) || nagiosCode(s) != nagiosOK {
		t.Errorf("it is not well: %+v", s.Warnings)
	}
	x, err := junitReport(s)
	if err != nil || bytes.Contains(x, []byte("<failure")) || bytes.Count(x, []byte("<skipped")) != 1 || !bytes.Contains(x, []byte(`<skipped message="its last drill had no probe">`)) {
		t.Errorf("%v\n%s", err, x)
	}
}

// TestUnknownIsNull holds that what is not known is null in the document, and not left out or 0.
func TestUnknownIsNull(t *testing.T) {
	b, err := json.Marshal(health.Status{Sources: []*health.Source{{Dataset: "world", Host: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"last_backup", "recovery_point", "last_success_at", "last_report", "last_drill", "last_proven", "last_measured", "restored_point_at",
		"drilled_point_at", "unhealed_damage", "coverage_ratio", "never_packs", "oldest_at", "last", "last_whole_at"} {
		if !bytes.Contains(b, fmt.Appendf(nil, "%q:null", name)) {
			t.Errorf("%s is not null in %s", name, b)
		}
	}
}

// TestNarrow keeps what is another host's out, and what is the repository's in.
func TestNarrow(t *testing.T) {
	s := &health.Status{
		Sources:  []*health.Source{{Dataset: "world", Host: "a"}, {Dataset: "world", Host: "b", State: health.Stopped}},
		Warnings: []health.Warning{{Dataset: "world", Host: "b"}, {Dataset: "world", Host: "a"}, {Message: "repository"}},
	}
	one := healthOptions{}.narrow(s, "a")
	if len(one.Sources) != 1 || one.Sources[0].Host != "a" || len(one.Warnings) != 2 || len(s.Sources) != 2 {
		t.Errorf("%+v", one)
	}
	if got := (healthOptions{host: "b"}).narrow(s, "a"); len(got.Sources) != 1 || got.Sources[0].Host != "b" {
		t.Errorf("%+v", got)
	}
	if got := (healthOptions{allHosts: true}).narrow(s, "a"); len(got.Sources) != 2 || len(got.Warnings) != 3 {
		t.Errorf("%+v", got)
	}
}

// TestListenAddress keeps to this host what names no other.
func TestListenAddress(t *testing.T) {
	for text, want := range map[string]string{
		"9310": "127.0.0.1:9310", ":9310": "127.0.0.1:9310", "0.0.0.0:9310": "0.0.0.0:9310", "[::]:0": "[::]:0", "localhost:http": "localhost:http",
		"": "", ":": "", "127.0.0.1": "", "127.0.0.1:": "", "a:b:c": "", "host:99999": "", "http://host:80": "", "nine": "",
	} {
		got, err := listenAddress(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}
