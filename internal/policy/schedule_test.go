package policy_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"savepoint/internal/policy"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func schedule(t testing.TB, text string, z *time.Location) *policy.Schedule {
	t.Helper()
	s, err := policy.ParseSchedule(text, z)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestScheduleChanges follows schedules through changes of the clocks. Berlin goes
// from 02:00 +01 to 03:00 +02 on 2026-03-29 and from 03:00 +02 to 02:00 +01 on
// 2026-10-25, Lord Howe by half an hour; Samoa had no 2011-12-30; in Santiago
// midnight of 2026-09-06 does not exist.
func TestScheduleChanges(t *testing.T) {
	for _, tt := range []struct {
		name, text, zone, from string
		want                   []string
	}{
		{"skipped, at once after", "30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00+01:00",
			[]string{"2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"several skipped, once", "0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00+01:00",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{"skipped and next in one", "30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00+01:00",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"skipped meets the next", "0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00+01:00",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
		{"repeated, the first", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00+02:00",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"the end of the repeated hour", "0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00+02:00",
			[]string{"2026-10-25T03:00:00+01:00", "2026-10-26T03:00:00+01:00"}},
		{"its beginning", "0 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00+02:00",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-26T02:00:00+01:00"}},
		{"hourly, none skipped", "0 * * * *", "Europe/Berlin", "2026-03-29T01:00:00+01:00",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"}},
		{"hourly, both of the repeated", "0 * * * *", "Europe/Berlin", "2026-10-25T01:30:00+02:00",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"}},
		{"half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00+10:30",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"a day that was skipped", "0 3 * * *", "Pacific/Apia", "2011-12-29T12:00:00-10:00",
			[]string{"2011-12-31T00:00:00+14:00", "2011-12-31T03:00:00+14:00"}},
		{"midnight that was skipped", "0 0 * * *", "America/Santiago", "2026-09-05T12:00:00-04:00",
			[]string{"2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"}},
		{"weekdays", "0 9 * * 1-5", "UTC", "2026-11-20T09:00:00Z", []string{"2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z"}},
		{"sunday is 7 too", "0 9 * * 7", "UTC", "2026-11-20T09:00:00Z", []string{"2026-11-22T09:00:00Z", "2026-11-29T09:00:00Z"}},
		{"to sunday", "0 9 * * 6-7", "UTC", "2026-11-20T09:00:00Z", []string{"2026-11-21T09:00:00Z", "2026-11-22T09:00:00Z", "2026-11-28T09:00:00Z"}},
		{"day of month or of week", "0 0 13 * 5", "UTC", "2026-11-01T00:00:00Z", []string{"2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"}},
		{"leap day", "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		{"shorthand", "@daily", "UTC", "2026-01-01T00:00:00Z", []string{"2026-01-02T00:00:00Z"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := schedule(t, tt.text, zone(t, tt.zone))
			at, err := time.Parse(time.RFC3339, tt.from)
			if err != nil {
				t.Fatal(err)
			}
			var got []time.Time
			for _, want := range tt.want {
				before := at
				at = s.Next(at)
				if at.Format(time.RFC3339) != want {
					t.Fatalf("after %s: %s, want %s", before, at, want)
				}
				got = append(got, at)
			}
			for i, at := range got {
				if p := s.Previous(at); !p.Equal(at) {
					t.Errorf("the last at %s was %s", at, p)
				}
				if p := s.Previous(at.Add(-time.Nanosecond)); i > 0 && !p.Equal(got[i-1]) {
					t.Errorf("the last before %s was %s, want %s", at, p, got[i-1])
				}
			}
		})
	}
}

// TestScheduleAgrees holds Next and Previous to one another: what Next says runs,
// Previous finds from every moment up to the following run, and runs begin whole
// minutes.
func TestScheduleAgrees(t *testing.T) {
	names := []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Pacific/Apia", "Asia/Kolkata"}
	rapid.Check(t, func(t *rapid.T) {
		field := func(name string, lo, hi int) string {
			return rapid.OneOf(rapid.Just("*"), rapid.Map(rapid.IntRange(lo, hi), func(n int) string { return itoa(n) }),
				rapid.Map(rapid.SliceOfN(rapid.IntRange(lo, hi), 2, 4), func(n []int) string {
					var s []string
					for _, x := range n {
						s = append(s, itoa(x))
					}
					return strings.Join(s, ",")
				}), rapid.Map(rapid.IntRange(2, 12), func(n int) string { return "*/" + itoa(n) })).Draw(t, name)
		}
		text := strings.Join([]string{field("minute", 0, 59), field("hour", 0, 23), field("day", 1, 28), field("month", 1, 12), field("weekday", 0, 6)}, " ")
		z, err := time.LoadLocation(rapid.SampledFrom(names).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := policy.ParseSchedule(text, z)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(rapid.Int64Range(1_200_000_000, 2_000_000_000).Draw(t, "from"), 0)
		for range 8 {
			next := s.Next(at)
			if !next.After(at) || next.Second() != 0 {
				t.Fatalf("%s in %s: after %s comes %s", text, z, at, next)
			}
			for _, moment := range []time.Time{next, next.Add(time.Second), s.Next(next).Add(-time.Second)} {
				if got := s.Previous(moment); !got.Equal(next) {
					t.Fatalf("%s in %s: before %s came %s, and after %s came %s", text, z, moment, got, at, next)
				}
			}
			if gap := s.MaxGap(); s.Next(next).Sub(next) > gap+25*time.Hour { // of clocks that were changed
				t.Fatalf("%s in %s: from %s to %s is more than %s", text, z, next, s.Next(next), gap)
			}
			at = next
		}
	})
}

func itoa(n int) string {
	if n >= 10 {
		return itoa(n/10) + itoa(n%10)
	}
	return string(rune('0' + n))
}

func TestMaxGap(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"* * * * *": time.Minute, "0 * * * *": time.Hour, "*/15 * * * *": 15 * time.Minute, "0 3 * * *": 24 * time.Hour,
		"0 0,6 * * *": 18 * time.Hour, "0 9-17 * * 1-5": 64 * time.Hour, "0 0 1 * *": 31 * 24 * time.Hour, "30 3 1,15 * *": 17 * 24 * time.Hour,
		"* * * 1 *": (365-31+1)*24*time.Hour + time.Minute, "0 0 29 2 *": (4*365 + 1) * 24 * time.Hour, "10,20 0 * * *": 23*time.Hour + 50*time.Minute,
	} {
		if got := schedule(t, text, nil).MaxGap(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestScheduleRefuses(t *testing.T) {
	for text, msg := range map[string]string{
		"": "0 fields", "0 * * *": "4 fields", "0 0 0 * * *": "6 fields", "TZ=UTC 0 * * * *": "6 fields", "TZ=": "1 fields", "CRON_TZ=UTC 0 0 * *": "no field",
		"@every 1h": "2 fields", "@reboot": "1 fields", "60 * * * *": "above maximum", "0 0 30 2 *": "no day", "0 0 31 4,6 *": "no day",
		", * * * *": "no field", "0,,5 * * * *": "no field", "*/0 * * * *": "positive", "5-1 * * * *": "beyond", "0 0 0 * *": "below",
		"? * * * *": "no field", "0 0 * * 8": "above", "0 0 L * *": "parse", "1/2/3 * * * *": "slashes", strings.Repeat("0,", 120) + "0 * * * *": "longer",
	} {
		if s, err := policy.ParseSchedule(text, nil); err == nil || !strings.Contains(err.Error(), msg) {
			t.Errorf("%q: %v, %v, want %q", text, s, err, msg)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	for _, s := range []string{"0 * * * *", "*/5 1-3,7 * jan-mar 5-7", "@hourly", "TZ=x", "0 0 29 2 *", "59 23 31 12 0", "1-5/2 */3 1 * sun"} {
		f.Add(s, int64(1_774_746_000), uint8(1))
	}
	zones := []*time.Location{time.UTC, zone(f, "Europe/Berlin"), zone(f, "Pacific/Apia")}
	f.Fuzz(func(t *testing.T, text string, unix int64, z uint8) {
		s, err := policy.ParseSchedule(text, zones[int(z)%len(zones)])
		if err != nil {
			return
		}
		at := time.Unix(unix%4_000_000_000, 0)
		next := s.Next(at)
		if !next.IsZero() && (!next.After(at) || !s.Previous(next).Equal(next)) {
			t.Fatalf("%q: after %s comes %s, before which comes %s", text, at, next, s.Previous(next))
		}
		if last := s.Previous(at); last.After(at) {
			t.Fatalf("%q: before %s came %s", text, at, last)
		}
		if again, err := policy.ParseSchedule(s.String(), zones[int(z)%len(zones)]); err != nil || !again.Next(at).Equal(next) {
			t.Fatalf("%q is not %q: %v", text, s.String(), err)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	s := schedule(b, "0 3 * * *", zone(b, "Europe/Berlin"))
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		s.Next(at)
	}
}
