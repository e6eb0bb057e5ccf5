package s3_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"savepoint/internal/miniotest"
	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

// bare takes away all that could give credentials, and returns the new home.
func bare(t *testing.T) string {
	t.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONFIG_FILE",
		"AWS_SHARED_CREDENTIALS_FILE", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_SHARED_CREDENTIALS_FILE",
		"MINIO_ALIAS", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	home := t.TempDir()
	t.Setenv("HOME", home)
	return home
}

// chained is a configuration without keys.
func chained(t *testing.T, srv *miniotest.Server, url string) s3.Config {
	c := config(t, srv, url)
	c.Keys = s3.Keys{}
	return c
}

func TestCredentialSources(t *testing.T) {
	srv := miniotest.VersityGW(t)
	url := srv.URL(srv.Bucket(t), "")
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		set  func(t *testing.T, home string)
	}{
		{"AWS_ACCESS_KEY_ID", func(t *testing.T, _ string) {
			t.Setenv("AWS_ACCESS_KEY_ID", srv.AccessKey)
			t.Setenv("AWS_SECRET_ACCESS_KEY", srv.SecretKey)
		}},
		{"MINIO_ROOT_USER", func(t *testing.T, _ string) {
			t.Setenv("MINIO_ROOT_USER", srv.AccessKey)
			t.Setenv("MINIO_ROOT_PASSWORD", srv.SecretKey)
		}},
		{"shared file", func(_ *testing.T, home string) {
			write(home+"/.aws/credentials", "[default]\naws_access_key_id = "+srv.AccessKey+"\naws_secret_access_key = "+srv.SecretKey+"\n")
		}},
		{"client file", func(t *testing.T, home string) {
			t.Setenv("MINIO_ALIAS", "games")
			write(home+"/.mc/config.json", `{"version":"10","aliases":{"games":{"url":"http://x","accessKey":"`+srv.AccessKey+`","secretKey":"`+srv.SecretKey+`","api":"S3v4"}}}`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.set(t, bare(t))
			s, err := s3.Open(t.Context(), chained(t, srv, url))
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		})
	}
	t.Run("none", func(t *testing.T) {
		home := bare(t) // the client makes this alias by itself
		write(home+"/.mc/config.json", `{"version":"10","aliases":{"s3":{"url":"https://s3.amazonaws.com","accessKey":"YOUR-ACCESS-KEY-HERE","secretKey":"YOUR-SECRET-KEY-HERE"}}}`)
		_, err := s3.Open(t.Context(), chained(t, srv, url))
		wantErr(t, err, nil, false)
		for _, says := range []string{"no credentials", "AWS_ACCESS_KEY_ID", "~/.aws/credentials", "~/.mc/config.json", "MINIO_ALIAS"} {
			if !strings.Contains(fmt.Sprint(err), says) {
				t.Errorf("error %q does not say %q", err, says)
			}
		}
	})
	t.Run("half", func(t *testing.T) {
		for set, missing := range map[string]string{
			"AWS_ACCESS_KEY_ID": "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY": "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY": "AWS_SECRET_KEY",
			"MINIO_ROOT_USER": "MINIO_ROOT_PASSWORD", "MINIO_ROOT_PASSWORD": "MINIO_ROOT_USER", "MINIO_SECRET_KEY": "MINIO_ACCESS_KEY",
		} {
			home := bare(t)
			write(home+"/.aws/credentials", "[default]\naws_access_key_id = "+srv.AccessKey+"\naws_secret_access_key = "+srv.SecretKey+"\n")
			t.Setenv(set, "half-a-secret")
			_, err := s3.Open(t.Context(), chained(t, srv, url))
			wantErr(t, err, s3.ErrCredentials, false)
			if text := fmt.Sprint(err); !strings.Contains(text, set+" is set in the environment, and "+missing+" is not") || strings.Contains(text, "half-a-secret") {
				t.Errorf("error %q does not say that %s is missing, or says too much", text, missing)
			}
		}
	})
	for _, place := range []string{"shared file", "client file"} {
		t.Run("wrong in "+place, func(t *testing.T) {
			home := bare(t)
			write(home+"/.aws/credentials", "[default]\naws_access_key_id = nobody\naws_secret_access_key = wrong\n")
			if place == "client file" {
				home = bare(t)
				t.Setenv("MINIO_ALIAS", "games")
				write(home+"/.mc/config.json", `{"version":"10","aliases":{"games":{"accessKey":"nobody","secretKey":"wrong"}}}`)
			}
			_, err := s3.Open(t.Context(), chained(t, srv, url))
			wantErr(t, err, storage.ErrDenied, false) // at once: the file gives no others
			if !errors.Is(err, s3.ErrKey) || !strings.Contains(fmt.Sprint(err), place) {
				t.Errorf("error %q does not say that the key of the %s is refused", err, place)
			}
		})
	}
	t.Run("wrong", func(t *testing.T) {
		bare(t)
		t.Setenv("AWS_ACCESS_KEY_ID", "nobody")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
		_, err := s3.Open(t.Context(), chained(t, srv, url))
		wantErr(t, err, storage.ErrDenied, false)
		if !strings.Contains(fmt.Sprint(err), "credentials from the environment (AWS_ACCESS_KEY_ID") {
			t.Errorf("error %q does not say where the credentials come from", err)
		}
	})
}

