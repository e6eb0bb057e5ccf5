package miniotest_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"savepoint/internal/miniotest"
)

func TestToxics(t *testing.T) {
	s := miniotest.MinIO(t)
	bucket := s.Bucket(t)
	data := bytes.Repeat([]byte("x"), 200_000)
	put(t, s.Client(t), bucket, "object", data)

	for _, tt := range []struct {
		name  string
		apply func(*miniotest.Toxic)
		slow  time.Duration // it takes this long at least; 0 is that it fails
		hangs bool
	}{
		{"latency", func(x *miniotest.Toxic) { x.Latency(t, 300*time.Millisecond, 0) }, 250 * time.Millisecond, false},
		{"bandwidth", func(x *miniotest.Toxic) { x.Bandwidth(t, 500) }, 300 * time.Millisecond, false},
		{"half-open", func(x *miniotest.Toxic) { x.HalfOpen(t) }, 0, true},
		{"down", func(x *miniotest.Toxic) { x.Down(t) }, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := s.Toxi(t)
			c, err := minio.New(x.Endpoint, &minio.Options{
				Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Region: miniotest.Region, MaxRetries: 1,
			})
			must(t, err)
			if got, err := get(t, c, bucket, "object"); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("before: %d bytes, %v", len(got), err)
			}

			tt.apply(x)
			limit := time.Minute
			if tt.hangs {
				limit = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			began := time.Now()
			_, err = c.PutObject(ctx, bucket, tt.name, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{})
			var got []byte
			if err == nil {
				got, err = get(t, c, bucket, tt.name)
			}
			took := time.Since(began)
			switch {
			case tt.slow > 0 && (err != nil || !bytes.Equal(got, data) || took < tt.slow):
				t.Errorf("got %d bytes in %v, %v", len(got), took, err)
			case tt.slow == 0 && (err == nil || tt.hangs != errors.Is(err, context.DeadlineExceeded)):
				t.Errorf("after %v: %v", took, err)
			}

			if tt.name == "down" {
				x.Up(t)
			}
			x.Heal(t)
			if got, err := get(t, c, bucket, "object"); err != nil || !bytes.Equal(got, data) {
				t.Errorf("afterwards: %d bytes, %v", len(got), err)
			}
		})
	}
}
