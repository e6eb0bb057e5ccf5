package drill_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"savepoint/internal/miniotest"
	"savepoint/internal/needtest"
	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/storage"
	"savepoint/repo/storage/file"
	"savepoint/repo/storage/s3"
	"savepoint/verify"
	"savepoint/verify/drill"
)

// TestPostgreSQL restores a cluster directory in a drill, starts it, and asks it what the source was asked.
func TestPostgreSQL(t *testing.T) {
	pg := findPostgres(t)
	for _, tt := range []struct {
		name string
		open func(t *testing.T) storage.Store
	}{
		{"folder", func(t *testing.T) storage.Store {
			st, err := file.Create(filepath.Join(t.TempDir(), "repository"))
			if err != nil {
				t.Fatal(err)
			}
			return st
		}},
		{"MinIO", openMinIO},
	} {
		t.Run(tt.name, func(t *testing.T) { pg.drill(t, tt.open(t)) })
	}
}

func openMinIO(t *testing.T) storage.Store {
	srv := miniotest.MinIO(t)
	c, err := s3.ParseURL(srv.URL(srv.Bucket(t), "p"))
	if err != nil {
		t.Fatal(err)
	}
	c.Keys = s3.Keys{Access: srv.AccessKey, Secret: srv.SecretKey}
	st, err := s3.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return st
}

func (p *postgres) drill(t *testing.T, st storage.Store) {
	source := filepath.Join(p.folder(t), "data")
	want := p.fill(t, source)

	secret := repo.Secret{Passphrase: password}
	r, err := repo.Init(t.Context(), st, []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "test", Passphrase: password, WorkFactor: 4}}, repo.Options{Host: "db-1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Run(t.Context(), r, backup.Options{Dataset: "ledger", Host: "db-1", Paths: []string{source}}); err != nil {
		t.Fatal(err)
	}
	// What the restored cluster says must not come from the source.
	if err := os.RemoveAll(source); err != nil {
		t.Fatal(err)
	}
	asked := false
	base := filepath.Join(t.TempDir(), "drill")
	d, err := drill.Run(t.Context(), drill.WithDisk(drill.Options{
		Open: func(ctx context.Context, cache string) (drill.Opened, error) {
			r, err := repo.Open(ctx, st, secret, repo.Options{Cache: cache, Host: "spare"})
			return drill.Opened{Repo: r}, err
		},
		Select:  func(snaps []*repo.Snapshot) (repo.Choice, error) { return repo.Select(snaps, repo.Query{}) },
		Scratch: drill.Scratch{Base: base, Make: true}, Run: "run", RTO: time.Hour, RPO: time.Hour,
		Inspect: func(_ context.Context, folder string, _ *verify.DrillDocument) error {
			asked = true
			if got := p.answer(t, folder); got != want {
				t.Errorf("the restored cluster says %q, the source said %q", got, want)
			}
			return nil
		},
	}, nil))
	if err != nil || d.Verdict != verify.Restored || !asked || d.Compared.DifferenceCount > 0 {
		t.Fatalf("%v, asked %t, %+v", err, asked, d)
	}
	if entries, err := os.ReadDir(base); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// postgres is how the programs of PostgreSQL are run.
type postgres struct {
	bin string
	as  *syscall.Credential // nil: who runs the test
	uid int
	gid int
}

// findPostgres finds the programs, and a user for them: they refuse root.
func findPostgres(t *testing.T) *postgres {
	p := &postgres{uid: os.Getuid(), gid: os.Getgid()}
	for _, name := range []string{"initdb", "pg_ctl"} {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		if err != nil {
			needtest.Without(t, name, fmt.Sprintf("%s of PostgreSQL is not on the PATH: %v", name, err))
		}
		p.bin = filepath.Dir(path)
	}
	if os.Geteuid() != 0 {
		return p
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err == nil {
		p.uid, err = strconv.Atoi(u.Uid)
	}
	if err == nil {
		p.gid, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		needtest.Without(t, "initdb", fmt.Sprintf("no user to run PostgreSQL as: %v", err))
	}
	p.as = &syscall.Credential{Uid: uint32(p.uid), Gid: uint32(p.gid)}
	return p
}

// folder makes a folder of the server's user with a short path: a socket's has 107 bytes at most.
func (p *postgres) folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chown(dir, p.uid, p.gid); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs a program with the folder data as its descriptor 3, so that it gets there whatever rights the folders above it give: those of a
// drill let nobody else in.
func (p *postgres) run(t *testing.T, data, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=/nonexistent"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	dir, err := os.Open(data)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	cmd.ExtraFiles = []*os.File{dir}
	// A file and no pipe: the server that pg_ctl leaves behind has it as well, and a pipe would be waited for.
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		return "", err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	said, readErr := os.ReadFile(out.Name())
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", program, err, said)
	}
	return string(bytes.TrimSpace(said)), errors.Join(err, readErr)
}

// during starts the cluster in data on a private socket, calls fn with the folder of that, and stops it.
func (p *postgres) during(t *testing.T, data string, fn func(socket string) error) {
	t.Helper()
	socket := p.folder(t)
	settings := fmt.Sprintf("-c listen_addresses='' -c unix_socket_directories='%s' -c unix_socket_permissions=0700 -c archive_mode=off", socket)
	const at = "/proc/self/fd/3"
	if _, err := p.run(t, data, "pg_ctl", "start", "-w", "-s", "-D", at, "-l", filepath.Join(socket, "log"), "-o", settings); err != nil {
		log, _ := os.ReadFile(filepath.Join(socket, "log")) // as far as there is one
		t.Fatalf("%v\n%s", err, log)
	}
	err := fn(socket)
	_, stopErr := p.run(t, data, "pg_ctl", "stop", "-w", "-s", "-m", "fast", "-D", at)
	if err := errors.Join(err, stopErr); err != nil {
		t.Fatal(err)
	}
}

func (p *postgres) query(t *testing.T, data, socket, sql string) (string, error) {
	t.Helper()
	return p.run(t, data, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", socket, "-U", "postgres", "-d", "postgres", "-c", sql)
}

const (
	inserts = `CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO accounts SELECT g, g * 7919 % 1000003 FROM generate_series(1, 20000) g;
CREATE INDEX ON accounts (balance);
UPDATE accounts SET balance = balance + 1 WHERE id % 3 = 0;`
	question = `SELECT count(*), sum(balance), count(*) FILTER (WHERE balance > 500000) FROM accounts`
)

// fill makes a cluster in data, puts rows into it and stops it. It returns what the question is answered with.
func (p *postgres) fill(t *testing.T, data string) (answer string) {
	t.Helper()
	if err := errors.Join(os.Mkdir(data, 0o700), os.Chown(data, p.uid, p.gid)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.run(t, data, "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-D", data); err != nil {
		t.Fatal(err)
	}
	p.during(t, data, func(socket string) (err error) {
		if _, err = p.query(t, data, socket, inserts); err == nil {
			answer, err = p.query(t, data, socket, question)
		}
		return err
	})
	if !strings.HasPrefix(answer, "20000|") {
		t.Fatalf("the source says %q", answer)
	}
	return answer
}

// answer starts the cluster in data and asks it.
func (p *postgres) answer(t *testing.T, data string) (answer string) {
	t.Helper()
	p.during(t, data, func(socket string) (err error) {
		answer, err = p.query(t, data, socket, question)
		return err
	})
	return answer
}
