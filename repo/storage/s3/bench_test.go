package s3_test

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"savepoint/internal/miniotest"
	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

// spent is the processor time of this process.
func spent(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs a call and reports what it costs the client and the server.
func measure(b *testing.B, srv *miniotest.Server, size int, f func()) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	f() // connections, credentials and sums are there from now on
	client, server := spent(b), srv.CPU()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64((spent(b)-client).Microseconds())/1000/float64(b.N), "client-ms/op")
	b.ReportMetric(float64((srv.CPU()-server).Microseconds())/1000/float64(b.N), "server-ms/op")
}

func BenchmarkTransfer(b *testing.B) {
	const size = 32 << 20
	data := pattern(size)
	for name, srv := range map[string]*miniotest.Server{"http": miniotest.MinIO(b), "tls": miniotest.MinIO(b, miniotest.TLS())} {
		s := open(b, srv, func(c *s3.Config) { c.Prefix = "p" })
		b.Run("put/"+name, func(b *testing.B) {
			measure(b, srv, size, func() {
				if err := s.Put(b.Context(), "o", bytes.NewReader(data), size, storage.PutOptions{}); err != nil {
					b.Fatal(err)
				}
			})
		})
		buf := make([]byte, 0, size)
		b.Run("get/"+name, func(b *testing.B) {
			measure(b, srv, size, func() {
				if _, err := s.Get(b.Context(), "o", 0, size, buf); err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run("range/"+name, func(b *testing.B) {
			measure(b, srv, 512<<10, func() {
				if _, err := s.Get(b.Context(), "o", 1<<20, 512<<10, buf); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
