package s3_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"savepoint/internal/miniotest"
	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

// faulty is a store behind a proxy, with an object that was put.
type faulty struct {
	*s3.Store
	proxy  *miniotest.Proxy
	direct *s3.Store // without the proxy
	data   []byte
}

func openFaulty(t testing.TB, srv *miniotest.Server, change func(*s3.Config)) *faulty {
	t.Helper()
	f := &faulty{proxy: srv.Proxy(t), data: pattern(3<<20 + 7)}
	bucket := srv.Bucket(t)
	f.direct = openAt(t, srv, srv.URL(bucket, "p"), nil)
	f.Store = openAt(t, srv, f.proxy.URL(bucket, "p"), change)
	put(t, f.direct, "o", f.data)
	return f
}

// count returns how many requests of a method came, since skip ones were there.
func (f *faulty) count(method string, skip int) int {
	n := 0
	for _, r := range f.proxy.Requests()[skip:] {
		if strings.HasPrefix(r, method+" ") {
			n++
		}
	}
	return n
}

func TestGetGoesOn(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	tests := []struct {
		name   string
		faults []miniotest.Action
		off, n int64
	}{
		{"reset", []miniotest.Action{miniotest.CutBody(1000)}, 0, -1},
		{"reset in a range", []miniotest.Action{miniotest.CutBody(1000)}, 12345, 2 << 20},
		{"reset of a range to the end", []miniotest.Action{miniotest.CutBody(1 << 20)}, 77, -1},
		{"end too early", []miniotest.Action{miniotest.ShortBody(500_000)}, 0, 3 << 20},
		{"again and again", []miniotest.Action{
			miniotest.CutBody(1), miniotest.ShortBody(100_000), miniotest.CutBody(1 << 20), miniotest.ShortBody(17),
		}, 5, -1},
		{"stall", []miniotest.Action{miniotest.StallBody(2 << 20)}, 0, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := openFaulty(t, srv, func(c *s3.Config) { c.Idle = 500 * time.Millisecond })
			skip := len(f.proxy.Requests())
			for _, do := range tt.faults {
				f.proxy.Inject(miniotest.Fault{Match: miniotest.On("GET", "/o$"), Times: 1, Do: do})
			}
			got, err := f.Get(t.Context(), "o", tt.off, tt.n, []byte("kept"))
			if err != nil {
				t.Fatal(err)
			}
			end := tt.off + tt.n
			if tt.n < 0 {
				end = int64(len(f.data))
			}
			if !bytes.Equal(got, append([]byte("kept"), f.data[tt.off:end]...)) {
				t.Errorf("Get = %d bytes, want what dst held and bytes %d to %d", len(got), tt.off, end)
			}
			if n := f.count("GET", skip); n != len(tt.faults)+1 {
				t.Errorf("%d requests, want one more than the %d faults", n, len(tt.faults))
			}
		})
	}
}

// TestGetNeverMixes replaces the object while it is read.
func TestGetNeverMixes(t *testing.T) {
	t.Parallel()
	f := openFaulty(t, miniotest.MinIO(t), nil)
	f.proxy.Inject(miniotest.Fault{Match: miniotest.On("GET", "/o$"), Times: 1, Do: miniotest.CutBody(1 << 20)})
	replaced := bytes.Repeat([]byte("new"), len(f.data)/3)
	f.proxy.Inject(miniotest.Fault{Match: miniotest.On("GET", "/o$"), Times: 1, Do: miniotest.Delay(0), Hit: func(*http.Request) {
		put(t, f.direct, "o", replaced)
	}})
	dst := []byte("kept")
	got, err := f.Get(t.Context(), "o", 0, -1, dst)
	wantErr(t, err, nil, true)
	if string(got) != "kept" {
		t.Errorf("Get = %d bytes, want dst as it was", len(got))
	}
	want(t, f.Store, "o", replaced)
}

// TestGetGivesUp has the connection break before anything came, or for ever.
func TestGetGivesUp(t *testing.T) {
	t.Parallel()
	f := openFaulty(t, miniotest.VersityGW(t), nil)
	f.proxy.Inject(miniotest.Fault{Match: miniotest.On("GET", "/o$"), Times: 1, Do: miniotest.CutBody(0)})
	skip := len(f.proxy.Requests())
	_, err := f.Get(t.Context(), "o", 0, -1, nil)
	wantErr(t, err, nil, true)
	if n := f.count("GET", skip); n != 1 {
		t.Errorf("%d requests when there is no progress, want 1", n)
	}
	f.proxy.Inject(miniotest.Fault{Match: miniotest.On("GET", "/o$"), Do: miniotest.CutBody(1)})
	_, err = f.Get(t.Context(), "o", 0, -1, nil)
	wantErr(t, err, nil, true)
	if n := f.count("GET", skip); n > 100 {
		t.Errorf("%d requests for one byte each", n)
	}
}

