package probe

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// maxOutput is how many bytes of a probe's output are kept: the last ones.
	maxOutput = 64 << 10
	// maxLine is how long a line may be that means something.
	maxLine = 4 << 10
)

// output keeps the end of what a probe writes to both of its streams, and what the lines of the first say.
type output struct {
	now   func() time.Time
	began time.Time

	mu      sync.Mutex
	tail    []byte
	all     uint64
	line    []byte // of standard output, up to maxLine
	last    string // line that was not blank
	started time.Duration
	canary  time.Time // the newest
}

// stream is one of the two.
type stream struct {
	of     *output
	speaks bool // its lines mean something
}

// Write never fails: a probe must not wait for who listens.
func (s stream) Write(b []byte) (int, error) {
	o := s.of
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all += uint64(len(b))
	o.keep(b)
	if s.speaks {
		for rest := b; len(rest) > 0; {
			part, after, ended := bytes.Cut(rest, []byte("\n"))
			o.line = append(o.line, part[:min(len(part), max(0, maxLine-len(o.line)))]...)
			if ended {
				o.endLine()
			}
			rest = after
		}
	}
	return len(b), nil
}

// keep adds to the tail; it moves bytes only when twice as many are there as are kept.
func (o *output) keep(b []byte) {
	b = b[max(0, len(b)-maxOutput):]
	if len(o.tail)+len(b) > 2*maxOutput {
		o.tail = append(o.tail[:0], o.tail[max(0, len(o.tail)-maxOutput):]...)
	}
	o.tail = append(o.tail, b...)
}

func (o *output) endLine() {
	text := strings.TrimSpace(string(o.line))
	o.line = o.line[:0]
	if text == "" {
		return
	}
	o.last = text
	if text == "started" && o.started == 0 {
		o.started = max(o.now().Sub(o.began), 1)
	}
	if when, ok := strings.CutPrefix(text, "canary "); ok {
		if t, err := parseTime(when); err == nil && t.After(o.canary) {
			o.canary = t
		}
	}
}

// end returns what was kept, as text, once nobody writes any more.
func (o *output) end() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLine()
	tail := o.tail[max(0, len(o.tail)-maxOutput):]
	return strings.ToValidUTF8(string(tail), "\uFFFD")
}

// checked returns how many things the probe says that it checked, and else why it is not believed.
func (o *output) checked() (n uint64, why string) {
	const wanted = `the last line of its output must be "checked N"`
	number, ok := strings.CutPrefix(o.last, "checked ")
	if o.last == "" {
		return 0, "it did not say how many things it checked: " + wanted
	}
	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 64)
	switch {
	case !ok || err != nil:
		return 0, fmt.Sprintf("it did not say how many things it checked: %s, it is %s", wanted, strconv.Quote(shortened(o.last, 80)))
	case n == 0:
		return 0, "it checked nothing (checked 0)"
	}
	return n, ""
}

// shortened returns the beginning of a text.
func shortened(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// parseTime reads a time as programs write it: RFC 3339, that of SQL, or seconds or milliseconds since 1970. Without a zone it is UTC.
func parseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07",
		"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || !(n >= 1e8 && n < 1e14):
		return time.Time{}, fmt.Errorf("%q is no time: RFC 3339, YYYY-MM-DD hh:mm:ss, or seconds since 1970", shortened(s, 60))
	case n >= 1e11:
		return time.UnixMilli(int64(n)).UTC(), nil
	}
	return time.UnixMicro(int64(n * 1e6)).UTC(), nil
}
