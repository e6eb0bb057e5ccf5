package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		row  string
		want line
	}{
		"plain":                  {"$ store drill", line{{text: "$ store drill"}}},
		"bold, then not":         {"\x1b[1mA\x1b[0m b", line{{text: "A", bold: true}, {text: " b"}}},
		"colours":                {"\x1b[1;31mx\x1b[39my\x1b[22mz\x1b[32mw", line{{"x", true, "red"}, {"y", true, ""}, {"z", false, ""}, {"w", false, "green"}}},
		"what a bar overwrote":   {"10%\r20%\rdone\r", line{{text: "done"}}},
		"sequences of no colour": {"\x1b[2K\x1b]0;title\x07a\x1b[?25hb\x1b7c", line{{text: "a"}, {text: "b"}, {text: "c"}}},
		"a cursor's move":        {"a\x1b[31Ab", line{{text: "a"}, {text: "b"}}},
		"what cannot be shown":   {"a\x00\x1b\xff\u202eb\tc", line{{text: "ab    c"}}},
		"nothing":                {"", nil},
	} {
		if diff := cmp.Diff(c.want, parse(c.row), cmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWrap(t *testing.T) {
	got := wrap(line{{text: "abcd"}, {text: "éfghij", bold: true}}, 5)
	want := []line{{{text: "abcd"}, {text: "é", bold: true}}, {{text: "fghij", bold: true}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(span{})); diff != "" {
		t.Error(diff)
	}
	if got := wrap(nil, 5); len(got) != 1 {
		t.Errorf("an empty row becomes %d", len(got))
	}
}

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(strings.NewReader("before\n$ store drill <a&b>\n\nafter\n"), &out, part{"store drill", "after"}, "a \"title\"", 80); err != nil {
		t.Fatal(err)
	}
	if text := shown(t, out.String()); text != "a \"title\"\n$ store drill <a&b>\n" {
		t.Errorf("shows %q", text)
	}
	if err := run(strings.NewReader("other\n"), io.Discard, part{from: "drill"}, "", 80); err == nil {
		t.Error("no error when the text is nowhere")
	}
}

// TestDemoPicture holds the picture of the README to what the demo shows.
func TestDemoPicture(t *testing.T) {
	b, err := os.ReadFile("../../../docs/pictures/demo.svg")
	if err != nil {
		t.Fatal(err)
	}
	text := shown(t, string(b))
	for _, want := range []string{"$ store drill", "restored:", "RTO", "RPO", "$ store verify", "DAMAGED", "damage:"} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture does not show %q: make picture draws it again", want)
		}
	}
}

func FuzzPicture(f *testing.F) {
	f.Add("\x1b[1mA\x1b[0m <b>", 3)
	f.Add("\x1b]0;", 1)
	f.Fuzz(func(t *testing.T, text string, columns int) {
		if columns < 1 || columns > 200 || len(text) > 60_000 {
			return
		}
		var out strings.Builder
		if err := run(strings.NewReader(text), &out, part{}, "t", columns); err == nil {
			shown(t, out.String())
		}
	})
}

// shown returns the texts of a drawing, which must be XML, one a line.
func shown(t *testing.T, svg string) string {
	t.Helper()
	var b strings.Builder
	inside := false
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the drawing is no XML: %v", err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			inside = tok.Name.Local == "text"
		case xml.EndElement:
			if inside {
				b.WriteByte('\n')
			}
			inside = false
		case xml.CharData:
			if inside {
				b.Write(tok)
			}
		}
	}
	if !utf8.ValidString(b.String()) {
		t.Fatal("texts are not UTF-8")
	}
	return b.String()
}
