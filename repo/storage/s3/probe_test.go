package s3_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"savepoint/internal/miniotest"
	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

func probe(t *testing.T, s *s3.Store) s3.Findings {
	t.Helper()
	f, err := s.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// answers are the findings in the order of their fields.
func answers(f s3.Findings) [7]s3.Answer {
	return [7]s3.Answer{f.ConditionalCreate.Answer, f.Ranges.Answer, f.Listing.Answer, f.FineTimes.Answer, f.Versioning.Answer, f.ObjectLock.Answer, f.Delete.Answer}
}

// versions counts what is in a bucket, old versions and markers too.
func versions(t *testing.T, srv *miniotest.Server, bucket string) int {
	t.Helper()
	n := 0
	for o := range srv.Client(t).ListObjectsIter(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		n++
	}
	return n
}

func TestProbe(t *testing.T) {
	t.Parallel()
	const yes, no = s3.Yes, s3.No
	minIO, versity := miniotest.MinIO(t), miniotest.VersityGW(t)
	tests := []struct {
		name string
		srv  *miniotest.Server
		opts []miniotest.BucketOption
		want [7]s3.Answer
	}{
		{"MinIO", minIO, nil, [7]s3.Answer{yes, yes, yes, yes, no, no, yes}},
		{"MinIO with versions", minIO, []miniotest.BucketOption{miniotest.Versioned}, [7]s3.Answer{yes, yes, yes, yes, yes, no, yes}},
		{"MinIO with object lock", minIO, []miniotest.BucketOption{miniotest.ObjectLock}, [7]s3.Answer{yes, yes, yes, yes, yes, yes, yes}},
		{"Versity", versity, nil, [7]s3.Answer{yes, yes, yes, no, no, no, yes}},
		{"Versity with object lock", versity, []miniotest.BucketOption{miniotest.ObjectLock}, [7]s3.Answer{yes, yes, yes, no, yes, yes, yes}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := tt.srv.Bucket(t, tt.opts...)
			f := probe(t, openAt(t, tt.srv, tt.srv.URL(bucket, "p"), nil))
			if got := answers(f); got != tt.want {
				t.Errorf("findings are %+v, want %v", f, tt.want)
			}
			if f.ClockOffset.Abs() > f.ClockError || f.ClockError < 500*time.Millisecond || f.ClockError > 10*time.Second {
				t.Errorf("on one host the clocks differ by %v ± %v", f.ClockOffset, f.ClockError)
			}
			if n := versions(t, tt.srv, bucket); n != 0 || len(f.Left) != 0 {
				t.Errorf("the probe leaves %d versions, and says %q", n, f.Left)
			}
		})
	}
}

// TestProbeWithLeast has a credential that may put, get and list alone.
func TestProbeWithLeast(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	bucket := srv.Bucket(t)
	c := config(t, srv, srv.URL(bucket, "p"))
	c.Keys.Access, c.Keys.Secret, c.Keys.Token = srv.Session(t, miniotest.LeastPolicy(bucket), 0)
	s, err := s3.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	f := probe(t, s)
	if want := [7]s3.Answer{s3.Yes, s3.Yes, s3.Yes, s3.Yes, s3.Unknown, s3.Unknown, s3.No}; answers(f) != want {
		t.Errorf("findings are %+v, want %v", f, want)
	}
	if n := versions(t, srv, bucket); n != len(f.Left) || n == 0 {
		t.Errorf("the probe leaves %d objects, and says %q", n, f.Left)
	}
}

// front stands before a server and changes some requests and answers: before may
// answer a request itself, and returns true if it has.
func front(t *testing.T, srv *miniotest.Server, before func(http.ResponseWriter, *http.Request) bool, after func(*http.Response)) string {
	t.Helper()
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: srv.Endpoint})
	p.ModifyResponse = func(r *http.Response) error {
		if after != nil {
			after(r)
		}
		return nil
	}
	f := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before == nil || !before(w, r) {
			p.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(f.Close)
	return f.Listener.Addr().String()
}

