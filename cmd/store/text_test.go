package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"savepoint/repo"
	"savepoint/repo/tree"
)

// TestShellQuote has a shell read back what was quoted.
func TestShellQuote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.OneOf(rapid.StringMatching(`[ -~\n\tä'"$`+"`"+`\\]{0,20}`),
			rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte("-a%\\'\n\x1b\xff\x9b7")), 0, 6), func(b []byte) string { return string(b) })).Draw(t, "word")
		if shown := shellQuote(want); strings.ContainsFunc(strings.TrimRight(shown, "\n'"), hidden) || !utf8.ValidString(shown) {
			t.Fatalf("%q is printed as %q", want, shown)
		}
		out, err := exec.Command("sh", "-c", "printf %s "+shellQuote(want)).Output()
		if err != nil || string(out) != want {
			t.Fatalf("a shell reads %s as %q, %v; want %q", shellQuote(want), out, err, want)
		}
	})
}

// TestPrintable holds that what is printed is one line, and that no two names look alike.
func TestPrintable(t *testing.T) {
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		name := string(rapid.SliceOfN(rapid.SampledFrom([]byte("ab\n\"\\x0\xff\x1b ")), 0, 5).Draw(t, "name"))
		text := printable(name)
		if strings.ContainsAny(text, "\n\x1b") {
			t.Fatalf("%q is printed as %q", name, text)
		}
		if other, ok := seen[text]; ok && other != name {
			t.Fatalf("%q and %q are both printed as %s", name, other, text)
		}
		seen[text] = name
	})
	if got := printable("/srv/Spielstände/a b"); got != "/srv/Spielstände/a b" {
		t.Errorf("a plain name is printed as %s", got)
	}
}

func TestProgressText(t *testing.T) {
	began := time.Unix(1000, 0)
	p := &progress{began: began, unit: "entries", sizes: true}
	p.entries.Store(1234)
	p.ofEntries.Store(5000)
	p.bytes.Store(10 << 20)
	if got, want := p.text(began), "1,234 of 5,000 entries, 10 MiB"; got != want {
		t.Errorf("at the start: %q, want %q", got, want)
	}
	p.ofBytes.Store(40 << 20)
	if got, want := p.text(began.Add(10*time.Second)), "1,234 of 5,000 entries, 10 MiB of 40 MiB, 1.0 MiB/s, 30s left"; got != want {
		t.Errorf("after a while: %q, want %q", got, want)
	}
	p.bytes.Store(50 << 20) // more than was known
	if n, of := p.done(); n != of {
		t.Errorf("done %d of %d", n, of)
	}
}

// TestBeneath follows links on both sides, and judges what does not exist by where it would be made.
func TestBeneath(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a/b/c", "ab"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a/b", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		inner, outer string
		want         bool
	}{
		{"a", "a", true}, {"a/b/c", "a", true}, {"a", "a/b", false}, {"ab", "a", false},
		{"link/c", "a", true}, {"a/b/c", "link", true}, {"link/new/folder", "a", true}, {"new/folder", "a", false}, {"a", "gone", false},
	} {
		got, err := beneath(filepath.Join(dir, tt.inner), filepath.Join(dir, tt.outer))
		if err != nil || got != tt.want {
			t.Errorf("%s beneath %s: %v, %v; want %v", tt.inner, tt.outer, got, err, tt.want)
		}
	}
}

func TestFolderName(t *testing.T) {
	at := time.Date(2026, 11, 20, 2, 41, 0, 0, time.UTC).UnixNano()
	for _, tt := range []struct{ dataset, host, want string }{
		{"/srv/world", "a", "world@a"}, {"/", "a", "root@a"}, {"..", "a", "..@a"}, {"world", "../../etc", "world@.._.._etc"},
		{strings.Repeat("ä", 150), "a", strings.Repeat("ä", 100)},
	} {
		s := &repo.Snapshot{Manifest: &tree.Manifest{Dataset: tt.dataset, Host: tt.host, Window: [2]int64{at, at}}}
		if got, want := folderName(s, true), tt.want+"-20261120T024100Z"; got != want {
			t.Errorf("dataset %q of host %q goes into %q, want %q", tt.dataset, tt.host, got, want)
		}
	}
}

// TestStopIsNoSignal has commands that are done before anything listens for signals.
func TestStopIsNoSignal(t *testing.T) {
	for range 2000 {
		var said bytes.Buffer
		a := &app{err: newErrWriter(&said), g: globals{verbose: 1}}
		_, stop := a.notifyContext(t.Context())
		stop()
		if said.Len() > 0 {
			t.Fatalf("it said %q", said.String())
		}
	}
}

func TestTable(t *testing.T) {
	tb := table{header: []string{"A", "N"}, right: map[int]bool{1: true}}
	var b bytes.Buffer
	if err := tb.print(&b); err != nil || b.Len() != 0 {
		t.Errorf("a table without rows prints %q, %v", b.String(), err)
	}
	tb.add("ä", "1")
	tb.add("bcd", "200")
	if err := tb.print(&b); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "A      N\nä      1\nbcd  200\n"; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestGeneratePassword(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		p := generatePassword()
		if len(strings.ReplaceAll(p, "-", "")) != 26 || seen[p] {
			t.Fatalf("password %q", p)
		}
		seen[p] = true
	}
}
