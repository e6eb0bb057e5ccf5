package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"savepoint/repo/storage"
	"savepoint/repo/storage/mem"
	"savepoint/repo/storage/retry"
	"savepoint/repo/storage/s3"
	"savepoint/repo/storage/storetest"
	"savepoint/verify"
)

// TestOutageLog holds that a short failure is silent, a longer outage is told of once and its end once, and that -v shows all.
func TestOutageLog(t *testing.T) {
	for _, tt := range []struct {
		name    string
		lasts   time.Duration
		verbose bool
		want    []string
	}{
		{"blip", 3 * time.Second, false, nil},
		{"outage", 2 * time.Minute, false, []string{
			"store: warning: requests to minio:9000 fail; they are repeated for up to 15m0s each (get config: refused)", "store: the storage answers again (after: "}},
		{"verbose", 3 * time.Second, true, []string{"store: warning: the storage fails", "store: the storage answers again"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				log := slog.New(&outageLog{inner: &lineHandler{w: &said, level: slog.LevelWarn}, place: "minio:9000", within: 15 * time.Minute, verbose: tt.verbose})
				up := time.Now().Add(tt.lasts)
				st := retry.New(&hooked{inner: mem.New(nil), begin: unbound, end: func(err error) error {
					if time.Now().Before(up) {
						return &storage.OpError{Op: "get", Name: "config", Temporary: true, Err: errors.New("refused")}
					}
					return nil
				}}, retry.Options{Max: 2 * time.Second, Logger: log, Rand: func() float64 { return 0.5 }})
				if _, err := st.Get(t.Context(), "config", 0, -1, nil); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				lines := strings.Split(strings.TrimSuffix(said.String(), "\n"), "\n")
				if said.Len() == 0 {
					lines = nil
				}
				if len(lines) != len(tt.want) {
					t.Fatalf("it says\n%s, want %d lines", said.String(), len(tt.want))
				}
				for i, want := range tt.want {
					if !strings.HasPrefix(lines[i], want) {
						t.Errorf("line %d is %q, want %q…", i, lines[i], want)
					}
				}
			})
		})
	}
}

// TestWaiver ends at a signal what waits for a storage that fails, and nothing else.
func TestWaiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		interrupt, signal := context.WithCancelCause(t.Context())
		w := &waiver{interrupt: interrupt}
		st := w.calls(retry.New(w.attempts(&hooked{inner: mem.New(nil), begin: unbound, end: func(error) error {
			return &storage.OpError{Op: "put", Temporary: true, Err: errors.New("refused")}
		}}), retry.Options{}))
		put := func(name string) error {
			return st.Put(t.Context(), name, strings.NewReader("x"), 1, storage.PutOptions{})
		}

		// Waiting when the signal comes: its context goes on, the call does not.
		began, ended := time.Now(), make(chan error)
		go func() { ended <- put("a") }()
		time.Sleep(time.Minute)
		signal(errInterrupted)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the call that waited: %v", err)
		}
		if d := time.Since(began); d != time.Minute {
			t.Errorf("it ended after %v, want a minute", d)
		}
		// Begun after it: at once too.
		if err := put("b"); err == nil || time.Since(began) != time.Minute {
			t.Errorf("a call after the signal: %v after %v", err, time.Since(began))
		}
	})
}

// TestWaiverAfterSignal has a storage that still answers used to the end, and given up at its first failure.
func TestWaiverAfterSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		interrupt, signal := context.WithCancel(t.Context())
		w := &waiver{interrupt: interrupt}
		down := false
		st := w.calls(retry.New(w.attempts(&hooked{inner: mem.New(nil), begin: unbound, end: func(err error) error {
			if down {
				time.Sleep(time.Second) // the request takes its time
				return &storage.OpError{Op: "put", Temporary: true, Err: errors.New("refused")}
			}
			return err
		}}), retry.Options{}))
		signal()
		for _, name := range []string{"a", "b"} {
			if err := st.Put(t.Context(), name, strings.NewReader("x"), 1, storage.PutOptions{}); err != nil {
				t.Errorf("put %s after the signal: %v", name, err)
			}
		}
		if _, err := st.Stat(t.Context(), "c"); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("stat after the signal: %v", err)
		}
		down = true
		began := time.Now()
		err := st.Put(t.Context(), "d", strings.NewReader("x"), 1, storage.PutOptions{})
		if err == nil || !strings.Contains(err.Error(), "refused") || time.Since(began) != time.Second {
			t.Errorf("a put that fails after the signal: %v after %v, want after one attempt of a second", err, time.Since(began))
		}
	})
}