// TestProbeFindsOut has servers that lack what they should have.
func TestProbeFindsOut(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	bucket := srv.Bucket(t)
	through := func(before func(http.ResponseWriter, *http.Request) bool) s3.Findings {
		t.Helper()
		endpoint := front(t, srv, before, nil)
		return probe(t, openAt(t, srv, srv.URL(bucket, ""), func(c *s3.Config) { c.Endpoints = []string{endpoint} }))
	}
	client := srv.Client(t)
	ignored := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("If-None-Match") == "" {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		_, err := client.PutObject(r.Context(), bucket, r.URL.Path[len(bucket)+2:], bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{})
		if err != nil {
			t.Error(err)
		}
		return true
	}
	if f := through(ignored); f.ConditionalCreate.Answer != s3.No || f.ConditionalCreate.Why == "" {
		t.Errorf("a server that ignores If-None-Match: %+v", f.ConditionalCreate)
	}
	refused := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("If-None-Match") == "" {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNotImplemented)
		_, _ = io.WriteString(w, "<Error><Code>NotImplemented</Code></Error>")
		return true
	}
	if f := through(refused); f.ConditionalCreate.Answer != s3.No {
		t.Errorf("a server that does not know If-None-Match: %+v", f.ConditionalCreate)
	}
	rangeless := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") != "bytes=123-167" {
			return false
		}
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		_, _ = w.Write(make([]byte, 1000))
		return true
	}
	if f := through(rangeless); f.Ranges.Answer != s3.No {
		t.Errorf("a server without ranges: %+v", f.Ranges)
	}
	if n := versions(t, srv, bucket); n != 0 {
		t.Errorf("the probes leave %d objects", n)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	minIO := miniotest.MinIO(t)
	for _, srv := range []*miniotest.Server{minIO, miniotest.VersityGW(t)} {
		until := time.Now().Add(time.Hour)
		bucket := srv.Bucket(t, miniotest.ObjectLock)
		s := openAt(t, srv, srv.URL(bucket, ""), nil)
		if err := putErr(t.Context(), s, "kept", []byte("x"), storage.PutOptions{IfAbsent: true, RetainUntil: until}); err != nil {
			t.Fatalf("%s: %v", srv.Name, err)
		}
		client := srv.Client(t)
		mode, date, err := client.GetObjectRetention(t.Context(), bucket, "kept", "")
		if srv != minIO {
			err = nil // minio-go does not understand the gateway's answer
		} else if err != nil || *mode != minio.Compliance || date.Before(until) || date.After(until.Add(time.Second)) {
			t.Errorf("%s: retention is %v until %v, %v; want compliance until %v", srv.Name, mode, date, err, until)
		}
		info, err := client.StatObject(t.Context(), bucket, "kept", minio.StatObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.RemoveObject(t.Context(), bucket, "kept", minio.RemoveObjectOptions{VersionID: info.VersionID, GovernanceBypass: true}); err == nil {
			t.Errorf("%s: the retained version can be deleted", srv.Name)
		}

		s = open(t, srv, nil)
		wantErr(t, putErr(t.Context(), s, "kept", []byte("x"), storage.PutOptions{RetainUntil: until}), storage.ErrUnsupported, false)
		if _, err := s.Stat(t.Context(), "kept"); err == nil {
			t.Errorf("%s: the object was published without retention", srv.Name)
		}
	}
}

// TestVersions has a bucket that keeps what is deleted.
func TestVersions(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	s := openAt(t, srv, srv.URL(srv.Bucket(t, miniotest.Versioned), ""), nil)
	create := func() error { return putErr(t.Context(), s, "o", []byte("x"), storage.PutOptions{IfAbsent: true}) }
	for range 2 {
		if err := create(); err != nil {
			t.Fatal(err)
		}
		wantErr(t, create(), storage.ErrExists, false)
		if err := s.Delete(t.Context(), "o", "missing"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), "o", 0, -1, nil)
		wantErr(t, err, storage.ErrNotExist, false)
		for info, err := range s.List(t.Context(), "", "") {
			t.Errorf("List = %+v, %v", info, err)
		}
	}
}
