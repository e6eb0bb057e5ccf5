package probe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// postgres starts a restored cluster of PostgreSQL on a socket of its own, waits for its recovery to end, and asks it.
type postgres struct {
	data, bin, user, database string
	settings                  []string
	questions
}

func parsePostgres(args []string) (builtin, error) {
	p := &postgres{}
	f := flagsOf("postgres")
	f.StringVar(&p.data, "data", "", "")
	f.StringVar(&p.bin, "bin", "", "")
	f.StringVar(&p.user, "user", "postgres", "")
	f.StringVar(&p.database, "database", "postgres", "")
	f.Func("set", "", func(s string) error {
		if name, _, ok := strings.Cut(s, "="); !ok || name == "" {
			return fmt.Errorf("%q: NAME=VALUE", s)
		}
		p.settings = append(p.settings, s)
		return nil
	})
	p.register(f)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag of it", f.Arg(0))
	}
	return p, p.check()
}

// programs returns the folders that may hold the programs of a version; of any when it is "".
func (p *postgres) programs(version string) []string {
	if p.bin != "" {
		return []string{p.bin}
	}
	var out []string
	if version == "" {
		version = "*"
	}
	for _, pattern := range []string{"/usr/lib/postgresql/" + version + "/bin", "/usr/pgsql-" + version + "/bin"} {
		found, _ := filepath.Glob(pattern) // the pattern is a good one
		out = append(out, found...)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			out = append(out, filepath.Dir(path))
		}
	}
	return out
}

func (p *postgres) ready() error {
	for _, dir := range p.programs("") {
		if _, err := exec.LookPath(filepath.Join(dir, "postgres")); err == nil {
			return nil
		}
	}
	return errors.New("probe postgres: it needs the programs of PostgreSQL, which are not installed; name their folder with --bin")
}

// find returns the folder of the programs for a version.
func (p *postgres) find(version string) (string, error) {
	seen := ""
	for _, dir := range p.programs(version) {
		said, err := exec.Command(filepath.Join(dir, "postgres"), "-V").Output()
		words := strings.Fields(string(said)) // postgres (PostgreSQL) 15.18 (Debian …)
		if err != nil || len(words) < 3 {
			continue
		}
		if words[2] == version || strings.HasPrefix(words[2], version+".") {
			return dir, nil
		}
		seen = ", only " + words[2]
	}
	return "", fmt.Errorf("the cluster is of PostgreSQL %s, and its programs are not on this machine%s; install them, or name their folder with --bin: %w", version, seen, errCannot)
}

func (p *postgres) run(target string, out io.Writer) (uint64, error) {
	c, err := p.cluster(target, out)
	if err != nil {
		return 0, err
	}
	defer c.close()
	c.now = time.Now
	if err := c.start(p.settings); err != nil {
		return 0, err
	}
	fmt.Fprintln(out, "started")
	names, err := c.query(p.database, "SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1")
	if err != nil {
		return 0, err
	}
	var n uint64
	for name := range strings.Lines(names) {
		name = strings.TrimSuffix(name, "\n")
		if _, err := c.query(name, "SELECT count(*) FROM pg_class"); err != nil {
			return 0, fmt.Errorf("database %s: %w", name, err)
		}
		n++
	}
	asked, err := p.ask(out, func(sql string) (string, error) { return c.query(p.database, sql) })
	return n + asked, err
}

// cluster finds the cluster in target, and makes of it what can be started without touching anything else.
func (p *postgres) cluster(target string, out io.Writer) (*cluster, error) {
	data, err := p.folder(target)
	if err != nil {
		return nil, err
	}
	version, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return nil, fmt.Errorf("no cluster of PostgreSQL: %w", err)
	}
	c := &cluster{path: data, superuser: p.user, version: strings.TrimSpace(string(version)), out: out}
	if c.bin, err = p.find(c.version); err != nil {
		return nil, err
	}
	if err := within(target, data, out); err != nil {
		return nil, err
	}
	return c, errors.Join(c.own(), c.tidy())
}

