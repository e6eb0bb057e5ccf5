package policy

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"savepoint/internal/bytesize"
	"savepoint/internal/when"
)

// none is how an objective that a class presets is taken back.
const none = "none"

// parseSpan reads a length of time: 90m, 3d12h, 1h30m, 1.5h.
func parseSpan(text string) (time.Duration, error) {
	d, err := when.ParseAge(text)
	if err != nil {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d < 0 {
		return 0, errors.New("is no length of time, such as 90s, 1h30m or 3d12h")
	}
	return d, nil
}

// SpanText returns a length of time, which is not negative, as the file has it:
// parsed again, it is the same.
func SpanText(d time.Duration) string {
	if d%time.Second != 0 || d <= 0 {
		return d.String()
	}
	var b strings.Builder
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.unit
		}
	}
	return b.String()
}

// maxCount bounds numbers of snapshots to keep.
const maxCount = 1_000_000

func parseCount(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > maxCount {
		return 0, fmt.Errorf("is no whole number from 0 to %d", maxCount)
	}
	return int(n), nil
}

func parseNumber(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, errors.New("is no whole number")
	}
	return n, nil
}

func parseSize(text string) (uint64, error) {
	n, err := bytesize.Parse(text)
	if err != nil {
		return 0, errors.New("is no number of bytes, such as 10GiB or 500MB")
	}
	return uint64(n), nil
}

// parseQuota reads how many bytes there may be; 0 where nothing is said. Without a
// unit it is likelier that one was forgotten than that bytes are meant.
func parseQuota(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := parseSize(text)
	switch {
	case err != nil:
	case n == 0:
		err = errors.New("leaves no room; leave the key out if there is no limit")
	case strings.Trim(text, "0123456789.") == "":
		err = errors.New("has no unit, such as GiB or TB")
	}
	if err != nil {
		return 0, faultf("quota", "quota %q %w", text, err)
	}
	return n, nil
}

// maxPrice is more than anything costs.
const maxPrice = 1e9

func parsePrice(text string) (float64, error) {
	if strings.Trim(text, "0123456789.") != "" {
		return 0, errors.New("is no price, such as 0.023")
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > maxPrice {
		return 0, errors.New("is no price, such as 0.023")
	}
	return f, nil
}

func (p *Prices) text() pricesText {
	if p == nil {
		return pricesText{}
	}
	f := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
	return pricesText{f(p.GBMonth), f(p.GBOut), f(p.Per1000Requests)}
}

// parseZone reads the name of a time zone. "Local" is none: it would be another one
// on another host.
func parseZone(text string) (*time.Location, error) {
	if text == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(text)
	if err != nil || text == "Local" {
		return nil, errors.New("is no time zone that is known here, such as UTC or Europe/Berlin")
	}
	return zone, nil
}

// cleanPath returns an absolute path in its shortest form, or what is wrong
// with it. Dots are not resolved: past a symlink they would lead elsewhere.
func cleanPath(p string) (clean, problem string) {
	switch {
	case strings.ContainsRune(p, 0):
		return "", "holds a zero byte"
	case !utf8.ValidString(p):
		return "", "is not UTF-8"
	case !filepath.IsAbs(p):
		return "", "is not absolute"
	case slices.Contains(strings.Split(p, "/"), ".."):
		return "", "goes back by \"..\"; write where it leads"
	}
	return filepath.Clean(p), ""
}

// line reports whether s is text in one line.
func line(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// secretWord is an argument that holds a secret.
var secretWord = regexp.MustCompile(`(?i)(password|passwd|passphrase|pwd|secret|token|api[-_]?key|access[-_]?key)=[^$]`)

// holdsSecret reports whether text looks as if a password or a key stood in it.
func holdsSecret(text string) bool {
	if secretWord.MatchString(text) || strings.Contains(text, "AGE-SECRET-KEY-") || strings.Contains(text, "PRIVATE KEY-----") {
		return true
	}
	for word := range strings.FieldsSeq(text) {
		if u, err := url.Parse(strings.Trim(word, `'"`)); err == nil && u.User != nil {
			if _, has := u.User.Password(); has {
				return true
			}
		}
	}
	return false
}

// objectiveText returns an objective as the file has it, so that none is none
// whatever a class presets.
func objectiveText(d time.Duration) string {
	if d == 0 {
		return none
	}
	return SpanText(d)
}

func spanText(d *time.Duration) string {
	if d == nil {
		return ""
	}
	return SpanText(*d)
}

func countText(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func sizeText(n uint64) string {
	if n == 0 {
		return ""
	}
	return bytesize.Format(int64(n))
}

func (k Keep) text() keepText {
	f := func(n int) string { return countText(uint64(n)) }
	return keepText{Last: f(k.Last), Hourly: f(k.Hourly), Daily: f(k.Daily), Weekly: f(k.Weekly), Monthly: f(k.Monthly), Yearly: f(k.Yearly)}
}
