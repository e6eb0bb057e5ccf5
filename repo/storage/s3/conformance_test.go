package s3_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"savepoint/internal/miniotest"
	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
	"savepoint/repo/storage/storetest"
)

// TestConformanceMinIO has all stores in one bucket, under prefixes.
func TestConformanceMinIO(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	bucket := srv.Bucket(t)
	var count atomic.Int32
	storetest.Run(t, func(t testing.TB) storage.Store {
		return open(t, srv, func(c *s3.Config) { c.Bucket, c.Prefix = bucket, fmt.Sprintf("deep/test-%d", count.Add(1)) })
	})
}

// TestConformanceVersity has a bucket for each store, and TLS. The gateway answers a PUT
// with success when making the object's folder fails because a DELETE took it away at that
// moment (v1.8.0, backend/posix: EEXIST of link is taken for another writer's success).
func TestConformanceVersity(t *testing.T) {
	t.Parallel()
	srv := miniotest.VersityGW(t, miniotest.TLS())
	storetest.Run(t, func(t testing.TB) storage.Store { return open(t, srv, nil) }, storetest.ForgetsBesideDeletes)
}
