package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

// probeFolder is where a probe puts its objects, and leaves those that it may not delete.
const probeFolder = "probe"

// mostOffset is how far the storage's clock may be from this host's before a word is said of it.
const mostOffset = time.Minute

const probeHelp = "A bucket is probed first, and init says what holds. Without conditional create, ranges and listings that show what was\n" +
	"put, a repository would not be safe there, and none is made. A storage clock that is more than a minute from this host's is\n" +
	"a warning: windows and --at go by the storage's. Without versioning and object lock, whoever may put can overwrite what\n" +
	"is there: init says so. docs/guide/minio.md says what to do about each finding."

// probeDocument is what a bucket's probe found out, under --json.
type probeDocument struct {
	ConditionalCreate findingDocument `json:"conditional_create"`
	Ranges            findingDocument `json:"ranges"`
	Listing           findingDocument `json:"listing"`
	FineTimes         findingDocument `json:"fine_times"`
	Versioning        findingDocument `json:"versioning"`
	ObjectLock        findingDocument `json:"object_lock"`
	Delete            findingDocument `json:"delete"`
	ClockOffset       float64         `json:"clock_offset_seconds"`
	ClockError        float64         `json:"clock_error_seconds"`
	Left              []string        `json:"left"`
}

type findingDocument struct {
	Answer string `json:"answer"`
	Why    string `json:"why,omitempty"`
}

// probe finds out what the bucket does. What a repository cannot do without is an error.
func (a *app) probe(ctx context.Context) (*probeDocument, error) {
	f, err := a.bucket.Probe(ctx)
	if err != nil {
		return nil, fmt.Errorf("probe %s: %w", a.place, err)
	}
	return documentOfProbe(f), a.judgeProbe(f)
}

// judgeProbe returns what a repository cannot do without, and warns of what it can do badly with.
func (a *app) judgeProbe(f s3.Findings) error {
	for _, need := range []struct {
		finding s3.Finding
		what    string
	}{
		{f.ConditionalCreate, "does not create an object only if there is none (If-None-Match)"},
		{f.Ranges, "does not give a part of an object"},
		{f.Listing, "does not list what was just put or deleted as it is"},
	} {
		if need.finding.Answer != s3.Yes {
			return hinted(fmt.Errorf("the storage at %s %s: %s", a.endpoints(), need.what, first(need.finding.Why, "it cannot be found out")),
				"No repository was made: it would not be safe there. Use a newer version of the server, another one, or a folder.")
		}
	}
	if f.ClockOffset.Abs()-f.ClockError > mostOffset {
		a.warnf("the storage's clock is %s this host's. Windows of snapshots and --at go by the storage's clock: set both by NTP", offsetText(f.ClockOffset))
	}
	return nil
}

func documentOfProbe(f s3.Findings) *probeDocument {
	doc := func(x s3.Finding) findingDocument { return findingDocument{x.Answer.String(), x.Why} }
	return &probeDocument{
		ConditionalCreate: doc(f.ConditionalCreate), Ranges: doc(f.Ranges), Listing: doc(f.Listing), FineTimes: doc(f.FineTimes),
		Versioning: doc(f.Versioning), ObjectLock: doc(f.ObjectLock), Delete: doc(f.Delete),
		ClockOffset: f.ClockOffset.Round(time.Millisecond).Seconds(), ClockError: f.ClockError.Round(time.Millisecond).Seconds(),
		Left: append([]string{}, f.Left...),
	}
}

// lines says what was found out, "" of a folder.
func (p *probeDocument) lines() string {
	if p == nil {
		return ""
	}
	var b strings.Builder
	line := func(label, text string) { fmt.Fprintf(&b, "  %-20s%s\n", label, text) }
	answer := func(label string, f findingDocument) {
		switch {
		case strings.HasPrefix(f.Why, storage.ErrDenied.Error()):
			line(label, f.Answer+" (these credentials may not ask)")
		case f.Why != "":
			line(label, f.Answer+" ("+f.Why+")")
		default:
			line(label, f.Answer)
		}
	}
	b.WriteString("The storage:\n")
	answer("conditional create", p.ConditionalCreate)
	answer("ranges", p.Ranges)
	answer("consistent listing", p.Listing)
	line("clock", offsetText(seconds(p.ClockOffset))+" this host's")
	answer("versioning", p.Versioning)
	answer("object lock", p.ObjectLock)
	answer("may delete", p.Delete)
	if len(p.Left) > 0 {
		line("left of the probe", strings.Join(p.Left, ", "))
	}
	if p.Versioning.Answer != "yes" && p.ObjectLock.Answer != "yes" {
		b.WriteString("Credentials that may put can overwrite what is there: neither versioning nor object lock is known to be on.\n")
	}
	return b.String()
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// offsetText says how far a clock is from this host's.
func offsetText(d time.Duration) string {
	switch {
	case d.Abs() < time.Second:
		return "within a second of"
	case d > 0:
		return durationText(d) + " ahead of"
	}
	return durationText(-d) + " behind"
}