// TestGetDistrusts has answers that are not what was asked for.
func TestGetDistrusts(t *testing.T) {
	t.Parallel()
	f := openFaulty(t, miniotest.VersityGW(t), nil)
	for name, do := range map[string]miniotest.Action{
		"longer": miniotest.WrongLength(5), "shorter": miniotest.WrongLength(-5), "empty": miniotest.WrongLength(-10 << 20),
		"moved on": miniotest.WrongRange(1), "moved back": miniotest.WrongRange(-1), "far away": miniotest.WrongRange(1 << 40),
	} {
		for _, n := range []int64{-1, 1000} {
			f.proxy.Inject(miniotest.Fault{Match: miniotest.On("GET", "/o$"), Times: 1, Do: do})
			got, err := f.Get(t.Context(), "o", 10, n, []byte("kept"))
			if err == nil || string(got) != "kept" {
				t.Errorf("%s: Get of %d = %d bytes, %v, want dst as it was and an error", name, n, len(got), err)
			}
			wantErr(t, err, nil, true)
		}
	}
	want(t, f.Store, "o", f.data)
}

// TestListGoesOn breaks off the second page of a listing.
func TestListGoesOn(t *testing.T) {
	t.Parallel()
	f := openFaulty(t, miniotest.VersityGW(t), nil)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < 1200; i += 8 {
				put(t, f.direct, "n/"+string(rune('a'+i/100))+"/"+string(rune('a'+i%100/10))+string(rune('a'+i%10)), []byte("x"))
			}
		})
	}
	wg.Wait()
	f.proxy.Inject(miniotest.Fault{Match: miniotest.OnList, Skip: 1, Times: 1, Do: miniotest.CutBody(3000)})
	f.proxy.Inject(miniotest.Fault{Match: miniotest.OnList, Skip: 1, Times: 1, Do: miniotest.CutBody(0)})
	last, n := "", 0
	var failed error
	for info, err := range f.List(t.Context(), "n/", "") {
		if err != nil {
			failed = err
			break
		}
		if info.Name <= last {
			t.Fatalf("%s after %s", info.Name, last)
		}
		last = info.Name
		n++
	}
	wantErr(t, failed, nil, true) // the second fault hits an attempt that has made no progress
	for info, err := range f.List(t.Context(), "n/", last) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; info.Name <= last {
			t.Fatalf("%s after %s", info.Name, last)
		}
		last = info.Name
	}
	if n != 1200 {
		t.Errorf("%d objects are listed in all, want 1200", n)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	f := openFaulty(t, miniotest.MinIO(t), nil)
	tests := []struct {
		status    int
		code      string
		sentinel  error
		temporary bool
		text      string
	}{
		{503, "SlowDown", storage.ErrSlowDown, true, "SlowDown"},
		{503, "SlowDownWrite", storage.ErrSlowDown, true, ""},
		{429, "TooManyRequests", storage.ErrSlowDown, true, ""},
		{429, "Whatever", storage.ErrSlowDown, true, ""},
		{503, "ServiceUnavailable", nil, true, ""},
		{503, "XMinioServerNotInitialized", nil, true, ""},
		{500, "InternalError", nil, true, "injected"},
		{502, "Whatever", nil, true, ""},
		{504, "Whatever", nil, true, ""},
		{400, "RequestTimeout", nil, true, ""},
		{400, "BadDigest", nil, true, ""},
		{403, "AccessDenied", storage.ErrDenied, false, "AccessDenied"},
		{403, "SignatureDoesNotMatch", storage.ErrDenied, false, "credentials from the configuration"},
		{403, "InvalidAccessKeyId", storage.ErrDenied, false, "credentials from the configuration"},
		{400, "ExpiredToken", storage.ErrDenied, false, "credentials from the configuration"},
		{403, "RequestTimeTooSkewed", nil, false, "this host's"},
		{501, "NotImplemented", storage.ErrUnsupported, false, "NotImplemented"},
		{400, "EntityTooLarge", nil, false, "EntityTooLarge"},
		{507, "XMinioStorageFull", syscall.ENOSPC, false, "XMinioStorageFull"},
		{404, "NoSuchBucket", nil, false, "bucket test-"},
		{301, "PermanentRedirect", nil, false, "PermanentRedirect"},
	}
	for _, tt := range tests {
		skip := len(f.proxy.Requests())
		f.proxy.Inject(miniotest.Fault{Do: miniotest.Status(tt.status, tt.code)})
		errs := callAll(t.Context(), f.Store, "o")
		f.proxy.Heal()
		if n := len(f.proxy.Requests()) - skip; n != len(errs) && tt.status != 501 { // of which several deletions make more
			t.Errorf("%d calls on %d %s make %d requests", len(errs), tt.status, tt.code, n)
		}
		for name, err := range errs {
			if err == nil {
				t.Errorf("%s on %d %s succeeds", name, tt.status, tt.code)
				continue
			}
			wantErr(t, err, tt.sentinel, tt.temporary)
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s on %d %s: error %q does not say %q", name, tt.status, tt.code, err, tt.text)
			}
		}
	}
	want(t, f.Store, "o", f.data)
}