// container serves the role of a container.
type container struct {
	*httptest.Server
	asked atomic.Int32
	lasts atomic.Int64 // nanoseconds that credentials hold
	down  atomic.Bool
}

func newContainer(t *testing.T, srv *miniotest.Server) *container {
	c := &container{}
	c.lasts.Store(int64(time.Hour))
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		if c.down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		until := time.Now().Add(time.Duration(c.lasts.Load())).UTC().Format(time.RFC3339Nano)
		fmt.Fprintf(w, `{"AccessKeyId":%q,"SecretAccessKey":%q,"Expiration":%q}`, srv.AccessKey, srv.SecretKey, until)
	}))
	t.Cleanup(c.Close)
	bare(t)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", c.URL+"/role")
	return c
}

// TestCredentialsAreRenewed has credentials that end, by their own date.
func TestCredentialsAreRenewed(t *testing.T) {
	srv := miniotest.VersityGW(t)
	role := newContainer(t, srv)
	role.lasts.Store(int64(200 * time.Millisecond))
	s, err := s3.Open(t.Context(), chained(t, srv, srv.URL(srv.Bucket(t), "")))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for role.asked.Load() < 4 {
		put(t, s, "o", []byte("x"))
	}
	role.lasts.Store(int64(time.Hour))
	asked := role.asked.Load()
	for role.asked.Load() == asked { // until the last short ones have ended
		put(t, s, "o", []byte("x"))
	}
	put(t, s, "o", []byte("x"))
	if n := role.asked.Load(); n > asked+2 { // an answer may have been on its way when the time was changed
		t.Errorf("credentials that hold for an hour are asked for again at once")
	}
}

// TestExpiredToken has a server that takes credentials for expired.
func TestExpiredToken(t *testing.T) {
	srv := miniotest.VersityGW(t)
	role := newContainer(t, srv)
	proxy := srv.Proxy(t)
	s, err := s3.Open(t.Context(), chained(t, srv, proxy.URL(srv.Bucket(t), "")))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	expired := func(times int) {
		proxy.Inject(miniotest.Fault{Times: times, Do: miniotest.Status(400, "ExpiredToken")})
	}
	write := func() error { return putErr(t.Context(), s, "o", []byte("x"), storage.PutOptions{}) }

	before := role.asked.Load()
	expired(1)
	wantErr(t, write(), nil, true)
	if err := write(); err != nil {
		t.Errorf("the next call: %v", err)
	}
	if n := role.asked.Load() - before; n != 1 {
		t.Errorf("credentials are fetched %d times, want once", n)
	}
	expired(1) // the same ones again, which the role has given twice
	err = write()
	wantErr(t, err, storage.ErrDenied, false)
	if !strings.Contains(fmt.Sprint(err), "credentials from the container's role") {
		t.Errorf("error %q does not say where the credentials come from", err)
	}
	if n := role.asked.Load() - before; n != 1 {
		t.Errorf("credentials are fetched %d times, want once", n)
	}
}

// TestRoleIsAway has the service fail when credentials are to be renewed.
func TestRoleIsAway(t *testing.T) {
	srv := miniotest.VersityGW(t)
	role := newContainer(t, srv)
	role.lasts.Store(int64(3 * time.Second)) // to be renewed after four fifths of it
	s, err := s3.Open(t.Context(), chained(t, srv, srv.URL(srv.Bucket(t), "")))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	role.down.Store(true)
	for role.asked.Load() < 2 {
		put(t, s, "o", []byte("x")) // they still hold
	}
	put(t, s, "o", []byte("x"))
	if n := role.asked.Load(); n != 2 {
		t.Errorf("the service is asked %d times, want 2 within its pause", n)
	}
	if _, err = s3.Open(t.Context(), chained(t, srv, srv.URL(srv.Bucket(t), ""))); err == nil {
		t.Fatal("Open without credentials succeeds")
	}
	wantErr(t, err, nil, true)
	if !strings.Contains(err.Error(), "container") {
		t.Errorf("error %q does not name the service", err)
	}
}

func TestKeysAreHidden(t *testing.T) {
	c := s3.Config{Bucket: "bucket", Keys: s3.Keys{Access: "access", Secret: "geheim", Token: "token"}}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s", c.Keys, c.Keys, c.Keys, c.Keys), fmt.Sprintf("%#v", c), c.Keys.LogValue().String()} {
		for _, secret := range []string{"access", "geheim", "token"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q shows %q", text, secret)
			}
		}
	}
}
