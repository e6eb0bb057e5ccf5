package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// dataPath and privatePath are the descriptors by which the programs of PostgreSQL reach the cluster and a private folder, whatever
	// rights the folders above give: those of a drill let nobody else in. A socket's path has 107 bytes at most, besides.
	dataPath    = "/proc/self/fd/3"
	privatePath = "/proc/self/fd/4"
	// pollEvery is how often a server that starts is asked whether it has.
	pollEvery = 10 * time.Millisecond
	// stopWithin is how long it may take to stop before it is killed: nothing needs what it would write.
	stopWithin = 30 * time.Second
)

// cluster is a restored one that can be started.
type cluster struct {
	now                           func() time.Time
	path, bin, version, superuser string
	uid, gid                      int
	as                            *syscall.Credential // nil: who runs this
	out                           io.Writer
	data, private                 *os.File
	server                        *exec.Cmd
	log                           lastWords
	ended                         chan error
}

// start starts the server and returns when it has recovered and answers.
func (c *cluster) start(settings []string) error {
	if err := c.prepare(); err != nil {
		return err
	}
	args := []string{"-D", dataPath, "-p", "5432"}
	for _, s := range c.settings(settings) {
		args = append(args, "-c", s)
	}
	c.server = c.command("postgres", args...)
	c.log.to = c.out
	c.server.Stdout, c.server.Stderr = &c.log, &c.log
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM)
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE) // the server's last words, which a drill that was killed does not hear
	if err := c.server.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w: %w", err, errCannot)
	}
	go func() { // a server that is killed leaves its shared memory behind; the query that runs ends with it, and so does the probe
		<-asked
		_ = c.server.Process.Signal(unix.SIGQUIT)
	}()
	c.ended = make(chan error, 1)
	go func() { c.ended <- c.server.Wait() }()
	began := c.now()
	for {
		if c.ready() {
			fmt.Fprintf(c.out, "PostgreSQL %s took orders after %s\n", c.version, c.now().Sub(began).Round(time.Millisecond))
			return nil
		}
		select {
		case err := <-c.ended:
			c.ended <- err
			return fmt.Errorf("PostgreSQL %s did not start: %s", c.version, c.log.last(err))
		case <-time.After(pollEvery):
		}
	}
}

// ready reports whether the server says that it takes orders, and is no standby: the eighth line of its file has that. To ask it would fill its
// log with refusals.
func (c *cluster) ready() bool {
	b, err := os.ReadFile(filepath.Join(c.path, "postmaster.pid"))
	lines := strings.Split(string(b), "\n")
	return err == nil && len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
}

// prepare makes the private folder, with a configuration for a cluster whose own lies elsewhere, and opens both.
func (c *cluster) prepare() error {
	private, err := os.MkdirTemp("", "pg-")
	if err != nil {
		return fmt.Errorf("%w: %w", err, errCannot)
	}
	write := func(name, text string) error {
		path := filepath.Join(private, name)
		return errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Lchown(path, c.uid, c.gid))
	}
	err = errors.Join(write("hba.conf", "local all all trust\n"), write("ident.conf", ""), write("postgresql.conf", ""), os.Lchown(private, c.uid, c.gid))
	if err == nil {
		c.data, err = os.Open(c.path)
	}
	if err == nil {
		c.private, err = os.Open(private)
	}
	return err
}

// settings are those that keep the server to itself; they stand above all of its own. more are the user's.
func (c *cluster) settings(more []string) []string {
	out := []string{
		"data_directory=" + dataPath, "hba_file=" + privatePath + "/hba.conf", "ident_file=" + privatePath + "/ident.conf", "external_pid_file=" + privatePath + "/pid",
		"listen_addresses=", "unix_socket_directories=" + privatePath, "unix_socket_permissions=0700", "unix_socket_group=",
		"archive_mode=off", "ssl=off", "logging_collector=off", "log_destination=stderr", "lc_messages=C",
	}
	if _, err := os.Stat(filepath.Join(c.path, "postgresql.conf")); err != nil {
		out = append(out, "config_file="+privatePath+"/postgresql.conf")
	}
	if major, err := strconv.Atoi(c.version); err == nil && major >= 12 {
		out = append(out, "restore_command=false", "recovery_end_command=", "archive_cleanup_command=", "recovery_target_action=promote", "primary_conninfo=")
	}
	return append(out, more...)
}

// command returns one of PostgreSQL's programs, as the cluster's owner, with nothing of the environment.
func (c *cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + c.bin + ":" + os.Getenv("PATH"), "LC_ALL=C", "HOME=/nonexistent", "TMPDIR=" + privatePath, "PGCONNECT_TIMEOUT=10"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	cmd.ExtraFiles = []*os.File{c.data, c.private}
	return cmd
}

// query returns what a database answers.
func (c *cluster) query(database, sql string) (string, error) {
	var said, complaint bytes.Buffer
	cmd := c.command("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", privatePath, "-p", "5432", "-U", c.superuser, "-d", database, "-c", sql)
	cmd.Stdout, cmd.Stderr = &said, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", sql, err, shortened(strings.TrimSpace(complaint.String()), 1000))
	}
	return strings.TrimSpace(said.String()), nil
}

// close stops the server.
func (c *cluster) close() {
	if c.ended == nil {
		return
	}
	_ = c.server.Process.Signal(unix.SIGINT) // a fast shutdown; it may have ended
	select {
	case <-c.ended:
	case <-time.After(stopWithin):
		_ = c.server.Process.Signal(unix.SIGQUIT)
		<-c.ended
	}
	_, _ = c.data.Close(), c.private.Close() // nothing was written through them
}

// lastWords passes on a log and keeps the last line of it that says why a server ends. One goroutine writes; last is called when it has ended.
type lastWords struct {
	to   io.Writer
	rest []byte
	why  string
}

func (l *lastWords) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, after, ended := bytes.Cut(l.rest, []byte("\n"))
		if !ended {
			break
		}
		text := string(line)
		if strings.Contains(text, "FATAL:") || strings.Contains(text, "PANIC:") {
			l.why = text
		}
		l.rest = bytes.Clone(after)
	}
	l.rest = l.rest[max(0, len(l.rest)-maxLine):]
	return l.to.Write(b)
}

func (l *lastWords) last(err error) string {
	if l.why != "" {
		return l.why
	}
	return fmt.Sprint(err)
}
