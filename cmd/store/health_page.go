package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"savepoint/verify/health"
)

//go:embed health.html
var pageText string

// pageWarnings is how many warnings stand at the top of the page; each stands with its source as well.
const pageWarnings = 50

// page is what the template shows. It has nothing that is not text: the template escapes it.
type page struct {
	Severity, Word, Summary      string
	LookedAt, Looked, Repository string
	Stale                        string
	Reload, More                 int
	Warnings                     []pageWarning
	Sources                      []pageSource
	Verify                       string
	Notices, Figures             []string
	Suites                       []pageSuite
}

type pageWarning struct{ Severity, Word, Message, Next string }

type pageSource struct {
	Name, Severity, State                          string
	Backup, Exposed, Size, Drill, Proven, RTO, RPO string
}

type pageSuite struct {
	Name, Severity, Word string
	Open                 bool
	Tests                []pageTest
}

type pageTest struct{ Name, Class, Word, Message string }

// pageOptions are of a page that is served: how often it loads itself again, and why it is not of now.
type pageOptions struct {
	reload time.Duration
	stale  string
}

// healthPage returns a status as one page of HTML that needs nothing else.
func (a *app) healthPage(s *health.Status, o pageOptions) ([]byte, error) {
	t, err := template.New("health").Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("read the template of the page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, a.pageOf(s, o)); err != nil {
		return nil, fmt.Errorf("write page: %w", err)
	}
	return b.Bytes(), nil
}

func (a *app) pageOf(s *health.Status, o pageOptions) page {
	severity := s.Severity()
	p := page{
		Severity: string(severity), Word: severityWord(severity), Summary: a.healthSummary(s), Verify: a.verifyLine(s), Notices: append(a.notices(s), a.trustLines(s)...), Figures: a.figureLines(s), Stale: o.stale,
		LookedAt: s.LookedAt.UTC().Format(time.RFC3339), Looked: a.timeText(s.LookedAt), Repository: printable(a.repoText()), Reload: int(o.reload.Seconds()),
	}
	for _, w := range s.Urgent()[:min(pageWarnings, len(s.Warnings))] {
		p.Warnings = append(p.Warnings, pageWarning{string(w.State.Severity()), severityWord(w.State.Severity()), printable(w.Message), w.Next})
	}
	p.More = len(s.Warnings) - len(p.Warnings)
	for _, x := range s.Sources {
		row := a.healthRow(s.LookedAt, x, printable(x.Name()))
		p.Sources = append(p.Sources, pageSource{Name: row[0], Severity: string(x.State.Severity()), State: printable(string(x.State)),
			Backup: row[1], Exposed: row[2], Size: row[3], Drill: row[4], Proven: row[5], RTO: row[6], RPO: row[7]})
	}
	for _, suite := range s.Suites() {
		p.Suites = append(p.Suites, pageSuiteOf(suite))
	}
	return p
}

func pageSuiteOf(suite health.Suite) pageSuite {
	out := pageSuite{Name: "repository", Open: suite.Failed() > 0}
	if suite.Source != nil {
		out.Name = printable(suite.Source.Name())
	}
	worst := health.OK
	for _, t := range suite.Tests {
		row := pageTest{Name: t.Name, Class: string(t.State.Severity()), Word: string(t.Outcome), Message: printable(t.Message)}
		switch {
		case t.Outcome == health.Skipped:
			row.Class = string(health.Skipped)
		case t.Outcome == health.Failed && worst != health.Critical:
			worst = t.State.Severity()
		}
		out.Tests = append(out.Tests, row)
	}
	out.Severity, out.Word = string(worst), severityWord(worst)
	return out
}

func severityWord(s health.Severity) string { return strings.ToUpper(string(s)) }