func TestNothingAnswers(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	f := openFaulty(t, srv, func(c *s3.Config) { c.Idle = 200 * time.Millisecond })
	check := func(what string, before func()) {
		before()
		errs := callAll(t.Context(), f.Store, "o")
		f.proxy.Heal()
		for name, err := range errs {
			if err == nil {
				t.Errorf("%s while the server %s succeeds", name, what)
				continue
			}
			wantErr(t, err, nil, true)
		}
	}
	inject := func(a miniotest.Action) func() {
		return func() { f.proxy.Inject(miniotest.Fault{Do: a}) } // net/http repeats a GET of its own accord, once
	}
	none := func() {}
	check("refuses", inject(miniotest.Refuse()))
	check("hangs", inject(miniotest.Hang()))
	srv.Pause(t)
	check("is frozen", none)
	srv.Resume(t)
	srv.Stop(t)
	check("is down", none)
	srv.Start(t)
	want(t, f.Store, "o", f.data)
}

// TestLostAnswer loses the answer to a creation that was done: it is not repeated.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	f := openFaulty(t, miniotest.VersityGW(t), nil)
	f.proxy.Inject(miniotest.Fault{Match: miniotest.On("PUT", ""), Times: 1, Do: miniotest.LostAnswer()})
	skip := len(f.proxy.Requests())
	create := func() error {
		return putErr(t.Context(), f.Store, "new", []byte("mine"), storage.PutOptions{IfAbsent: true})
	}
	wantErr(t, create(), nil, true)
	if n := f.count("PUT", skip); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	wantErr(t, create(), storage.ErrExists, false)
	want(t, f.Store, "new", []byte("mine"))
}

// TestConflict has a server that cannot decide between two creations.
func TestConflict(t *testing.T) {
	t.Parallel()
	f := openFaulty(t, miniotest.VersityGW(t), nil)
	create := func(name string) error {
		f.proxy.Inject(miniotest.Fault{Match: miniotest.On("PUT", ""), Times: 1, Do: miniotest.Status(409, "ConditionalRequestConflict")})
		return putErr(t.Context(), f.Store, name, []byte("mine"), storage.PutOptions{IfAbsent: true})
	}
	wantErr(t, create("o"), storage.ErrExists, false)
	wantErr(t, create("new"), nil, true)
	if _, err := f.Stat(t.Context(), "new"); err == nil {
		t.Error("the object was published")
	}
}

// TestLargeRefused has the server refuse a large body before it has read it: the
// reason arrives.
func TestLargeRefused(t *testing.T) {
	t.Parallel()
	for _, srv := range []*miniotest.Server{miniotest.MinIO(t), miniotest.VersityGW(t)} {
		s := open(t, srv, nil)
		big := pattern(32 << 20)
		put(t, s, "o", big)
		err := putErr(t.Context(), s, "o", big, storage.PutOptions{IfAbsent: true})
		for tries := 0; tries < 20 && isTemporary(err); tries++ { // the gateway resets connections, and may have had all of the body
			err = putErr(t.Context(), s, "o", big, storage.PutOptions{IfAbsent: true})
		}
		wantErr(t, err, storage.ErrExists, false)
		want(t, s, "o", big)
	}
}

// TestHalfOpen loses all packets in one direction in the middle of a transfer.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	srv := miniotest.VersityGW(t)
	toxi := srv.Toxi(t)
	s := openAt(t, srv, toxi.URL(srv.Bucket(t), ""), func(c *s3.Config) { c.Idle = 300 * time.Millisecond })
	put(t, s, "o", pattern(1000))
	toxi.HalfOpen(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for name, err := range callAll(ctx, s, "o") {
		if err == nil || !strings.Contains(err.Error(), "no byte has moved") {
			t.Errorf("%s over a half-open connection: %v", name, err)
			continue
		}
		wantErr(t, err, nil, true)
	}
	toxi.Heal(t)
	want(t, s, "o", pattern(1000))
}
