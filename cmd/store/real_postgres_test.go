package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"savepoint/internal/needtest"
)

// invariants hold of a database of pgbench at every moment: each trade changes an account, a branch and a teller by as much as it writes down.
var invariants = []string{
	"SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(bbalance) FROM pgbench_branches)",
	"SELECT (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT coalesce(sum(delta), 0) FROM pgbench_history)",
}

// ledger is a live cluster of PostgreSQL. Beside its data it has a folder with what is backed up of it: a dump, and a copy of the cluster's
// directory that was made in backup mode.
type ledger struct {
	t      *testing.T
	bin    string
	as     *syscall.Credential // nil: who runs the test
	dir    string              // of the server's user; short, since a socket's path has 107 bytes at most
	source string              // what is backed up
}

// newLedger starts a cluster with a database of pgbench, and clients that trade without an end. Both end with the test.
func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{t: t}
	for _, name := range []string{"initdb", "pgbench", "pg_basebackup", "pg_dump"} {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		if err != nil {
			needtest.Without(t, name, fmt.Sprintf("%s of PostgreSQL is not on the PATH: %v", name, err))
		}
		if name == "initdb" { // the others may be wrappers
			l.bin = filepath.Dir(path)
		}
	}
	uid, gid := l.user()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	l.dir, l.source = dir, filepath.Join(dir, "ledger")
	if err := errors.Join(os.Mkdir(l.source, 0o700), os.Chown(l.source, uid, gid), os.Chown(dir, uid, gid)); err != nil {
		t.Fatal(err)
	}
	l.run("initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--wal-segsize=1", "-D", l.data())
	settings := fmt.Sprintf("-c listen_addresses='' -c unix_socket_directories='%s' -c fsync=off -c max_wal_size=32MB -c min_wal_size=2MB", dir)
	l.run("pg_ctl", "start", "-w", "-s", "-D", l.data(), "-l", filepath.Join(dir, "log"), "-o", settings)
	t.Cleanup(func() { l.run("pg_ctl", "stop", "-w", "-s", "-m", "immediate", "-D", l.data()) })
	l.run("pgbench", l.args("-i", "-q", "-s", "1", "postgres")...)
	l.trade()
	return l
}

// user finds whom PostgreSQL runs as: it refuses root.
func (l *ledger) user() (uid, gid int) {
	if os.Geteuid() != 0 {
		return os.Getuid(), os.Getgid()
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err == nil {
		uid, err = strconv.Atoi(u.Uid)
	}
	if err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		needtest.Without(l.t, "initdb", fmt.Sprintf("no user to run PostgreSQL as: %v", err))
	}
	l.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return uid, gid
}

func (l *ledger) data() string { return filepath.Join(l.dir, "data") }

// args are arguments of a client, behind those that say where the server is.
func (l *ledger) args(more ...string) []string {
	return append([]string{"-h", l.dir, "-U", "postgres"}, more...)
}

func (l *ledger) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(l.bin, program), args...)
	cmd.Dir = l.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=/nonexistent"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: l.as}
	return cmd
}

// run runs a program to its end and returns what it printed.
func (l *ledger) run(program string, args ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.t.Context()), 2*time.Minute)
	defer cancel()
	cmd := l.command(ctx, program, args...)
	// A file and no pipe: the server has it as well, and a pipe would be waited for.
	out, err := os.CreateTemp(l.t.TempDir(), "out")
	if err != nil {
		l.t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	said, readErr := os.ReadFile(out.Name())
	if err := errors.Join(err, readErr); err != nil {
		log, _ := os.ReadFile(filepath.Join(l.dir, "log")) // as far as there is one
		l.t.Fatalf("%s: %v\n%s\n%s", program, err, said, log)
	}
	return string(bytes.TrimSpace(said))
}

// sql returns what the server answers.
func (l *ledger) sql(query string) string {
	l.t.Helper()
	return l.run("psql", l.args("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", query)...)
}

// trade starts clients that trade until the test ends, or its process dies.
func (l *ledger) trade() {
	l.t.Helper()
	cmd := l.command(context.WithoutCancel(l.t.Context()), "pgbench", l.args("-c", "2", "-R", "100", "-n", "-T", "3600", "postgres")...)
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the signal comes when the thread dies that started it
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
}

// trades returns how many there were.
func (l *ledger) trades() int {
	l.t.Helper()
	n, err := strconv.Atoi(l.sql("SELECT count(*) FROM pgbench_history"))
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// copy brings what is backed up to the state of now: the dump, and the cluster's directory, which pg_basebackup copies between
// pg_backup_start and pg_backup_stop, with the log that makes it consistent. The clients go on meanwhile.
func (l *ledger) copy() {
	l.t.Helper()
	dump, cluster := filepath.Join(l.source, "dump.sql"), filepath.Join(l.source, "cluster")
	l.run("pg_dump", l.args("-f", dump+".new", "postgres")...)
	l.run("pg_basebackup", l.args("-D", cluster+".new", "-X", "stream", "-c", "fast", "--no-sync")...)
	if _, err := os.Stat(filepath.Join(cluster+".new", "backup_label")); err != nil {
		l.t.Fatalf("the copy was not made in backup mode: %v", err)
	}
	if err := errors.Join(os.Rename(dump+".new", dump), os.RemoveAll(cluster), os.Rename(cluster+".new", cluster)); err != nil {
		l.t.Fatal(err)
	}
}

// probe are the arguments of a drill that asks the restored cluster for the invariants.
func (l *ledger) probe() []string {
	args := []string{"--probe", "postgres", "--", "--data", "cluster", "--bin", l.bin, "--set", "shared_buffers=4MB"}
	for _, q := range invariants {
		args = append(args, "--sql", q, "--expect", "t")
	}
	return append(args, "--sql", "SELECT count(*) FROM pgbench_accounts", "--expect", "100000", "--sql", "SELECT count(*) FROM pgbench_history", "--expect", ">=1")
}

// policy is the same, as a configuration has it.
func (l *ledger) policy() string {
	var b strings.Builder
	fmt.Fprintf(&b, "{postgres: {data: cluster, bin: %q, database: postgres, sql: [", l.bin)
	for i, q := range invariants {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "{query: %q, expect: t}", q)
	}
	b.WriteString("]}}")
	return b.String()
}
