package miniotest_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"savepoint/internal/miniotest"
)

// servers are the ways to start one.
var servers = map[string]func(testing.TB, ...miniotest.Option) *miniotest.Server{
	"MinIO": miniotest.MinIO, "VersityGW": miniotest.VersityGW,
}

// must fails the test for an error of its own preparations.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, c *minio.Client, bucket, name string, data []byte) {
	t.Helper()
	_, err := c.PutObject(t.Context(), bucket, name, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{})
	must(t, err)
}

func get(t testing.TB, c *minio.Client, bucket, name string) ([]byte, error) {
	t.Helper()
	o, err := c.GetObject(t.Context(), bucket, name, minio.GetObjectOptions{})
	must(t, err)
	defer o.Close()
	return io.ReadAll(o)
}

func TestServers(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			for _, tls := range []bool{false, true} {
				t.Run(map[bool]string{false: "plain", true: "tls"}[tls], func(t *testing.T) {
					var opts []miniotest.Option
					if tls {
						opts = append(opts, miniotest.TLS())
					}
					checkServer(t, start(t, opts...), tls)
				})
			}
		})
	}
}

func checkServer(t *testing.T, s *miniotest.Server, tls bool) {
	if (s.CAFile != "") != tls {
		t.Errorf("CAFile is %q", s.CAFile)
	}
	c, bucket := s.Client(t), s.Bucket(t)
	put(t, c, bucket, "a/b", []byte("before"))
	if tls {
		var unknown x509.UnknownAuthorityError
		stranger, err := minio.New(s.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Secure: true, MaxRetries: 1})
		must(t, err)
		if _, err := stranger.ListBuckets(t.Context()); !errors.As(err, &unknown) {
			t.Errorf("a client that does not know the authority: %v", err)
		}
	}

	s.Stop(t)
	if conn, err := net.Dial("tcp", s.Endpoint); err == nil {
		conn.Close()
		t.Error("a stopped server accepts a connection")
	}
	s.Start(t)
	if got, err := get(t, c, bucket, "a/b"); err != nil || string(got) != "before" {
		t.Errorf("after an outage: %q, %v", got, err)
	}
	if s.CPU() <= 0 {
		t.Errorf("two starts took %v of CPU", s.CPU())
	}
}

func TestNoProcessIsLeft(t *testing.T) {
	for name, start := range servers {
		var pid int
		t.Run(name, func(t *testing.T) {
			s := start(t)
			pid = s.Pid()
			s.Pause(t) // a frozen one must go too
		})
		if pid != 0 && syscall.Kill(pid, 0) != syscall.ESRCH { // 0 where the subtest has said why
			t.Errorf("%s: process %d is there after its test", name, pid)
		}
	}
}

func TestPause(t *testing.T) {
	s := miniotest.MinIO(t)
	c, bucket := s.Client(t), s.Bucket(t)
	for range 20 {
		s.Pause(t)
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.Pid()))
		must(t, err)
		for _, path := range stats {
			if stat, err := os.ReadFile(path); err == nil && !bytes.Contains(stat, []byte(") T ")) {
				t.Errorf("a thread runs on: %s", stat)
			}
		}
		s.Resume(t)
		_, err = c.ListBuckets(t.Context()) // its threads are busy again
		must(t, err)
	}

	s.Pause(t)
	done := make(chan error, 1)
	go func() {
		_, err := c.BucketExists(t.Context(), bucket)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("a frozen server answers: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	s.Resume(t)
	if err := <-done; err != nil {
		t.Errorf("after it goes on: %v", err)
	}
}

func TestBuckets(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			c := s.Client(t)
			plain, versioned, locked := s.Bucket(t), s.Bucket(t, miniotest.Versioned), s.Bucket(t, miniotest.ObjectLock)
			for bucket, want := range map[string]bool{plain: false, versioned: true, locked: true} {
				v, err := c.GetBucketVersioning(t.Context(), bucket)
				if err != nil || v.Enabled() != want {
					t.Errorf("versioning of %s: %v, %v; want %v", bucket, v.Enabled(), err, want)
				}
				objectLock, _, _, _, err := c.GetObjectLockConfig(t.Context(), bucket)
				if has := err == nil && objectLock == "Enabled"; has != (bucket == locked) {
					t.Errorf("object lock of %s: %q, %v", bucket, objectLock, err)
				}
			}
		})
	}
}

func TestSession(t *testing.T) {
	s := miniotest.MinIO(t)
	bucket, other := s.Bucket(t), s.Bucket(t)
	put(t, s.Client(t), bucket, "old", []byte("old"))

	access, secret, token := s.Session(t, miniotest.LeastPolicy(bucket), 0)
	c, err := minio.New(s.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(access, secret, token), Region: miniotest.Region, MaxRetries: 1})
	must(t, err)
	put(t, c, bucket, "new", []byte("new"))
	if got, err := get(t, c, bucket, "old"); err != nil || string(got) != "old" {
		t.Errorf("get: %q, %v", got, err)
	}
	n := 0
	for o := range c.ListObjectsIter(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		must(t, o.Err)
		n++
	}
	if n != 2 {
		t.Errorf("list: %d objects", n)
	}
	denied := map[string]error{
		"delete":       c.RemoveObject(t.Context(), bucket, "old", minio.RemoveObjectOptions{}),
		"make bucket":  c.MakeBucket(t.Context(), "another", minio.MakeBucketOptions{}),
		"other bucket": second(c.StatObject(t.Context(), other, "x", minio.StatObjectOptions{})),
	}
	for what, err := range denied {
		if code := minio.ToErrorResponse(err).Code; code != "AccessDenied" {
			t.Errorf("%s: %v, want AccessDenied", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestMC(t *testing.T) {
	for _, opts := range [][]miniotest.Option{nil, {miniotest.TLS()}} {
		s := miniotest.MinIO(t, opts...)
		bucket := s.Bucket(t)
		put(t, s.Client(t), bucket, "there", []byte("x"))
		if out := s.MC(t, "ls", "local/"+bucket); !strings.Contains(out, "there") {
			t.Errorf("mc ls printed %q", out)
		}
	}
}

func TestURL(t *testing.T) {
	s := miniotest.MinIO(t, miniotest.TLS())
	u, err := url.Parse(s.URL("games", "eu/one"))
	must(t, err)
	if u.Scheme != "s3" || u.Host != "games" || u.Path != "/eu/one" || u.Query().Get("endpoint") != s.Endpoint || u.Query().Get("ca") != s.CAFile {
		t.Errorf("URL is %s", u)
	}
	if _, err := os.Stat(u.Query().Get("ca")); err != nil {
		t.Error(err)
	}
	if strings.Contains(u.String(), s.SecretKey) {
		t.Errorf("URL %s holds the key", u)
	}
}
