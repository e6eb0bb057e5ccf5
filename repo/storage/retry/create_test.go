package retry_test

import (
	"errors"
	"strings"
	"testing"

	"savepoint/repo/storage"
	"savepoint/repo/storage/fault"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/retry"
)

// TestCreateAfterLostAnswer meets its own object, and others that look more or less alike.
func TestCreateAfterLostAnswer(t *testing.T) {
	const size = 20_000
	own := strings.Repeat("own ", size/4)
	change := func(at int) string { return own[:at] + "X" + own[at+1:] }
	tests := map[string]struct {
		body, there string // there: what another has put before the second attempt
		lost        bool   // the first attempt was done
		want        error
	}{
		"own":                        {body: own, lost: true},
		"own, short":                 {body: "o", lost: true},
		"own, one sample":            {body: own[:4096], lost: true},
		"own, one sample and a byte": {body: own[:4097], lost: true},
		"own, two samples":           {body: own[:8192], lost: true},
		"not done":                   {body: own},
		"another's":                  {body: own, there: strings.Repeat("else", size/4), want: storage.ErrExists},
		"shorter":                    {body: own, there: own[:size-4], want: storage.ErrExists},
		"longer":                     {body: own, there: own + "own ", want: storage.ErrExists},
		"first byte":                 {body: own, there: change(0), want: storage.ErrExists},
		"end of the first sample":    {body: own, there: change(4095), want: storage.ErrExists},
		"start of the last sample":   {body: own, there: change(size - 4096), want: storage.ErrExists},
		"last byte":                  {body: own, there: change(size - 1), want: storage.ErrExists},
		"short, another's":           {body: "a", there: "b", want: storage.ErrExists},
		"two samples, in the second": {body: own[:8192], there: own[:8191] + "X", want: storage.ErrExists},
		"equal bytes of another":     {body: own, there: own},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := mem.New(nil)
			do := fault.Fail
			if tt.lost {
				do = fault.FailDone
			}
			if tt.there != "" {
				if err := put(t.Context(), m, "o", tt.there); err != nil {
					t.Fatal(err)
				}
			}
			f := fault.New(m, fault.Rule{Op: fault.Put, Do: do, Temporary: true})
			err := create(t.Context(), retry.New(f, hasty()), "o", tt.body)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("Put = %v, want %v", err, tt.want)
			}
			want := tt.there
			if want == "" {
				want = tt.body
			}
			if got, err := m.Get(t.Context(), "o", 0, -1, nil); err != nil || string(got) != want {
				t.Errorf("the object has %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestCreateWithoutFailure must not take an equal object for its own.
func TestCreateWithoutFailure(t *testing.T) {
	m := mem.New(nil)
	if err := put(t.Context(), m, "o", "same"); err != nil {
		t.Fatal(err)
	}
	f := fault.New(m)
	if err := create(t.Context(), retry.New(f, hasty()), "o", "same"); !errors.Is(err, storage.ErrExists) || f.Ops() != 1 {
		t.Errorf("Put = %v after %d operations", err, f.Ops())
	}
}

// TestCreateCompareFails has the comparison fail in turn: for a while, and for good.
func TestCreateCompareFails(t *testing.T) {
	body := strings.Repeat("own ", 5000)
	lost := fault.Rule{Op: fault.Put, Do: fault.FailDone, Temporary: true}
	tests := map[string]struct {
		rule fault.Rule
		want error
	}{
		"stat, for a while":       {fault.Rule{Op: fault.Stat, Count: 2, Temporary: true}, nil},
		"first get, for a while":  {fault.Rule{Op: fault.Get, Temporary: true}, nil},
		"second get, for a while": {fault.Rule{Op: fault.Get, At: 1, Temporary: true}, nil},
		"denied":                  {fault.Rule{Op: fault.Stat, Err: storage.ErrDenied}, storage.ErrDenied},
		"get is denied":           {fault.Rule{Op: fault.Get, Err: storage.ErrDenied}, storage.ErrDenied},
		"gone":                    {fault.Rule{Op: fault.Stat, Err: storage.ErrNotExist}, nil},
		"another's by now":        {fault.Rule{Op: fault.Get, Err: storage.ErrRange}, storage.ErrExists},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := fault.New(mem.New(nil), lost, tt.rule)
			err := create(t.Context(), retry.New(f, hasty()), "o", body)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Fatalf("Put = %v, want %v", err, tt.want)
			}
			if err == nil {
				return
			}
			if oe, ok := errors.AsType[*storage.OpError](err); !ok || oe.Op != "put" || oe.Name != "o" {
				t.Errorf("error is %#v", err)
			}
		})
	}
}

// TestCreateObjectGone never answers a Put with ErrNotExist.
func TestCreateObjectGone(t *testing.T) {
	f := fault.New(mem.New(nil),
		fault.Rule{Op: fault.Put, Do: fault.FailDone, Temporary: true},
		fault.Rule{Op: fault.Stat, Count: fault.Forever, Err: storage.ErrNotExist})
	o := hasty()
	o.MaxElapsed = 1
	err := create(t.Context(), retry.New(f, o), "o", "x")
	if err == nil || errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Put = %v", err)
	}
}