// TestWaiverGivenUp waits for a storage that fails once, and not again for each call that follows, until it has answered.
func TestWaiverGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waiver{interrupt: t.Context()}
		down := true
		st := w.calls(retry.New(w.attempts(&hooked{inner: mem.New(nil), begin: unbound, end: func(err error) error {
			if down {
				return &storage.OpError{Op: "put", Temporary: true, Err: errors.New("refused")}
			}
			return err
		}}), retry.Options{MaxElapsed: time.Minute}))
		for i, want := range []time.Duration{time.Minute, 0, 0, -1, time.Minute, 0} {
			down = want >= 0
			began := time.Now()
			err := st.Put(t.Context(), fmt.Sprint("o", i), strings.NewReader("x"), 1, storage.PutOptions{})
			if (err != nil) != down || time.Since(began) != max(want, 0) {
				t.Errorf("call %d: %v after %v, want it to take %v", i, err, time.Since(began), want)
			}
		}
	})
}

// TestWaiverFrozen gives up a storage in which nothing moves a while after the signal, and none that is slow.
func TestWaiverFrozen(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reads int // of the body, one every four seconds; then the request never ends
		want  time.Duration
	}{{"frozen", 0, quiet}, {"slow", 10, 36*time.Second + quiet}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				interrupt, signal := context.WithCancel(t.Context())
				w := &waiver{interrupt: interrupt}
				st := w.calls(w.attempts(&slow{Store: mem.New(nil), reads: tt.reads}))
				began := time.Now()
				signal()
				err := st.Put(t.Context(), "a", strings.NewReader("x"), 1, storage.PutOptions{})
				if d := time.Since(began); !errors.Is(err, context.Canceled) || d < tt.want || d > tt.want+time.Second {
					t.Errorf("%v after %v, want the end after %v", err, d, tt.want)
				}
			})
		})
	}
}

// slow is a store whose Put reads its body now and then, and ends with its context.
type slow struct {
	storage.Store
	reads int
}

func (s *slow) Put(ctx context.Context, name string, body io.ReaderAt, size int64, o storage.PutOptions) error {
	for range s.reads {
		_, _ = body.ReadAt(make([]byte, 1), 0) // it is a string's
		<-time.After(4 * time.Second)
	}
	<-ctx.Done()
	return &storage.OpError{Op: "put", Name: name, Err: ctx.Err()}
}

func unbound(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }

// TestHookedStore holds the decorators of this package to the contract.
func TestHookedStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) storage.Store {
		w := &waiver{interrupt: context.Background()}
		return w.calls(w.attempts(mem.New(nil)))
	})
}

// TestJudgeProbe holds what init refuses and what it warns of.
func TestJudgeProbe(t *testing.T) {
	yes := s3.Finding{Answer: s3.Yes}
	good := s3.Findings{ConditionalCreate: yes, Ranges: yes, Listing: yes, ClockOffset: 700 * time.Millisecond, ClockError: 600 * time.Millisecond}
	for _, tt := range []struct {
		name    string
		change  func(*s3.Findings)
		refuses string
		warns   string
	}{
		{"good", func(*s3.Findings) {}, "", ""},
		{"overwrites", func(f *s3.Findings) { f.ConditionalCreate = s3.Finding{Answer: s3.No, Why: "twice"} }, "If-None-Match): twice", ""},
		{"not known", func(f *s3.Findings) { f.ConditionalCreate = s3.Finding{} }, "cannot be found out", ""},
		{"no ranges", func(f *s3.Findings) { f.Ranges.Answer = s3.No }, "part of an object", ""},
		{"late listing", func(f *s3.Findings) { f.Listing.Answer = s3.No }, "list what was just put", ""},
		{"ahead", func(f *s3.Findings) { f.ClockOffset = 3 * time.Minute }, "", "3m0s ahead of this host's"},
		{"behind", func(f *s3.Findings) { f.ClockOffset = -2 * time.Hour }, "", "2h0m0s behind this host's"},
		{"perhaps", func(f *s3.Findings) { f.ClockOffset = mostOffset + 500*time.Millisecond }, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := good
			tt.change(&f)
			var said bytes.Buffer
			a := &app{err: newErrWriter(&said), place: location{bucket: &s3.Config{Bucket: "bucket", Endpoints: []string{"minio:9000"}}}}
			err := a.judgeProbe(f)
			if (err != nil) != (tt.refuses != "") || err != nil && !strings.Contains(err.Error(), tt.refuses) {
				t.Errorf("error %v, want %q", err, tt.refuses)
			}
			if (said.Len() > 0) != (tt.warns != "") || !strings.Contains(said.String(), tt.warns) {
				t.Errorf("it says %q, want %q", said.String(), tt.warns)
			}
			if err != nil && (exitCode(err) != exitFailure || hint(err) == "") {
				t.Errorf("exit code %d, hint %q", exitCode(err), hint(err))
			}
		})
	}
}

