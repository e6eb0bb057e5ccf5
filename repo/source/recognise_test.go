package source_test

import (
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"savepoint/internal/needtest"
	"savepoint/repo/source"
)

// headOf returns the bytes that Recognise looks at.
func headOf(t *testing.T, path string) []byte {
	t.Helper()
	f := openFile(t, path)
	head := make([]byte, source.HeadSize)
	n, _ := f.ReadAt(head, 0)
	return head[:n]
}

// enter returns the context of a path beneath root, entering each directory on the way as a walk does.
func enter(t *testing.T, root string, names ...string) source.Context {
	t.Helper()
	r := openRoot(t, root)
	d := r.Dir
	in := func(c source.Context, name string) source.Context {
		list, err := d.Names(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return c.Enter(name, list)
	}
	c := in(source.Context{}, filepath.Base(root))
	for _, name := range names {
		sub, err := d.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sub.Close() })
		d = sub
		c = in(c, name)
	}
	return c
}

// cluster makes a folder laid out as PostgreSQL 15 does.
func cluster(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"base/1", "base/16384", "base/pgsql_tmp", "global", "pg_wal/archive_status", "pg_xact", "pg_multixact/members",
		"pg_tblspc", "log", "space/PG_15_202209061/16384"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"PG_VERSION", "postgresql.conf", "base/1/PG_VERSION", "base/1/pg_filenode.map", "base/16384/PG_VERSION",
		"base/16384/pg_filenode.map", "global/pg_control", "global/pg_filenode.map"} {
		write(t, filepath.Join(dir, name), []byte("15\n"))
	}
	return dir
}

func TestRecognisePostgres(t *testing.T) {
	dir := cluster(t)
	for _, c := range []struct {
		root string
		dirs []string
		name string
		want uint32
		in   bool
	}{
		{"", []string{"base", "16384"}, "2619", 8192, true},
		{"", []string{"base", "16384"}, "2619.12", 8192, true},
		{"", []string{"base", "16384"}, "2619_fsm", 8192, true},
		{"", []string{"base", "16384"}, "2619_vm.1", 8192, true},
		{"", []string{"base", "16384"}, "t3_16385", 8192, true},
		{"", []string{"base", "16384"}, "pg_internal.init", 0, true},
		{"", []string{"base", "16384"}, "PG_VERSION", 0, true},
		{"", []string{"base", "16384"}, "2619.", 0, true},
		{"", []string{"base", "16384"}, "2619_fsmx", 0, true},
		{"", []string{"base", "16384"}, "t_1", 0, true},
		{"", []string{"base", "16384"}, "t3", 0, true},
		{"", []string{"base", "pgsql_tmp"}, "123", 0, true},
		{"", []string{"global"}, "1262", 8192, true},
		{"", []string{"global"}, "pg_control", 0, true},
		{"", []string{"pg_xact"}, "0000", 8192, true},
		{"", []string{"pg_multixact", "members"}, "00AF", 8192, true},
		{"", []string{"pg_wal"}, "000000010000000000000001", 0, true},
		{"", []string{"pg_wal", "archive_status"}, "000000010000000000000001.done", 0, true},
		{"", []string{"log"}, "1234", 0, true},
		{"", nil, "PG_VERSION", 0, true},
		{"", []string{"space", "PG_15_202209061", "16384"}, "16390", 8192, true},
		{"base", []string{"16384"}, "2619", 8192, true}, // a root within
		{"base/16384", nil, "2619", 8192, true},
		{"global", nil, "1262", 8192, true},
		{"space", []string{"PG_15_202209061", "16384"}, "16390", 8192, true},
		{"base", nil, "2619", 0, false},
	} {
		ctx := enter(t, filepath.Join(dir, c.root), c.dirs...)
		if got := source.Recognise(ctx, c.name, nil, 16384); got != c.want || ctx.InPlace() != c.in {
			t.Errorf("%s %q %s: %d, in a cluster %v; want %d, %v", c.root, c.dirs, c.name, got, ctx.InPlace(), c.want, c.in)
		}
	}
}

func TestRecogniseSQLite(t *testing.T) {
	tool, err := exec.LookPath("sqlite3")
	if err != nil {
		needtest.Without(t, "sqlite3", "sqlite3 is not installed")
	}
	dir := t.TempDir()
	for page, want := range map[string]uint32{"512": 4096, "4096": 4096, "16384": 16384, "65536": 65536} {
		path := filepath.Join(dir, "game"+page)
		sql := "PRAGMA page_size=" + page + "; CREATE TABLE player(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO player VALUES (1, 'one');"
		if out, err := exec.Command(tool, path, sql).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got := source.Recognise(source.Context{}, "game", headOf(t, path), 8192); got != want {
			t.Errorf("pages of %s bytes: chunks of %d, want %d", page, got, want)
		}
	}
	shm := binary.NativeEndian.AppendUint32(nil, 3007000)
	if got := source.Recognise(source.Context{}, "game.db-shm", shm, 32768); got != 32768 {
		t.Errorf("shared memory: %d, want 32768", got)
	}
}

func TestRecogniseByContentAndName(t *testing.T) {
	sqlite := func(page uint16) []byte {
		return append(binary.BigEndian.AppendUint16([]byte("SQLite format 3\x00"), page), make([]byte, 100)...)
	}
	innodb := make([]byte, source.HeadSize)
	innodb[25] = 8
	vdi := make([]byte, source.HeadSize)
	copy(vdi[64:], "\x7f\x10\xda\xbe")
	for _, c := range []struct {
		name string
		head []byte
		size uint64
		want uint32
	}{
		{"a.db", sqlite(0), 8192, 0},
		{"a.db", sqlite(3), 8192, 0},
		{"a.db", sqlite(256), 8192, 0},
		{"a.db", sqlite(1), 8192, 65536},
		{"a.db", sqlite(4096)[:50], 50, 0},
		{"a.db", nil, 8192, 0},
		{"players.ibd", nil, 114688, 16384},
		{"ibdata1", innodb, 12 << 20, 16384},
		{"undo_001", innodb, 16 << 20, 16384},
		{"undo_001", make([]byte, source.HeadSize), 16 << 20, 0},
		{"ibdata", innodb, 12 << 20, 0},
		{"disk", []byte("QFI\xfb\x00\x00\x00\x03"), 200000, 65536},
		{"disk", vdi, 200000, 65536},
		{"disk", []byte("KDMV\x01"), 200000, 65536},
		{"disk.IMG", nil, 1 << 30, 65536},
		{"disk.raw", nil, 1 << 20, 65536},
		{"photo.raw", nil, 1<<20 + 1, 0},
		{"small.img", nil, 512, 0},
		{"img", nil, 1 << 30, 0},
		{"-shm", []byte{1, 2, 3, 4}, 32768, 0},
		{"", nil, 0, 0},
	} {
		if got := source.Recognise(source.Context{}, c.name, c.head, c.size); got != c.want {
			t.Errorf("%q, %d bytes, head %q: %d, want %d", c.name, c.size, c.head[:min(8, len(c.head))], got, c.want)
		}
	}
}
