package kit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"savepoint/internal/kit"
)

const secret = "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SGCXQVQ"

func sample() kit.Kit {
	return kit.Kit{Repository: "s3://game-backups/prod?endpoint=minio.internal:9000", ID: strings.Repeat("0a", 16),
		Slot: "keys/machine-kit-" + strings.Repeat("1b", 16), Made: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), By: "root@world-1", Version: "0.4.0",
		Secret: secret}
}

func text(t testing.TB, k kit.Kit) string {
	t.Helper()
	s, err := k.Text()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	k := sample()
	k.Steps = []string{"Restore:", "  store restore --identity kit", "id: not a field"}
	page := text(t, k)
	k.Steps = nil
	for name, s := range map[string]string{
		"as written": page, "line ends of other systems": strings.ReplaceAll(page, "\n", "\r\n"), "spaces behind": strings.ReplaceAll(page, "\n", "  \n"),
		"a mark in front": "\ufeff" + page, "small letters": strings.Replace(page, secret, strings.ToLower(secret), 1), "blank lines": strings.ReplaceAll(page, "#\n", "\n"),
	} {
		got, err := kit.Parse(s)
		if d := cmp.Diff(k, got); err != nil || d != "" {
			t.Errorf("%s: %v, -want +got:\n%s", name, err, d)
		}
	}
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "#") && line != secret+"\n" {
			t.Errorf("age would take %q for a key", line)
		}
	}
	if n := strings.Count(page, "\n"); n > 60 {
		t.Errorf("%d lines are more than a page", n)
	}
}

// TestEveryTypingError changes each character of what a person types: the check line finds every one of them.
func TestEveryTypingError(t *testing.T) {
	k := sample()
	page := text(t, k)
	for _, field := range []string{k.Repository, k.ID, k.Slot, k.Secret, k.Check()} {
		at := strings.Index(page, field)
		for i := range field {
			was := page[at+i]
			for _, typed := range []byte("7x") {
				if was == typed || was == typed-32 {
					continue
				}
				_, err := kit.Parse(page[:at+i] + string(typed) + page[at+i+1:])
				if err == nil {
					t.Errorf("%q for %q in %q was not found", typed, was, field)
				}
			}
			if _, err := kit.Parse(page[:at+i] + page[at+i+1:]); err == nil {
				t.Errorf("%q left out of %q was not found", was, field)
			}
		}
	}
}

func TestRefuse(t *testing.T) {
	page := text(t, sample())
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"nothing":        {"", kit.ErrNoKit},
		"a key file":     {"# created\n" + secret + "\n", kit.ErrNoKit},
		"two keys":       {page + secret + "\n", kit.ErrNoKit},
		"no key":         {strings.Replace(page, secret, "", 1), kit.ErrNoKit},
		"cut":            {page[:len(page)/3], kit.ErrNoKit},
		"too long":       {page + strings.Repeat("#\n", kit.MaxSize/2), kit.ErrNoKit},
		"no check":       {strings.Replace(page, "# check:", "# chek:", 1), kit.ErrMistyped},
		"another's slot": {strings.Replace(page, "machine-kit-1b", "machine-kit-1c", 1), kit.ErrMistyped},
	} {
		if _, err := kit.Parse(tt.text); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		} else if strings.Contains(err.Error(), secret[20:40]) {
			t.Errorf("%s: the message shows the key", name)
		}
	}
	for name, change := range map[string]func(*kit.Kit){
		"line end": func(k *kit.Kit) { k.Repository = "a\nAGE-SECRET-KEY-1X" }, "no key": func(k *kit.Kit) { k.Secret = "secret" },
		"space": func(k *kit.Kit) { k.By = " x" }, "long": func(k *kit.Kit) { k.Version = strings.Repeat("1", 1<<20) },
	} {
		k := sample()
		change(&k)
		if _, err := k.Text(); err == nil {
			t.Errorf("%s: it was written", name)
		}
	}
}

// TestRefuseNamesLine says which line is not the key.
func TestRefuseNamesLine(t *testing.T) {
	page := text(t, sample())
	at := strings.Count(page[:strings.Index(page, secret)], "\n") + 1
	for name, tt := range map[string]struct{ text, want string }{
		"mistyped": {strings.Replace(page, secret[:40], secret[:39]+"@", 1), fmt.Sprintf("line %d is none", at)},
		"two":      {page + secret + "\n", "and has 2 that begin without #"},
		"none":     {strings.Replace(page, secret, "", 1), "and has none"},
	} {
		if _, err := kit.Parse(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if n := kit.KeyLine(page); n != at {
		t.Errorf("the key is in line %d, want %d", n, at)
	}
	for _, s := range []string{"", "\ufeff# a\n", "x"} {
		if n := kit.KeyLine(s); n != 1 {
			t.Errorf("%q: line %d", s, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	page := text(f, sample())
	f.Add(page)
	f.Add(page[:100])
	f.Add("# SAVEPOINT RECOVERY KIT\n# id:\n" + secret)
	f.Fuzz(func(t *testing.T, s string) {
		k, err := kit.Parse(s)
		if n := kit.KeyLine(s); n < 1 || n > strings.Count(s, "\n")+1 {
			t.Fatalf("the key of %q is in line %d", s, n)
		}
		if err != nil {
			return
		}
		again, err := k.Text()
		if err != nil {
			return // a field that no kit is written with
		}
		got, err := kit.Parse(again)
		if err != nil || got.Check() != k.Check() || got.Secret != k.Secret || got.ID != k.ID || got.Slot != k.Slot || got.Repository != k.Repository {
			t.Fatalf("%q became %q: %v", s, again, err)
		}
	})
}