// TestStorageAdvice names the permission that is missing, and on what.
func TestStorageAdvice(t *testing.T) {
	for op, want := range map[string]string{
		"open": "s3:ListBucket on arn:aws:s3:::bucket, or", "list": "s3:ListBucket on arn:aws:s3:::bucket, or", "get": "s3:GetObject on arn:aws:s3:::bucket/p/*, or",
		"stat": "s3:GetObject on arn:aws:s3:::bucket/p/*, or", "put": "s3:PutObject on arn:aws:s3:::bucket/p/*.", "create": "s3:CreateBucket on arn:aws:s3:::bucket.",
		"delete": "s3:DeleteObject on arn:aws:s3:::bucket/p/*.",
	} {
		a := &app{place: location{bucket: &s3.Config{Bucket: "bucket", Prefix: "p"}}}
		err := fmt.Errorf("store x: %w", &storage.OpError{Op: op, Name: "x", Err: fmt.Errorf("%w: AccessDenied", storage.ErrDenied)})
		if got := a.storageAdvice(err); !strings.Contains(got, want) {
			t.Errorf("%s denied: %q, want %q", op, got, want)
		}
		if got := a.storageAdvice(err); strings.Contains(got, "misspelt") != (op == "open" || op == "list" || op == "get" || op == "stat") {
			t.Errorf("%s denied: %q", op, got)
		}
		a.place = location{path: "/r"}
		if got := a.storageAdvice(err); got != "" {
			t.Errorf("of a folder: %q", got)
		}
	}
	for name, want := range map[string]string{
		"put reports/ab/cd": "s3:PutObject on arn:aws:s3:::bucket/p/reports/*.", "put marks/ab": "s3:PutObject on arn:aws:s3:::bucket/p/marks/*.", "put packs/ab": "s3:PutObject on arn:aws:s3:::bucket/p/*.",
		"delete keys/machine-a": "s3:DeleteObject on arn:aws:s3:::bucket/p/keys/*.", "get keys/machine-a": "s3:GetObject on arn:aws:s3:::bucket/p/*, or",
	} {
		op, object, _ := strings.Cut(name, " ")
		a := &app{place: location{bucket: &s3.Config{Bucket: "bucket", Prefix: "p"}}}
		if got := a.storageAdvice(&storage.OpError{Op: op, Name: object, Err: storage.ErrDenied}); !strings.Contains(got, want) {
			t.Errorf("%s denied: %q, want %q", name, got, want)
		}
	}
	a := &app{place: location{bucket: &s3.Config{Bucket: "bucket"}, create: true}}
	for op, want := range map[string]string{"open": "s3:ListBucket, or if it is missing s3:CreateBucket, on", "create": "not allowed s3:CreateBucket on"} {
		err := notOpened(a.place, &storage.OpError{Op: op, Err: storage.ErrDenied})
		if got := a.storageAdvice(err); !strings.Contains(got, want) {
			t.Errorf("%s denied with --create-bucket: %q, want %q", op, got, want)
		}
	}
}

