package main

import (
	"encoding/xml"
	"fmt"
	"strings"

	"savepoint/verify/health"
)

// The elements of a JUnit report, with every attribute and child that the stricter of its schemas want.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	ID         int         `xml:"id,attr"`
	Package    string      `xml:"package,attr"`
	Name       string      `xml:"name,attr"`
	Hostname   string      `xml:"hostname,attr"`
	Timestamp  string      `xml:"timestamp,attr"`
	Tests      int         `xml:"tests,attr"`
	Failures   int         `xml:"failures,attr"`
	Errors     int         `xml:"errors,attr"`
	Skipped    int         `xml:"skipped,attr"`
	Time       string      `xml:"time,attr"`
	Properties struct{}    `xml:"properties"`
	Cases      []junitCase `xml:"testcase"`
	Out        string      `xml:"system-out"`
	Err        string      `xml:"system-err"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Skipped *junitSkipped `xml:"skipped"`
	Failure *junitFailure `xml:"failure"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// junitReport returns a status as a JUnit report: a suite for the repository, then one for each source.
func junitReport(s *health.Status) ([]byte, error) {
	doc := junitSuites{}
	for i, suite := range s.Suites() {
		doc.Suites = append(doc.Suites, junitSuiteOf(i, s, suite))
	}
	b, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode JUnit report: %w", err)
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}

func junitSuiteOf(id int, s *health.Status, suite health.Suite) junitSuite {
	out := junitSuite{
		ID: id, Package: "savepoint", Name: "repository", Hostname: "localhost", Timestamp: s.LookedAt.UTC().Format("2006-01-02T15:04:05"),
		Tests: len(suite.Tests), Failures: suite.Failed(), Skipped: suite.Skipped(), Time: "0",
	}
	if x := suite.Source; x != nil {
		out.Name, out.Hostname = printable(x.Name()), token(x.Host)
	}
	for _, t := range suite.Tests {
		c := junitCase{Class: out.Name, Name: t.Name, Time: "0"}
		switch t.Outcome {
		case health.Skipped:
			c.Skipped = &junitSkipped{t.Message}
		case health.Failed:
			c.Failure = &junitFailure{Message: printable(t.Message), Type: string(t.State), Text: warningText(t.Warnings)}
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

// warningText returns what is the matter and what to do, a line each.
func warningText(warnings []health.Warning) string {
	var b strings.Builder
	for _, w := range warnings {
		fmt.Fprintf(&b, "%s: %s\n", strings.TrimRight(printable(w.Message), "."), w.Next)
	}
	return b.String()
}

// token returns a name that is not empty and has no space at an end, as a schema wants a host's.
func token(s string) string {
	return first(strings.Join(strings.Fields(printable(s)), " "), "localhost")
}
