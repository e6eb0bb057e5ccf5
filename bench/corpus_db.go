package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The transactions of pgbench, but that some accounts are busier than others, as players are.
const transaction = `\set aid random_exponential(1, 100000 * :scale, 10.0)
\set bid random(1, 1 * :scale)
\set tid random(1, 10 * :scale)
\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
`

// clients is how many connections the transactions are spread over.
const clients = 4

// A server is a PostgreSQL cluster directory and how to run it.
type server struct {
	bin    string // folder of the programs
	data   string
	socket string // folder of its socket: short, private, gone after stop
	as     *syscall.Credential
	owner  [2]int // user and group
}

// newServer finds the programs, and a user that may run them: PostgreSQL refuses root.
func newServer(data string) (*server, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return nil, errors.New("PostgreSQL is not installed: apt-get install postgresql-15")
	}
	slices.Sort(found)
	s := &server{bin: filepath.Dir(found[len(found)-1]), data: data, owner: [2]int{os.Getuid(), os.Getgid()}}
	if os.Geteuid() != 0 {
		return s, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	s.owner = [2]int{uid, gid}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return s, nil
}

func (s *server) run(ctx context.Context, stdin, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + s.bin + ":" + os.Getenv("PATH"), "PGHOST=" + s.socket, "PGUSER=postgres", "PGDATABASE=postgres", "LC_ALL=C", "HOME=/"}
	cmd.Stdin = strings.NewReader(stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return runQuiet(cmd)
}

// during starts the server, calls fn, and stops the server so that its files are at rest.
func (s *server) during(ctx context.Context, fn func() error) (err error) {
	if s.socket, err = os.MkdirTemp("", "pg"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.socket)) }()
	if err := os.Chown(s.socket, s.owner[0], s.owner[1]); err != nil {
		return err
	}
	// No network, and durability is not what is measured here.
	settings := fmt.Sprintf("-c listen_addresses='' -c unix_socket_directories='%s' -c fsync=off", s.socket)
	if err := s.run(ctx, "", "pg_ctl", "start", "-w", "-D", s.data, "-l", filepath.Join(s.socket, "log"), "-o", settings); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		err = errors.Join(err, s.run(ctx, "", "pg_ctl", "stop", "-w", "-m", "fast", "-D", s.data))
	}()
	return fn()
}

// makeCluster makes a cluster directory and fills it.
func makeCluster(ctx context.Context, live string, scale int) error {
	s, err := newServer(live)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(live, 0o700); err != nil {
		return err
	}
	if err := os.Chown(live, s.owner[0], s.owner[1]); err != nil {
		return err
	}
	if err := s.run(ctx, "", "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-D", live); err != nil {
		return err
	}
	return s.during(ctx, func() error {
		return s.run(ctx, "", "pgbench", "-i", "-q", "-s", strconv.Itoa(scale))
	})
}

// changeCluster runs transactions.
func changeCluster(ctx context.Context, live string, scale, transactions int) error {
	s, err := newServer(live)
	if err != nil {
		return err
	}
	return s.during(ctx, func() error {
		return s.run(ctx, transaction, "pgbench", "-n", "-f", "-", "-s", strconv.Itoa(scale), "-c", strconv.Itoa(clients),
			"-t", strconv.Itoa(transactions/clients), "--random-seed", strconv.Itoa(seed))
	})
}
