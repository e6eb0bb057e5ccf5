package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"savepoint/verify"
)

// cmdNextCommand has a shell run the first command of this program that a verification, which the script ran before, says to run next:
// nextcommand backup CODE. It takes it from the text or the JSON that was printed, whichever it was.
func cmdNextCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: nextcommand COMMAND CODE")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := ts.ReadFile("stdout")
	if text == "" || !strings.Contains(text, "next") {
		text = ts.Getenv("NEXT") // that of the time before
	}
	ts.Setenv("NEXT", text)
	var d verify.CheckDocument
	if json.Unmarshal([]byte(text), &d) == nil {
		text = ""
		for _, f := range d.Findings {
			text += "next: " + f.Next + "\n"
		}
	}
	found := regexp.MustCompile(`next: .*?((?:\S*/)?store ` + args[0] + ` [^;\n]*)`).FindStringSubmatch(text)
	if found == nil {
		ts.Fatalf("no command store %s in %q", args[0], text)
	}
	ts.Logf("%s", found[1])
	checkCode(ts, want, ts.Exec("sh", "-c", found[1]))
}

// TestVerifiedScreen prints what a verification found when ten thousand objects are damaged, in a repository of somebody hostile: it is
// about a screen, says how much there is, and has nothing that a terminal takes for a command.
func TestVerifiedScreen(t *testing.T) {
	const evil = "\x1b[2J\x07\u202eevil\u0085"
	d := &verify.CheckDocument{ExitCode: 4, Complete: true, HitCount: 5000, FilesHit: 1 << 62}
	for i := range verify.MaxListed {
		code := []verify.Code{"pack-missing", "pack-damaged", "index-damaged", "tree-damaged", "report-damaged"}[i%5]
		d.Findings = append(d.Findings, verify.Finding{Code: code, Object: fmt.Sprint("data/", i, evil), Message: "it is " + evil, Harm: verify.Loss, Snapshots: 3,
			Files: 1 << 62, Next: "on host" + evil + `: store backup '/a\b'`})
		h := verify.Hit{Snapshot: strings.Repeat("ab", 16), Dataset: "/srv" + evil, Host: evil, WindowEnd: time.Unix(1, 0), FileCount: 1 << 62}
		for range 100 {
			h.Paths = append(h.Paths, "/srv/"+strings.Repeat(evil, 100))
		}
		d.Hit = append(d.Hit, h)
		d.Marked = append(d.Marked, evil)
	}
	for _, code := range []verify.Code{"index-damaged", "pack-damaged", "pack-missing", "report-damaged", "tree-damaged"} {
		d.ByCode = append(d.ByCode, verify.Count{Code: code, Harm: verify.Loss, Count: 2000})
	}
	d.FindingCnt, d.NotMarked = 10_000, "because "+evil
	var out bytes.Buffer
	a := &app{out: &out, zone: time.UTC}
	if err := a.printVerified(d); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if n := strings.Count(text, "\n"); n > 60 || strings.ContainsAny(text, "\x1b\x07\u202e\u0085") {
		t.Errorf("%d lines:\n%q", n, text)
	}
	first, _, _ := strings.Cut(text, "\n")
	if first != "DAMAGED: 4,000 packs, 2,000 parts of the index, 4,000 other objects; 5,000 snapshots, 4,611,686,018,427,387,904 files hit" {
		t.Errorf("verdict %q", first)
	}
	for _, want := range []string{"and 1,999 more: loss pack-missing", "and 2,000 more: loss report-damaged", "and 4,996 more snapshots", `store backup '/a\b'`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

// TestVerdict says what a run came to in its first line.
func TestVerdict(t *testing.T) {
	const oneSnapshot = "1a2b3c4d5e6f1a2b3c4d5e6f1a2b3c4d"
	four := verify.Structure{Snapshots: 3, Packs: 4, PackBytes: 4096}
	loss := []verify.Count{{Code: "pack-damaged", Harm: verify.Loss, Count: 1}}
	risk := []verify.Count{{Code: "config-damaged", Harm: verify.Risk, Count: 1}}
	for want, d := range map[string]verify.CheckDocument{
		"structure is whole: 0 snapshots, 0 packs of 0 B":                                       {Complete: true},
		"structure is whole; no data was read: 3 snapshots, 4 packs of 4.0 KiB":                 {Complete: true, Structure: four, ReadBack: verify.ReadBack{Remaining: 4096}},
		"structure is whole: 3 snapshots, 4 packs of 4.0 KiB; 1 pack read back, the others not": {Complete: true, Level: "data", Structure: four, ReadBack: verify.ReadBack{Packs: 1, Remaining: 3072}},
		"whole: 3 snapshots, 4 packs of 4.0 KiB; 4 packs read back":                             {Complete: true, Level: "data", Structure: four, ReadBack: verify.ReadBack{Packs: 4}},
		"structure is whole: 3 snapshots, 4 packs of 4.0 KiB; 1 pack read back, the others not, as the budget of 30m was used up": {Complete: true, Level: "data", Structure: four,
			ReadBack: verify.ReadBack{Packs: 1, Remaining: 3072, Budget: &verify.Budget{Limit: "30m", UsedUp: true}}},
		"structure of snapshot 1a2b3c4d is whole; no data was read; the rest of the repository was not looked at: 1 snapshot, 2 packs of 2.0 KiB": {Complete: true, Structure: four,
			Scope: &verify.Scope{IDs: []string{oneSnapshot}, Snapshots: 1, Packs: 2, PackBytes: 2048, Remaining: 2048}},
		"structure of dataset users of host h is whole: 1 snapshot, 2 packs of 2.0 KiB; 2 packs read back; the rest of the repository was not looked at": {Complete: true, Level: "data",
			Structure: four, ReadBack: verify.ReadBack{Packs: 2, Remaining: 2048}, Scope: &verify.Scope{Dataset: "users", Host: "h", Snapshots: 1, Packs: 2, PackBytes: 2048}},
		"structure of shard 3/16 is whole; no data was read; the packs of the other shards were not looked at: 3 snapshots, 1 pack of 1.0 KiB": {Complete: true, Structure: four,
			Scope: &verify.Scope{Shard: "3/16", Snapshots: 3, Packs: 1, PackBytes: 1024, Remaining: 1024}},
		"DAMAGED: 1 pack; 1 snapshot, 2 files hit; no data was read; the rest of the repository was not looked at": {Complete: true, HitCount: 1, FilesHit: 2, ByCode: loss, Structure: four,
			Scope: &verify.Scope{IDs: []string{oneSnapshot}, Snapshots: 1, Packs: 2, Remaining: 1}},
		"AT RISK: 1 other object; none of these snapshots loses anything; the rest of the repository was not looked at": {Complete: true, ByCode: risk, Scope: &verify.Scope{Host: "h"}},
		"NOT KNOWN: 2 objects could not be looked at; what could be is whole":                                           {Complete: true, ByCode: []verify.Count{{Code: "unreadable", Harm: verify.Unknown, Count: 2}}},
		"AT RISK: 1 other object; no snapshot loses anything":                                                           {Complete: true, ByCode: risk},
		"DAMAGED: 1 pack; 1 snapshot, 2 files hit":                                                                      {Complete: true, HitCount: 1, FilesHit: 2, ByCode: loss},
		"DAMAGED: 1 pack; what that costs is not known in full; NOT EVERYTHING WAS LOOKED AT: interrupted":              {Stopped: "interrupted", ByCode: []verify.Count{{Code: "pack-damaged", Harm: verify.Risk, Count: 1}}},
		"NOT KNOWN: nothing that harms was found until it ended; 1 note; NOT EVERYTHING WAS LOOKED AT: no route":        {Stopped: "no route", ByCode: []verify.Count{{Code: "not-ours", Harm: verify.Note, Count: 1}}},
	} {
		if got := verdictOf(&d); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestLostPaths lists a path once, with all snapshots that lose it; that of another host is another.
func TestLostPaths(t *testing.T) {
	d := &verify.CheckDocument{ExitCode: 4, Complete: true, HitCount: 3}
	for i, host := range []string{"a", "a", "b"} {
		id := strings.Repeat(fmt.Sprint(i), 32)
		d.Hit = append(d.Hit, verify.Hit{Snapshot: id, Dataset: "world", Host: host, FileCount: 9, Paths: []string{"/srv/level", "/srv/region/"}})
	}
	var out bytes.Buffer
	a := &app{out: &out, zone: time.UTC}
	if err := a.printVerified(d); err != nil {
		t.Fatal(err)
	}
	_, lost, _ := strings.Cut(out.String(), "what they lose:\n")
	lost, _, _ = strings.Cut(lost, "\n\n")
	const want = "  /srv/level of world@a, in 00000000, 11111111\n  /srv/region/ of world@a, in 00000000, 11111111\n" +
		"  /srv/level of world@b, in 22222222\n  /srv/region/ of world@b, in 22222222"
	if lost != want {
		t.Errorf("%s\nwant\n%s", lost, want)
	}
}
