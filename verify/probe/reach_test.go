package probe_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"savepoint/verify"
	"savepoint/verify/probe"
)

// TestReach has a probe try to reach what the restored data came from. Without isolation it can, so each try would succeed.
func TestReach(t *testing.T) {
	w := newWorld(t)
	outside := t.TempDir()
	file := filepath.Join(outside, "region")
	if err := os.WriteFile(file, []byte("of the source"), 0o666); err != nil {
		t.Fatal(err)
	}
	listen := func(network, address string) string {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l.Addr().String()
	}
	short, err := os.MkdirTemp("", "s") // a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"a server on this host", []string{"dial", "tcp", listen("tcp", "127.0.0.1:0")}},
		{"a server on this host, IPv6", []string{"dial", "tcp", listen("tcp", "[::1]:0")}},
		{"a socket with a path", []string{"dial", "unix", listen("unix", filepath.Join(short, "a socket"))}},
		{"an abstract socket", []string{"dial", "unix", listen("unix", "@savepoint-probe-test-"+strconv.Itoa(os.Getpid()))}},
		{"a file of the source", []string{"append", file}},
		{"the folder of the source", []string{"create", filepath.Join(outside, "new")}},
		{"beside the restored folder", []string{"create", filepath.Join(filepath.Dir(w.target), "new")}},
		{"a process of this host", []string{"signal", strconv.Itoa(os.Getpid())}},
		{"what is mounted", []string{"remount"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			want(t, w.acting(probe.Full, tt.args...), verify.ProbeFailed, "exit code 1")
			if tt.args[0] != "remount" { // nothing hinders a test that is root: it must not try
				want(t, w.acting(probe.None, tt.args...), verify.ProbePassed, "")
			}
		})
	}
	// An address that is documentation's: there is nobody, but without isolation that takes until the time is over.
	r := w.acting(probe.Full, "dial", "udp", "192.0.2.1:9")
	want(t, r, verify.ProbeFailed, "exit code 1")
	want(t, w.acting(probe.Full, "listen"), verify.ProbePassed, "")
	if os.Geteuid() == 0 {
		r := w.run(sh("ls /dev; ls /dev/vda /dev/sda /dev/mem 2>/dev/null && exit 1; mknod here b 8 0 && exit 1; unshare -m true 2>/dev/null && exit 1; echo checked 1"))
		want(t, r, verify.ProbePassed, "")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "of the source" {
		t.Errorf("%q, %v", b, err)
	}
}
