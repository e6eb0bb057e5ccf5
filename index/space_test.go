package index_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"savepoint/chunk"
	"savepoint/index"
	"savepoint/internal/needtest"
	"savepoint/repo/record"
)

// TestNoSpace says how much is free at each moment: what does not fit is not begun, and what is there stays usable.
func TestNoSpace(t *testing.T) {
	dir := t.TempDir()
	free := int64(1 << 30)
	reopen := func() (*index.Index, error) {
		return index.OpenFree(dir, index.Options{}, func() int64 { return free })
	}
	x, err := reopen()
	if err != nil {
		t.Fatal(err)
	}
	s := shelf{segmentID(1): encode(t, nil, packOf(1, []chunk.ID{chunkID(1)}, 1))}
	bring(t, x, s)
	free = 64<<20 - 1
	seg, err := record.DecodeSegment(encode(t, nil, packOf(2, []chunk.ID{chunkID(2)}, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Add(index.Listed{ID: segmentID(2)}, seg); !errors.Is(err, index.ErrNoSpace) {
		t.Errorf("Add = %v", err)
	}
	s[segmentID(2)] = encode(t, nil, packOf(2, []chunk.ID{chunkID(2)}, 1))
	if err := x.Sync(t.Context(), s.listed(), s.read); !errors.Is(err, index.ErrNoSpace) {
		t.Errorf("Sync = %v", err)
	}
	if !has(t, x, chunkID(1)) || has(t, x, chunkID(2)) {
		t.Error("what was there is not, or the other is")
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if x, err := reopen(); !errors.Is(err, index.ErrNoSpace) {
		t.Errorf("Open = %v, %v", x, err)
	}
	free = 1 << 30
	if x, err = reopen(); err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	bring(t, x, s)
	if !has(t, x, chunkID(1)) || !has(t, x, chunkID(2)) {
		t.Error("it is not all there afterwards")
	}
	free = 70 << 20 // the rows and the base of a large listing do not fit
	if err := x.Sync(t.Context(), append(s.listed(), index.Listed{ID: segmentID(3), Size: 60 << 20}), s.read); !errors.Is(err, index.ErrNoSpace) {
		t.Errorf("Sync = %v", err)
	}
}

// TestNoSpaceMeanwhile has the room go while a base is written.
func TestNoSpaceMeanwhile(t *testing.T) {
	s := shelf{segmentID(1): encode(t, nil, packOf(1, []chunk.ID{chunkID(1)}, 1))}
	for enough := 2; ; enough++ {
		asked := 0
		x, err := index.OpenFree(t.TempDir(), index.Options{}, func() int64 {
			if asked++; asked > enough {
				return 0
			}
			return 1 << 40
		})
		if err != nil {
			t.Fatal(err)
		}
		err = x.Sync(t.Context(), s.listed(), s.read)
		st := x.Stats()
		if cerr := x.Close(); cerr != nil {
			t.Error(cerr)
		}
		if err == nil && enough > 3 && st.Base == 1 {
			return
		}
		if !errors.Is(err, index.ErrNoSpace) || st.Base != 0 || enough > 10 {
			t.Fatalf("asked %d times: Sync = %v, %+v", enough, err, st)
		}
	}
}

// TestSmallDisk fills a small file system, for real.
func TestSmallDisk(t *testing.T) {
	const inside = "INDEX_TEST_SMALL_DISK"
	dir := os.Getenv(inside)
	if dir == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSmallDisk$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			needtest.Without(t, "namespaces", "user namespaces are not to be had here: "+err.Error())
		}
		if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "--- PASS: TestSmallDisk") {
			t.Errorf("in namespaces: %v\n%s", err, out.Bytes())
		}
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=96m"); err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	x := open(t, dir)
	var err error
	full := 0
	for i := range uint64(400) {
		var ids []chunk.ID
		for j := range uint64(1000) {
			ids = append(ids, chunkID(i*1000+j))
		}
		s[segmentID(i)] = encode(t, nil, packOf(i, ids, 8))
		if err = x.Sync(t.Context(), s.listed(), s.read); err != nil {
			full = int(i)
			break
		}
	}
	if !errors.Is(err, index.ErrNoSpace) {
		t.Fatalf("Sync = %v", err)
	}
	if err := x.SetLive(index.Judge{}); err != nil {
		t.Fatal(err)
	}
	if full < 50 || !has(t, x, chunkID(uint64(full)*1000-1)) || has(t, x, chunkID(uint64(full)*1000)) {
		t.Errorf("full at segment %d: what was applied is not there, or more", full)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || int64(st.Bavail)*st.Bsize < 16<<20 {
		t.Errorf("%d MiB are left, %v", int64(st.Bavail)*st.Bsize>>20, err)
	}
}
