package policy

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// longestSchedule bounds the text of a schedule, in bytes.
const longestSchedule = 200

// A Schedule says when something runs, as cron(8) would run it by the clocks of a
// time zone: a time that they skip runs at once after the change, and one that
// they show twice runs the first time. Schedules whose minute or hour is a star
// are intervals: they have nothing in the skipped hour, and run in both of the
// repeated ones. It does not change, and may be used by several goroutines.
type Schedule struct {
	text     string
	zone     *time.Location
	spec     *cron.SpecSchedule // in UTC, which stands for the clocks on the wall
	interval bool
}

// shorthands are the words that stand for five fields.
var shorthands = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// ParseSchedule reads minute, hour, day of the month, month and day of the week
// as crontab(5) has them, or @hourly, @daily, @weekly, @monthly or @yearly. zone
// is whose clocks count; nil is UTC.
func ParseSchedule(text string, zone *time.Location) (*Schedule, error) {
	if zone == nil {
		zone = time.UTC
	}
	fields := strings.Fields(text)
	if long, ok := shorthands[strings.Join(fields, " ")]; ok {
		fields = strings.Fields(long)
	}
	if len(text) > longestSchedule {
		return nil, fmt.Errorf("longer than %d bytes", longestSchedule)
	}
	if len(fields) != 5 {
		return nil, fmt.Errorf("%d fields; there are five: minute, hour, day of the month, month, day of the week", len(fields))
	}
	for i, f := range fields {
		if strings.Trim(f, "0123456789*-/,abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || strings.Contains(","+f+",", ",,") {
			return nil, fmt.Errorf("%q is no field of a schedule", f)
		}
		if i == 4 {
			fields[i] = sundays(f)
		}
	}
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(strings.Join(fields, " "))
	if err != nil {
		return nil, err
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("no fields")
	}
	spec.Location = time.UTC
	s := &Schedule{text: strings.Join(strings.Fields(text), " "), zone: zone, spec: spec,
		interval: strings.HasPrefix(fields[0], "*") || strings.HasPrefix(fields[1], "*")}
	if spec.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("no day is ever like that")
	}
	return s, nil
}

// sundays writes 7, which crontab(5) has for Sunday too, as 0.
func sundays(field string) string {
	parts := strings.Split(field, ",")
	for i, p := range parts {
		if p == "7" {
			parts[i] = "0"
		} else if from, ok := strings.CutSuffix(p, "-7"); ok {
			parts[i] = from + "-6,0"
		}
	}
	return strings.Join(parts, ",")
}

// String returns the schedule as it was written; of none, "".
func (s *Schedule) String() string {
	if s == nil {
		return ""
	}
	return s.text
}

// maxPeriods bounds how many changes of the clocks are looked across: a run that
// is not found by then is not one to wait for.
const maxPeriods = 64

// Next returns the first run after t, in the schedule's zone; the zero time when
// there is none within five years.
func (s *Schedule) Next(t time.Time) time.Time {
	t = t.In(s.zone)
	for range maxPeriods {
		p := periodOf(t)
		// The last moment that is not looked at is t itself, also in the repeated hour.
		from := p.wall(t)
		if p.repeats(s) && from.Before(p.before(p.start)) {
			from = p.before(p.start).Add(-time.Second)
		}
		w := s.spec.Next(from)
		if w.IsZero() {
			return time.Time{}
		}
		if at := p.moment(w); p.end.IsZero() || at.Before(p.end) {
			return at.In(s.zone)
		}
		next := periodOf(p.end)
		if s.skipped(next) {
			return next.start
		}
		// One moment before the next period, so that its first is a run if it should be.
		t = next.start
		if first := next.wall(t); s.matches(first) && !(next.repeats(s) && first.Before(next.before(next.start))) {
			return t
		}
	}
	return time.Time{}
}

