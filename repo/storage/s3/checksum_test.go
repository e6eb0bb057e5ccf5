package s3_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"savepoint/internal/miniotest"
	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

// TestChecksum has bodies that are damaged on their way, and servers that know only
// some sums.
func TestChecksum(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	bucket := srv.Bucket(t)
	var damage bool
	var headers http.Header
	before := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			headers = r.Header.Clone()
			if damage {
				body, _ := io.ReadAll(r.Body)
				body[len(body)/2] ^= 1
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
		}
		return false
	}
	sums := func() (crc, md5 bool) {
		return headers.Get("X-Amz-Checksum-Crc32c") != "", headers.Get("Content-Md5") != ""
	}
	for _, knows := range []bool{true, false} {
		endpoint := front(t, srv, before, func(r *http.Response) {
			if !knows {
				r.Header.Del("X-Amz-Checksum-Crc32c")
			}
		})
		s := openAt(t, srv, srv.URL(bucket, ""), func(c *s3.Config) { c.Endpoints = []string{endpoint} })
		for i := range 4 {
			damage = i%2 == 0
			name := "o-" + string(rune('0'+i))
			err := putErr(t.Context(), s, name, pattern(100_000), storage.PutOptions{})
			if damage {
				wantErr(t, err, nil, true)
				if _, err := s.Stat(t.Context(), name); err == nil {
					t.Errorf("a damaged object is published")
				}
			} else if err != nil {
				t.Error(err)
			}
			crc, md5 := sums()
			if i < 2 && (!crc || !md5) || i >= 2 && (crc != knows || md5 == knows) {
				t.Errorf("server knows CRC-32C: %v; request %d has CRC-32C: %v, MD5: %v", knows, i, crc, md5)
			}
		}
		if err := s.Delete(t.Context(), "o-1", "o-3"); err != nil {
			t.Error(err)
		}
	}

	damage = false
	endpoint := front(t, srv, before, func(r *http.Response) {
		if r.Header.Get("X-Amz-Checksum-Crc32c") != "" {
			r.Header.Set("X-Amz-Checksum-Crc32c", "AAAAAA==")
		}
	})
	s := openAt(t, srv, srv.URL(bucket, ""), func(c *s3.Config) { c.Endpoints = []string{endpoint} })
	wantErr(t, putErr(t.Context(), s, "o", pattern(100_000), storage.PutOptions{}), nil, true)
}