// TestStorageAdviceFull says of a folder and of a bucket that have no room what to do, and speaks of no rights.
func TestStorageAdviceFull(t *testing.T) {
	full := fmt.Errorf("report: %w", &storage.OpError{Op: "put", Name: "reports/00", Err: fmt.Errorf("the file system is full: %w", syscall.ENOSPC)})
	for _, place := range []location{{path: "/srv/backup"}, {bucket: &s3.Config{Bucket: "bucket"}}} {
		a := &app{place: place}
		if got := a.storageAdvice(full); !strings.HasPrefix(got, "The repository's disk is full") || !strings.Contains(got, place.String()) || strings.Contains(got, "allowed") {
			t.Errorf("%s: %q", place, got)
		}
		if got := hint(a.backupError(full, nil, nil)); !strings.Contains(got, "No snapshot was made") || strings.Count(got, "disk is full") != 1 {
			t.Errorf("a backup into %s: %q", place, got)
		}
		d := &verify.DrillDocument{Verdict: verify.Restored, ExitCode: 1}
		if err := a.drillError(d, full); exitCode(err) != 1 || !strings.Contains(hint(err), "disk is full") || strings.Contains(hint(err), "May this") {
			t.Errorf("a drill of %s: %q", place, hint(err))
		}
		d = &verify.DrillDocument{Verdict: verify.Damage, ExitCode: 4, Next: "Run: x"}
		if err := a.drillError(d, full); exitCode(err) != 4 || !strings.HasPrefix(hint(err), "Run: x\nThe repository's disk is full") {
			t.Errorf("a drill of %s with damage: %q", place, hint(err))
		}
	}
	if got := (&app{}).storageAdvice(syscall.ENOSPC); got != "" {
		t.Errorf("a disk that is not the repository's: %q", got)
	}
}

// TestStorageAdviceByCause has errors that no permission helps against.
func TestStorageAdviceByCause(t *testing.T) {
	for _, tt := range []struct {
		cause error
		want  string
	}{
		{errors.Join(s3.ErrKey, storage.ErrDenied), "the credentials come from"},
		{s3.ErrTLS, "ca= and tls="},
		{s3.ErrCredentials, "No request was made"},
		{&net.DNSError{Err: "no such host", Name: "minoi.example", IsNotFound: true}, "no host minoi.example for this host's name servers: see to endpoint="},
		{&net.DNSError{Err: "server misbehaving", Name: "minio.example", IsTemporary: true}, "runs and can be reached"},
	} {
		a := &app{place: location{bucket: &s3.Config{Bucket: "bucket"}}}
		got := a.storageAdvice(&storage.OpError{Op: "open", Temporary: true, Err: tt.cause})
		if !strings.Contains(got, tt.want) || strings.Contains(got, "s3:") || strings.Contains(got, "AWS_") {
			t.Errorf("%v: %q, want %q and no permission", tt.cause, got, tt.want)
		}
	}
}

// TestBoundNames repeats an opening for long, but not when the server's name does not exist.
func TestBoundNames(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cause error
		least time.Duration
		most  time.Duration
	}{
		{"no such host", &net.DNSError{Err: "no such host", Name: "minoi.example", IsNotFound: true}, namePatience, time.Minute},
		{"no answer", &net.DNSError{Err: "server misbehaving", Name: "minio.example", IsTemporary: true}, 15 * time.Minute, 15 * time.Minute},
		{"refused", errors.New("connection refused"), 15 * time.Minute, 15 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				late := &lateStore{open: boundNames(func(context.Context) (*s3.Store, error) {
					return nil, &storage.OpError{Op: "open", Temporary: true, Err: tt.cause}
				})}
				began := time.Now()
				_, err := retry.New(late, retry.Options{MaxElapsed: 15 * time.Minute}).Stat(t.Context(), "config")
				if d := time.Since(began); !errors.Is(err, tt.cause) || d < tt.least || d > tt.most {
					t.Errorf("%v after %v, want the end after %v to %v", err, d, tt.least, tt.most)
				}
			})
		})
	}
}

// TestRates reads limits and durations from flags and their variables.
func TestRates(t *testing.T) {
	env := map[string]string{}
	a := &app{getenv: func(name string) string { return env[name] }}
	env["STORE_LIMIT_UPLOAD"], env["STORE_RETRY_FOR"] = "50MiB", "90s"
	up, down, err := a.limits()
	if err != nil || up != 50<<20 || down != 0 {
		t.Errorf("limits %d and %d, %v", up, down, err)
	}
	if d, err := a.retryFor(); err != nil || d != 90*time.Second {
		t.Errorf("retry for %v, %v", d, err)
	}
	a.g.limitUpload, a.g.retryFor = "1MB/s", "0"
	if up, _, err = a.limits(); err != nil || up != 1_000_000 {
		t.Errorf("limit %d, %v: a flag goes before its variable", up, err)
	}
	if d, err := a.retryFor(); err != nil || d != 0 {
		t.Errorf("retry for %v, %v", d, err)
	}
}
