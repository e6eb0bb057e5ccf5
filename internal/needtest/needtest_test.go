package needtest_test

import (
	"os"
	"testing"

	"savepoint/internal/needtest"
)

func TestWithout(t *testing.T) {
	for _, tt := range []struct {
		required   string
		skip, fail bool
	}{
		{"", true, false},
		{"rsync", true, false},
		{"minio,straceless", true, false},
		{"strace", false, true},
		{"rsync,strace", false, true},
		{"all", false, true},
	} {
		t.Setenv("STORE_REQUIRE", tt.required)
		var r recorder
		needtest.Without(&r, "strace", "it is not installed")
		if r.skipped != tt.skip || r.failed != tt.fail {
			t.Errorf("STORE_REQUIRE=%q: skipped %t, failed %t", tt.required, r.skipped, r.failed)
		}
	}
}

// TestAlone does to its process what no other test could go on after.
func TestAlone(t *testing.T) {
	if !needtest.Alone(t) {
		return
	}
	if err := os.Chdir("/proc"); err != nil {
		t.Fatal(err)
	}
}

// recorder is a test that goes on when it is ended.
type recorder struct {
	testing.TB
	skipped, failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Skip(...any)           { r.skipped = !r.failed }
func (r *recorder) Fatalf(string, ...any) { r.failed = true }
