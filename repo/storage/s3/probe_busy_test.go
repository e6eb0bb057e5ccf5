package s3_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"savepoint/internal/miniotest"
	"savepoint/repo/storage/s3"
)

// TestProbeBusy has a server that fails at every third request, in ways that pass, and one that loses the answers to
// creations: that says nothing of what it can.
func TestProbeBusy(t *testing.T) {
	t.Parallel()
	srv := miniotest.MinIO(t)
	var n atomic.Int64
	tests := map[string]miniotest.Fault{
		"500":       {Do: miniotest.Status(http.StatusInternalServerError, "InternalError"), Match: func(*http.Request) bool { return n.Add(1)%3 == 0 }},
		"slow down": {Do: miniotest.Status(http.StatusServiceUnavailable, "SlowDown"), Match: func(*http.Request) bool { return n.Add(1)%3 == 0 }},
		"lost":      {Do: miniotest.LostAnswer(), Match: func(r *http.Request) bool { return r.Method == http.MethodPut && n.Add(1)%2 == 0 }},
		"race lost": {Do: miniotest.LostAnswer(), Match: miniotest.On(http.MethodPut, "/raced$"), Times: 4},
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			n.Store(0)
			proxy := srv.Proxy(t)
			s := openAt(t, srv, proxy.URL(srv.Bucket(t), "p"), nil)
			proxy.Inject(fault)
			f := probe(t, s)
			if want := [7]s3.Answer{s3.Yes, s3.Yes, s3.Yes, s3.Yes, s3.No, s3.No, s3.Yes}; answers(f) != want {
				t.Errorf("findings are %+v, want %v", f, want)
			}
			if len(f.Left) > 0 {
				t.Errorf("it leaves %q", f.Left)
			}
		})
	}
}
