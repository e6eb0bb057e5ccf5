package probe

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// question is a query and what its answer must be.
type question struct {
	sql, expect string
	tolerance   float64 // of a number; of its value when relative
	relative    bool
}

// questions are what is asked of a database.
type questions struct {
	all    []question
	canary string // query for a time
	oldest time.Duration
}

// register adds the flags that say what is asked. --expect and --tolerance are of the --sql before them.
func (q *questions) register(f *flag.FlagSet) {
	last := func() (*question, error) {
		if len(q.all) == 0 {
			return nil, errors.New("there is no --sql before it")
		}
		return &q.all[len(q.all)-1], nil
	}
	f.Func("sql", "", func(s string) error { q.all = append(q.all, question{sql: s}); return nil })
	f.Func("expect", "", func(s string) error {
		x, err := last()
		if err == nil {
			x.expect = s
		}
		return err
	})
	f.Func("tolerance", "", func(s string) error {
		x, err := last()
		if err != nil {
			return err
		}
		number, relative := strings.CutSuffix(s, "%")
		if x.tolerance, err = strconv.ParseFloat(number, 64); err != nil || !(x.tolerance >= 0) || math.IsInf(x.tolerance, 0) {
			return fmt.Errorf("%q: a number such as 10 or 2.5%%", s)
		}
		if x.relative = relative; relative {
			x.tolerance /= 100
		}
		return nil
	})
	f.StringVar(&q.canary, "canary", "", "")
	f.DurationVar(&q.oldest, "max-age", 0, "")
}

func (q *questions) check() error {
	for _, x := range q.all {
		switch {
		case x.sql == "":
			return errors.New("--sql is empty")
		case x.expect == "":
			return fmt.Errorf("--sql %q has no --expect", x.sql)
		}
		if _, limit, ok := comparison(x.expect); ok {
			if _, err := strconv.ParseFloat(limit, 64); err != nil {
				return fmt.Errorf("--expect %q compares with no number", x.expect)
			}
		} else if _, err := strconv.ParseFloat(x.expect, 64); err != nil && x.tolerance > 0 {
			return fmt.Errorf("--expect %q is no number, and has a --tolerance", x.expect)
		}
	}
	return nil
}

// ask asks all of them and returns how many there are.
func (q *questions) ask(out io.Writer, query func(sql string) (string, error)) (uint64, error) {
	for _, x := range q.all {
		got, err := query(x.sql)
		if err != nil {
			return 0, err
		}
		fmt.Fprintf(out, "%s: %s\n", x.sql, got)
		if why := x.judge(got); why != "" {
			return 0, fmt.Errorf("%s answers %q, %s is wanted", x.sql, shortened(got, 200), why)
		}
	}
	n := uint64(len(q.all))
	if q.canary == "" {
		return n, nil
	}
	got, err := query(q.canary)
	if err != nil {
		return 0, err
	}
	t, err := parseTime(got)
	if err != nil {
		return 0, fmt.Errorf("canary: %s answers what is no time: %w", q.canary, err)
	}
	return n + 1, sayCanary(out, t, q.oldest)
}

// judge returns "" for an answer that is as it should be, else what is wanted.
func (x question) judge(got string) string {
	number, err := strconv.ParseFloat(strings.TrimSpace(got), 64)
	if op, limit, ok := comparison(x.expect); ok {
		want, _ := strconv.ParseFloat(limit, 64) // check has read it
		fits := map[string]bool{">=": number >= want, "<=": number <= want, ">": number > want, "<": number < want}[op]
		if err != nil || !fits {
			return x.expect
		}
		return ""
	}
	if got == x.expect {
		return ""
	}
	want, wantErr := strconv.ParseFloat(x.expect, 64)
	within := x.tolerance
	if x.relative {
		within *= math.Abs(want)
	}
	if err == nil && wantErr == nil && x.tolerance > 0 && math.Abs(number-want) <= within {
		return ""
	}
	if x.tolerance > 0 {
		return fmt.Sprintf("%s, give or take %g", x.expect, within)
	}
	return strconv.Quote(x.expect)
}

// comparison splits ">=10".
func comparison(expect string) (op, limit string, ok bool) {
	for _, op := range []string{">=", "<=", ">", "<"} {
		if rest, found := strings.CutPrefix(expect, op); found {
			return op, strings.TrimSpace(rest), true
		}
	}
	return "", "", false
}