// Previous returns the last run at or before t, in the schedule's zone; the zero
// time when there was none within nine years.
func (s *Schedule) Previous(t time.Time) time.Time {
	t = t.In(s.zone)
	oldest := t.AddDate(-9, 0, 0)
	for range maxPeriods {
		p := periodOf(t)
		least := oldest.UTC()
		if !p.start.IsZero() {
			least = p.wall(p.start)
			if p.repeats(s) {
				least = p.before(p.start)
			}
		}
		if w := s.lastBefore(p.wall(t), least); !w.IsZero() {
			return p.moment(w).In(s.zone)
		}
		if p.start.IsZero() || p.start.Before(oldest) {
			return time.Time{}
		}
		if s.skipped(p) {
			return p.start
		}
		t = p.start.Add(-time.Second)
	}
	return time.Time{}
}

// lastBefore returns the last time on the wall, at or before w and not before
// least, that the fields name.
func (s *Schedule) lastBefore(w, least time.Time) time.Time {
	h, m := w.Hour(), w.Minute()
	for day := midnight(w); !day.Before(midnight(least)); day = day.AddDate(0, 0, -1) {
		if s.onDay(day) {
			for hour := h; hour >= 0; hour, m = hour-1, 59 {
				if s.spec.Hour&(1<<hour) == 0 {
					continue
				}
				// The highest bit at or below m.
				if found := s.spec.Minute & (1<<(m+1) - 1); found != 0 {
					at := day.Add(time.Duration(hour)*time.Hour + time.Duration(bits.Len64(found)-1)*time.Minute)
					if at.Before(least) {
						return time.Time{}
					}
					return at
				}
			}
		}
		h, m = 23, 59
	}
	return time.Time{}
}

// star is the bit by which package cron marks a field that is a star.
const star = 1 << 63

// onDay reports whether the schedule runs on the day of w: when both days of the
// month and of the week are given, on either, as crontab(5) says.
func (s *Schedule) onDay(w time.Time) bool {
	dom, dow := s.spec.Dom&(1<<w.Day()) != 0, s.spec.Dow&(1<<w.Weekday()) != 0
	if s.spec.Dom&star != 0 || s.spec.Dow&star != 0 {
		return s.spec.Month&(1<<w.Month()) != 0 && dom && dow
	}
	return s.spec.Month&(1<<w.Month()) != 0 && (dom || dow)
}

// matches reports whether the fields name the time on the wall.
func (s *Schedule) matches(w time.Time) bool {
	return w.Second() == 0 && w.Nanosecond() == 0 && s.onDay(w) && s.spec.Hour&(1<<w.Hour()) != 0 && s.spec.Minute&(1<<w.Minute()) != 0
}

// skipped reports whether a run falls into what the clocks skipped when the period
// began: it then runs at its start.
func (s *Schedule) skipped(p period) bool {
	from, to := p.before(p.start), p.wall(p.start)
	if s.interval || !from.Before(to) {
		return false
	}
	w := s.spec.Next(from.Add(-time.Second))
	return !w.IsZero() && w.Before(to)
}

func midnight(w time.Time) time.Time {
	return time.Date(w.Year(), w.Month(), w.Day(), 0, 0, 0, 0, time.UTC)
}

// A period is a time during which a zone's clocks are not changed. A time on the
// wall is kept as the moment at which a clock in UTC shows the same.
type period struct {
	start, end    time.Time // zero: from ever, for ever
	offset, prior time.Duration
}

func periodOf(t time.Time) period {
	var p period
	p.start, p.end = t.ZoneBounds()
	_, o := t.Zone()
	p.offset = time.Duration(o) * time.Second
	p.prior = p.offset
	if !p.start.IsZero() {
		_, o = p.start.Add(-time.Nanosecond).Zone()
		p.prior = time.Duration(o) * time.Second
	}
	return p
}

// wall returns what the clocks show at t.
func (p period) wall(t time.Time) time.Time { return t.UTC().Add(p.offset) }

// before returns what they would show at t had they not been changed.
func (p period) before(t time.Time) time.Time { return t.UTC().Add(p.prior) }

// moment returns when they show w.
func (p period) moment(w time.Time) time.Time { return w.Add(-p.offset) }

// repeats reports whether the period begins with times that the clocks showed
// before, at which s has run.
func (p period) repeats(s *Schedule) bool { return !s.interval && p.prior > p.offset }