// folder returns the data folder: the one that is named, or the only one that there is.
func (p *postgres) folder(target string) (string, error) {
	if p.data != "" {
		rel := p.data
		if filepath.IsAbs(rel) {
			rel, _ = filepath.Rel(target, rel) // "" is local to nothing
		}
		if !filepath.IsLocal(rel) {
			return "", fmt.Errorf("the data folder %s is not in the restored folder: %w", p.data, errCannot)
		}
		return filepath.Join(target, rel), nil
	}
	var found []string
	_, err := find(target, "**/global/pg_control", func(name string, _ fs.FileInfo) error {
		found = append(found, filepath.Dir(filepath.Dir(name)))
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", errors.New("no cluster of PostgreSQL was restored: there is no global/pg_control")
	case len(found) > 1:
		return "", fmt.Errorf("there are %d clusters of PostgreSQL, in %s: name one with --data: %w", len(found), strings.Join(found, ", "), errCannot)
	}
	return filepath.Join(target, found[0]), nil
}

// within wants every folder of a cluster to be a restored one: by links, as those of tablespaces, it would write into the source's. One
// that leads to a path that was restored as well is led there.
func within(target, data string, out io.Writer) error {
	top, err := filepath.EvalSymlinks(target)
	if err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(data)
	if err != nil {
		return err
	}
	if real != top && !strings.HasPrefix(real, top+"/") {
		return fmt.Errorf("the data folder %s leads out of the restored folder", data)
	}
	for _, dir := range []string{"", "pg_tblspc"} {
		entries, err := os.ReadDir(filepath.Join(data, dir))
		if err != nil {
			return err
		}
		for _, e := range entries {
			name := filepath.Join(dir, e.Name())
			if e.Type()&fs.ModeSymlink == 0 || dir == "" && strings.HasSuffix(name, ".conf") {
				continue
			}
			if err := relink(target, filepath.Join(data, name)); err != nil {
				return fmt.Errorf("%s of the cluster %w", name, err)
			}
			fmt.Fprintf(out, "%s leads to what was restored\n", name)
		}
	}
	return nil
}

// relink makes a link lead to the folder in target that has the path which it led to, by a path that is relative.
func relink(target, link string) error {
	to, err := os.Readlink(link)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(link), to)
	}
	inside := to
	if rel, err := filepath.Rel(target, to); err != nil || !filepath.IsLocal(rel) {
		inside = filepath.Join(target, to)
	}
	real, err := filepath.EvalSymlinks(inside)
	var top string
	if err == nil {
		top, err = filepath.EvalSymlinks(target)
	}
	if err != nil || !strings.HasPrefix(real, top+"/") {
		return fmt.Errorf("is a link to %s, which is not in the snapshot", to)
	}
	from, err := filepath.EvalSymlinks(filepath.Dir(link))
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(from, real)
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(link), os.Symlink(rel, link))
}

// own finds the user to run the cluster as: its owner. PostgreSQL refuses root; what root owns goes to another one.
func (c *cluster) own() error {
	var st unix.Stat_t
	if err := unix.Stat(c.path, &st); err != nil {
		return err
	}
	c.uid, c.gid = int(st.Uid), int(st.Gid)
	if st.Mode&0o027 != 0 {
		if err := os.Chmod(c.path, 0o700); err != nil {
			return fmt.Errorf("give the cluster's folder the mode that PostgreSQL wants: %w", err)
		}
	}
	if os.Geteuid() != 0 {
		if c.uid != os.Geteuid() {
			return fmt.Errorf("the cluster belongs to user %d: drill as that one or as root: %w", c.uid, errCannot)
		}
		return nil
	}
	if c.uid == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			u, err = user.Lookup("nobody")
		}
		if err != nil {
			return fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w: %w", err, errCannot)
		}
		c.uid, _ = strconv.Atoi(u.Uid) // they are numbers on this system
		c.gid, _ = strconv.Atoi(u.Gid)
		err = filepath.WalkDir(c.path, func(name string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(name, c.uid, c.gid)
		})
		if err != nil {
			return fmt.Errorf("give the restored cluster to user %s: %w", u.Username, err)
		}
	}
	c.as = &syscall.Credential{Uid: uint32(c.uid), Gid: uint32(c.gid)}
	return nil
}

// tidy removes what says that a server runs on the cluster, or that it follows another one.
func (c *cluster) tidy() error {
	for _, name := range []string{"postmaster.pid", "postmaster.opts", "standby.signal"} {
		err := os.Remove(filepath.Join(c.path, name))
		if err == nil {
			fmt.Fprintf(c.out, "removed %s from the restored copy\n", name)
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
