package s3_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/internal/miniotest"
	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

func TestOpenFails(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	bucket := srv.Bucket(t)
	tests := []struct {
		name     string
		change   func(*s3.Config)
		sentinel error
		says     string
	}{
		{"no such bucket", func(c *s3.Config) { c.Bucket = "no-such-bucket" }, storage.ErrNotExist, "no-such-bucket"},
		{"unknown key", func(c *s3.Config) { c.Keys.Access = "nobody" }, storage.ErrDenied, "InvalidAccessKeyId"},
		{"wrong secret", func(c *s3.Config) { c.Keys.Secret = "wrong-secret" }, storage.ErrDenied, "credentials from the configuration"},
		{"half a key", func(c *s3.Config) { c.Keys.Secret = "" }, nil, "missing"},
		{"bad bucket name", func(c *s3.Config) { c.Bucket = "x" }, nil, "bucket"},
		{"wrong region", func(c *s3.Config) { c.Region = "mars-1" }, nil, "region"},
		{"TLS where there is none", func(c *s3.Config) { c.Insecure = false }, nil, "tls=false"},
		{"no such CA file", func(c *s3.Config) { c.Insecure, c.CAFile = false, "/no/such/file" }, nil, "ca="},
	}
	for _, tt := range tests {
		c := config(t, srv, srv.URL(bucket, "p"))
		tt.change(&c)
		_, err := s3.Open(t.Context(), c)
		wantErr(t, err, tt.sentinel, false)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), srv.SecretKey) {
			t.Errorf("%s: error %v does not say %q, or says too much", tt.name, err, tt.says)
		}
	}
	if _, err := s3.Open(t.Context(), config(t, srv, srv.URL(bucket, "p"))); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s3.Open(ctx, config(t, srv, srv.URL(bucket, "p"))); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a cancelled context: %v", err)
	}
	srv.Stop(t)
	_, err := s3.Open(t.Context(), config(t, srv, srv.URL(bucket, "p")))
	wantErr(t, err, nil, true)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t, miniotest.TLS())
	url := srv.URL(srv.Bucket(t), "p")
	s := openAt(t, srv, url, nil)
	put(t, s, "o", pattern(2<<20))
	want(t, s, "o", pattern(2<<20))
	for says, change := range map[string]func(*s3.Config){
		"ca=":                 func(c *s3.Config) { c.CAFile = "" },
		"leave out tls=false": func(c *s3.Config) { c.Insecure, c.CAFile = true, "" },
		"no PEM certificate": func(c *s3.Config) {
			c.CAFile = filepath.Join(t.TempDir(), "empty.pem")
			if err := os.WriteFile(c.CAFile, []byte("nothing"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"no such file": func(c *s3.Config) { c.CAFile = filepath.Join(t.TempDir(), "missing.pem") },
	} {
		c := config(t, srv, url)
		change(&c)
		_, err := s3.Open(t.Context(), c)
		wantErr(t, err, s3.ErrTLS, false)
		if !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("error %q does not say %q", err, says)
		}
	}
}

func TestCreateBucket(t *testing.T) {
	t.Parallel()
	for _, srv := range []*miniotest.Server{miniotest.MinIO(t), miniotest.VersityGW(t)} {
		c := config(t, srv, srv.URL("made-for-this", "p"))
		if _, err := s3.Open(t.Context(), c); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Open before the bucket is made: %v", err)
		}
		for range 2 {
			if err := s3.CreateBucket(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s3.Open(t.Context(), c); err != nil {
			t.Error(err)
		}
		c.Keys.Secret = "wrong-secret"
		wantErr(t, s3.CreateBucket(t.Context(), c), storage.ErrDenied, false)
	}
}

// TestPolicies has credentials that may do only some things.
func TestPolicies(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	bucket := srv.Bucket(t)
	owner := openAt(t, srv, srv.URL(bucket, "p"), nil)
	put(t, owner, "o", []byte("old"))
	session := func(policy string) s3.Config {
		c := config(t, srv, srv.URL(bucket, "p"))
		c.Keys.Access, c.Keys.Secret, c.Keys.Token = srv.Session(t, policy, 0)
		return c
	}
	denied := func(c s3.Config, ops ...string) {
		t.Helper()
		s, err := s3.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		for name, do := range calls(s, "o") {
			err := do(t.Context())
			no := false
			for _, op := range ops {
				no = no || strings.HasPrefix(name, op)
			}
			switch {
			case no:
				wantErr(t, err, storage.ErrDenied, false)
			case err != nil:
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	denied(session(miniotest.LeastPolicy(bucket)), "delete")
	if err := owner.Delete(t.Context(), "o-new"); err != nil {
		t.Fatal(err)
	}
	denied(session(miniotest.Policy(bucket, "s3:ListBucket", "s3:GetObject")), "put", "create", "delete")
	if _, err := owner.Stat(t.Context(), "o-new"); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("what must not be put is there: %v", err)
	}
	denied(session(miniotest.Policy(bucket, "s3:ListBucket", "s3:PutObject")), "get", "stat", "delete")
	_, err := s3.Open(t.Context(), session(miniotest.Policy(bucket, "s3:PutObject", "s3:GetObject")))
	wantErr(t, err, storage.ErrDenied, false)
}

// TestBucketGone removes the bucket of an open store. Each call has a bucket of its
// own: MinIO can make one again that is much asked for.
func TestBucketGone(t *testing.T) {
	t.Parallel()
	for _, srv := range []*miniotest.Server{miniotest.MinIO(t), miniotest.VersityGW(t)} {
		for name := range calls(nil, "o") {
			bucket := srv.Bucket(t)
			s := openAt(t, srv, srv.URL(bucket, ""), nil)
			if err := srv.Client(t).RemoveBucket(t.Context(), bucket); err != nil {
				t.Fatal(err)
			}
			err := calls(s, "o")[name](t.Context())
			wantErr(t, err, nil, false)
			if !strings.Contains(fmt.Sprint(err), bucket) {
				t.Errorf("%s: %s: error %v does not name the bucket", srv.Name, name, err)
			}
		}
	}
}

// TestRegionIsFound has a server that wants another region than the usual one.
func TestRegionIsFound(t *testing.T) {
	t.Parallel()
	asked := 0
	h := func(w http.ResponseWriter, r *http.Request) {
		asked++
		if !strings.Contains(r.Header.Get("Authorization"), "/mars-1/s3/") {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong region</Message><Region>mars-1</Region></Error>`)
			return
		}
		fmt.Fprint(w, `<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`)
	}
	front := httptest.NewServer(http.HandlerFunc(h))
	defer front.Close()
	c := s3.Config{Bucket: "bucket", Endpoints: []string{front.Listener.Addr().String()}, Insecure: true, Keys: s3.Keys{Access: "a", Secret: "s"}}
	s, err := s3.Open(t.Context(), c)
	if err != nil || asked != 2 {
		t.Fatalf("Open asks %d times: %v", asked, err)
	}
	s.Close()
	c.Region = "venus-1"
	_, err = s3.Open(t.Context(), c)
	wantErr(t, err, nil, false)
	if !strings.Contains(fmt.Sprint(err), "region=mars-1") {
		t.Errorf("error %v does not name the region", err)
	}
}

// TestNotS3 has something else answer.
func TestNotS3(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 404, 403, 301} {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, `<!DOCTYPE html><html><body>Welcome, <b>stranger</body></html>`)
		}))
		defer front.Close()
		c := s3.Config{Bucket: "bucket", Endpoints: []string{front.Listener.Addr().String()}, Insecure: true, Keys: s3.Keys{Access: "a", Secret: "s"}}
		_, err := s3.Open(t.Context(), c)
		sentinel := map[int]error{403: storage.ErrDenied}[status]
		wantErr(t, err, sentinel, false)
	}
}
