package when_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/when"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func utc(t testing.TB, s string) time.Time {
	t.Helper()
	u, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return u.UTC()
}

func TestParse(t *testing.T) {
	// A Friday, 10:15:30 in Berlin.
	const now = "2026-11-20T09:15:30Z"
	for _, tt := range []struct{ zone, text, want string }{
		{"Europe/Berlin", "2026-11-20T02:41:00Z", "2026-11-20T02:41:00Z"},
		{"Europe/Berlin", "2026-11-20T02:41:00+09:00", "2026-11-19T17:41:00Z"},
		{"Europe/Berlin", "2026-11-20 02:41:00.25z", "2026-11-20T02:41:00.25Z"},
		{"Europe/Berlin", "2026-11-20", "2026-11-19T23:00:00Z"},
		{"Europe/Berlin", "2026-07-20", "2026-07-19T22:00:00Z"},
		{"Europe/Berlin", "2026-11-20 02:41", "2026-11-20T01:41:00Z"},
		{"Europe/Berlin", "  2026-11-20   02:41 ", "2026-11-20T01:41:00Z"},
		{"Europe/Berlin", "2026-11-20T02:41:30", "2026-11-20T01:41:30Z"},
		{"Europe/Berlin", "2026-11-20T02:41", "2026-11-20T01:41:00Z"},
		{"America/New_York", "2026-11-20 02:41:07", "2026-11-20T07:41:07Z"},
		{"Europe/Berlin", "02:41", "2026-11-20T01:41:00Z"},
		{"Europe/Berlin", "02:41:30", "2026-11-20T01:41:30Z"},
		{"Europe/Berlin", "10:15:30", "2026-11-20T09:15:30Z"}, // this very second
		{"Europe/Berlin", "10:15:31", "2026-11-19T09:15:31Z"}, // not yet today
		{"America/New_York", "23:00", "2026-11-20T04:00:00Z"}, // yesterday, there
		{"Europe/Berlin", "yesterday 18:00", "2026-11-19T17:00:00Z"},
		{"Europe/Berlin", "Yesterday", "2026-11-18T23:00:00Z"},
		{"Europe/Berlin", "today 09:00", "2026-11-20T08:00:00Z"},
		{"Europe/Berlin", "today 23:59:59", "2026-11-20T22:59:59Z"},
		{"Europe/Berlin", "today", "2026-11-19T23:00:00Z"},
		{"Europe/Berlin", "now", now},
		{"Europe/Berlin", "NOW", now},
		{"Europe/Berlin", "2h", "2026-11-20T07:15:30Z"},
		{"Europe/Berlin", "3d12h", "2026-11-16T21:15:30Z"},
		{"Europe/Berlin", "90m", "2026-11-20T07:45:30Z"},
		{"Europe/Berlin", "1w", "2026-11-13T09:15:30Z"},
		{"Europe/Berlin", "1w2d3h4m5s", "2026-11-11T06:11:25Z"},
		{"Europe/Berlin", "0s", now},
		{"UTC", "yesterday 00:00", "2026-11-19T00:00:00Z"},
	} {
		t.Run(tt.zone+" "+tt.text, func(t *testing.T) {
			got, err := when.Parse(tt.text, utc(t, now), zone(t, tt.zone))
			if err != nil {
				t.Fatal(err)
			}
			if want := utc(t, tt.want); !got.Equal(want) {
				t.Errorf("got %s, want %s", got.UTC(), want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	now := utc(t, "2026-11-20T09:15:30Z")
	for text, reason := range map[string]string{
		"":                          "use 2026",
		"tomorrow":                  "use 2026",
		"yesterday evening":         "use 2026",
		"18:00 yesterday":           "use 2026",
		"2026-02-30":                "use 2026",
		"2026-11-20 24:00":          "use 2026",
		"25:00":                     "use 2026",
		"12":                        "use 2026",
		"h":                         "use 2026",
		"-2h":                       "use 2026",
		"2h30":                      "use 2026",
		"1.5h":                      "use 2026",
		"2m3h":                      "in this order",
		"2h2h":                      "in this order",
		"2hm":                       "in this order",
		"300000h300000d":            "in this order",
		"99999999999999999999w":     "200 years",
		"10400w1000d":               "200 years",
		"0000-06-01":                "years 1 to 9999",
		"9999-12-31T23:00:00-05:00": "years 1 to 9999",
	} {
		got, err := when.Parse(text, now, time.UTC)
		var syntax *when.SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: got %v, %v, want a *SyntaxError", text, got, err)
			continue
		}
		if !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), "3d12h") {
			t.Errorf("%q: the message says neither %q nor the forms: %v", text, reason, err)
		}
	}
}

func TestParseAmbiguous(t *testing.T) {
	for _, tt := range []struct {
		name, zone, now, text string
		never                 bool
		candidates            []string
	}{
		{"Berlin back", "Europe/Berlin", "2026-11-20T09:00:00Z", "2026-10-25 02:30", false,
			[]string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"}},
		{"Berlin back, first second", "Europe/Berlin", "2026-11-20T09:00:00Z", "2026-10-25 02:00", false,
			[]string{"2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"}},
		{"Berlin forward", "Europe/Berlin", "2026-11-20T09:00:00Z", "2026-03-29 02:30", true,
			[]string{"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"}},
		{"Berlin forward, first second", "Europe/Berlin", "2026-11-20T09:00:00Z", "2026-03-29 02:00", true,
			[]string{"2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"}},
		{"New York back", "America/New_York", "2026-11-20T09:00:00Z", "2026-11-01 01:15", false,
			[]string{"2026-11-01T05:15:00Z", "2026-11-01T06:15:00Z"}},
		{"New York forward", "America/New_York", "2026-11-20T09:00:00Z", "2026-03-08 02:59:59", true,
			[]string{"2026-03-08T06:59:59Z", "2026-03-08T07:59:59Z"}},
		{"Lord Howe back half an hour", "Australia/Lord_Howe", "2026-11-20T09:00:00Z", "2026-04-05 01:45", false,
			[]string{"2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"}},
		{"Lord Howe forward half an hour", "Australia/Lord_Howe", "2026-11-20T09:00:00Z", "2026-10-04 02:15", true,
			[]string{"2026-10-03T15:15:00Z", "2026-10-03T15:45:00Z"}},
		{"a day that Samoa skipped", "Pacific/Apia", "2026-11-20T09:00:00Z", "2011-12-30 12:00", true,
			[]string{"2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"}},
		{"clock time, both passed", "Europe/Berlin", "2026-10-25T05:00:00Z", "02:30", false,
			[]string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"}},
		{"clock time, skipped today", "Europe/Berlin", "2026-03-29T05:00:00Z", "02:30", true,
			[]string{"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"}},
		{"yesterday", "Europe/Berlin", "2026-10-26T05:00:00Z", "yesterday 02:30", false,
			[]string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := when.Parse(tt.text, utc(t, tt.now), zone(t, tt.zone))
			var ambiguous *when.AmbiguousError
			if !errors.As(err, &ambiguous) {
				t.Fatalf("got %v, %v, want an *AmbiguousError", got, err)
			}
			var candidates []string
			for _, c := range ambiguous.Candidates {
				candidates = append(candidates, c.Format(time.RFC3339))
				if !strings.Contains(err.Error(), c.Format(time.RFC3339)) {
					t.Errorf("the message does not name %s: %v", c, err)
				}
				if _, err := when.Parse(c.Format(time.RFC3339), utc(t, tt.now), zone(t, tt.zone)); err != nil {
					t.Errorf("a candidate is refused: %v", err)
				}
			}
			if diff := cmp.Diff(tt.candidates, candidates); diff != "" || ambiguous.Never != tt.never {
				t.Errorf("never = %v, candidates (-want +got):\n%s", ambiguous.Never, diff)
			}
		})
	}
}

// TestClockNearChange holds that a clock time is answered where only one
// meaning has passed yet, and next to the hours that are not clear.
func TestClockNearChange(t *testing.T) {
	for _, tt := range []struct{ name, zone, now, text, want string }{
		{"between both", "Europe/Berlin", "2026-10-25T01:10:00Z", "02:30", "2026-10-25T00:30:00Z"},
		{"before both", "Europe/Berlin", "2026-10-25T00:10:00Z", "02:30", "2026-10-24T00:30:00Z"},
		{"before the skip", "Europe/Berlin", "2026-03-29T00:10:00Z", "02:30", "2026-03-28T01:30:00Z"},
		{"last second before the doubled hour", "Europe/Berlin", "2026-11-20T00:00:00Z", "2026-10-25 01:59:59", "2026-10-24T23:59:59Z"},
		{"first second after the doubled hour", "Europe/Berlin", "2026-11-20T00:00:00Z", "2026-10-25 03:00", "2026-10-25T02:00:00Z"},
		{"first second after the skipped hour", "Europe/Berlin", "2026-11-20T00:00:00Z", "2026-03-29 03:00", "2026-03-29T01:00:00Z"},
		{"after Lord Howe's skipped half hour", "Australia/Lord_Howe", "2026-11-20T00:00:00Z", "2026-10-04 02:30", "2026-10-03T15:30:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := when.Parse(tt.text, utc(t, tt.now), zone(t, tt.zone))
			if err != nil {
				t.Fatal(err)
			}
			if want := utc(t, tt.want); !got.Equal(want) {
				t.Errorf("got %s, want %s", got.UTC(), want)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	for _, tt := range []struct{ zone, t, want string }{
		{"Europe/Berlin", "2026-11-20T01:41:00Z", "2026-11-20 02:41:00 +01:00 CET (2026-11-20T01:41:00Z)"},
		{"Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25 02:30:00 +02:00 CEST (2026-10-25T00:30:00Z)"},
		{"Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25 02:30:00 +01:00 CET (2026-10-25T01:30:00Z)"},
		{"Australia/Lord_Howe", "2026-10-03T15:45:00.5Z", "2026-10-04 02:45:00.5 +11:00 (2026-10-03T15:45:00.5Z)"},
		{"UTC", "2026-11-20T01:41:00Z", "2026-11-20 01:41:00 UTC (2026-11-20T01:41:00Z)"},
	} {
		if got := when.Format(utc(t, tt.t), zone(t, tt.zone)); got != tt.want {
			t.Errorf("%s in %s: got %q, want %q", tt.t, tt.zone, got, tt.want)
		}
	}
	if got, want := when.Format(utc(t, "2026-11-20T01:41:00Z"), nil), "2026-11-20 01:41:00 UTC (2026-11-20T01:41:00Z)"; got != want {
		t.Errorf("without a zone: got %q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"now", "3d12h", "02:41", "yesterday 18:00", "today", "2026-11-20",
		"2026-10-25 02:30", "2026-03-29T02:30:01", "2026-11-20T02:41:00+01:00", "1w2d3h4m5s", "0000-01-01"} {
		f.Add(s, int64(1792900000), uint8(0))
	}
	zones := []*time.Location{zone(f, "Europe/Berlin"), zone(f, "America/New_York"), zone(f, "Australia/Lord_Howe"), nil}
	f.Fuzz(func(t *testing.T, s string, seconds int64, z uint8) {
		now := time.Unix(seconds%(1<<36), 0) // some four thousand years to come
		if seconds < 0 {
			now = time.Unix(seconds%(1<<35), 0)
		}
		loc := zones[int(z)%len(zones)]
		got, err := when.Parse(s, now, loc)
		var ambiguous *when.AmbiguousError
		switch {
		case errors.As(err, &ambiguous):
			if n := len(ambiguous.Candidates); n < 2 {
				t.Fatalf("%q: %d candidates: %v", s, n, err)
			}
		case err == nil:
			again, err := when.Parse(got.Format(time.RFC3339Nano), now, loc)
			if _, offset := got.Zone(); offset%60 == 0 && (err != nil || !again.Equal(got)) {
				t.Fatalf("%q is %s, which is read as %s, %v", s, got, again, err)
			}
			if when.Format(got, loc) == "" {
				t.Fatal("nothing printed")
			}
		}
	})
}

func TestParseAge(t *testing.T) {
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "3d12h": 84 * time.Hour, "1w": 7 * 24 * time.Hour, "0s": 0} {
		if got, err := when.ParseAge(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2", "1h2d", "-1h", "now", "02:41", "1.5h"} {
		var syntax *when.SyntaxError
		if got, err := when.ParseAge(text); !errors.As(err, &syntax) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
