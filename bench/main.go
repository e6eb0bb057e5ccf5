// Command bench compares store with restic on real input, in the same run and on the same machine, and checks what
// both restore.
//
//	go run ./bench [-corpus src,db,bigfile,profiles,million,frontier] [-runs N] [-work DIR] [-image] [-minio] [-json FILE] [-md FILE] [-quick]
//
// Each corpus is made in the work folder, backed up for the first time, once more with nothing changed, changed in
// place, backed up again, and both states are restored into new folders and compared with what was there: by rsync with
// checksums, and by [savepoint/internal/corpus.Compare], which sees times of symlinks and folders too. A difference in
// what store restored ends the run with exit code 1; a missed target of speed or memory does not, since machines differ.
//
// docs/benchmarks.md says what is measured and how, and holds the results of a run, written by -md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// names are the corpora in the order they are run in.
var names = []string{"src", "db", "bigfile", "profiles", "million", "frontier"}

type options struct {
	corpora  []string
	work     string // parent of the folder that everything is made in
	runs     int
	jsonFile string
	mdFile   string
	image    bool
	minio    bool
	keep     bool
	quick    bool
	sizes    sizes
}

func main() {
	log.SetFlags(log.Ltime)
	log.SetPrefix("bench: ")
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		log.Print(err)
		os.Exit(64)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Print(err)
		stop()
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	list := fs.String("corpus", strings.Join(names, ","), "corpora to run, separated by commas")
	fs.StringVar(&o.work, "work", "/var/tmp", "work in a new folder beneath `DIR`, best on a local disk with 40 GB free")
	fs.IntVar(&o.runs, "runs", 3, "repeat everything `N` times, each in fresh repositories; medians count")
	fs.StringVar(&o.jsonFile, "json", "", "write all figures to `FILE`")
	fs.StringVar(&o.mdFile, "md", "", "put the tables into the Markdown `FILE`, between its markers")
	fs.BoolVar(&o.image, "image", false, "work on a new ext4 with a journal, in an image file in the work folder (needs root)")
	fs.BoolVar(&o.minio, "minio", false, "keep the repositories on a MinIO server that is started for it, and restore with empty caches")
	fs.BoolVar(&o.keep, "keep", false, "leave the work folder")
	fs.BoolVar(&o.quick, "quick", false, "small corpora: to see that all works, the times say nothing")
	scale := fs.Int("pg-scale", 0, "scale of pgbench, 15 MB each (default 30)")
	big := fs.Int64("big-mib", 0, "size of the file of bigfile in MiB (default 2048)")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", fs.Arg(0))
	}
	if o.runs < 1 {
		return o, fmt.Errorf("-runs %d: want at least 1", o.runs)
	}
	if o.image && o.keep {
		return o, errors.New("-image and -keep exclude each other: the image goes away at the end")
	}
	o.corpora = strings.Split(*list, ",")
	for _, name := range o.corpora {
		if !slices.Contains(names, name) {
			return o, fmt.Errorf("-corpus %q: there are %s", name, strings.Join(names, ", "))
		}
	}
	if o.mdFile != "" {
		if _, _, err := cutMarked(o.mdFile, o.beginMark()); err != nil {
			return o, err // now, and not after half an hour
		}
	}
	o.sizes = fullSizes()
	if o.quick {
		o.sizes = quickSizes()
	}
	if *scale > 0 {
		o.sizes.pgScale = *scale
	}
	if *big > 0 {
		o.sizes.bigBytes = *big << 20
	}
	return o, nil
}

// beginMark is the line behind which the Markdown file has the tables of such a run.
func (o options) beginMark() string {
	if o.minio {
		return beginMinIO
	}
	return beginMark
}

// run does all the work; the work folder is gone when it returns, but for o.keep.
func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp(o.work, "savepoint-bench-")
	if err != nil {
		return err
	}
	// The database server runs as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if o.keep {
		log.Printf("working in %s", dir)
	} else {
		defer func() { err = errors.Join(err, removeAll(dir)) }()
	}
	b := &bench{options: o, dir: dir}
	if o.image {
		mounted, unmount, mountErr := mountImage(ctx, dir)
		if mountErr != nil {
			return mountErr
		}
		defer func() { err = errors.Join(err, unmount()) }()
		b.dir = mounted
	}
	if b.bin, err = buildStore(ctx, dir); err != nil {
		return err
	}
	rep := &report{Quick: o.quick, Runs: o.runs}
	if o.minio {
		if b.server, err = startMinIO(ctx, b.dir); err != nil {
			return err
		}
		rep.Server = b.server.version
		defer func() { err = errors.Join(err, b.server.stop()) }()
	}
	if rep.Machine, err = describeMachine(ctx, b.dir, b.bin); err != nil {
		return err
	}
	runErr := b.all(ctx, rep)
	rep.Machine.LoadAfter = loadAverage()
	rep.Targets = judge(rep)
	if runErr != nil {
		o.mdFile = "" // half a run is no result
	}
	return errors.Join(runErr, publish(rep, o))
}

// publish prints the report, and writes it to the files that were asked for.
func publish(rep *report, o options) error {
	text := rep.markdown()
	fmt.Print(text)
	var errs []error
	if o.jsonFile != "" {
		errs = append(errs, rep.writeJSON(o.jsonFile))
	}
	if o.mdFile != "" {
		errs = append(errs, splice(o.mdFile, o.beginMark(), text))
	}
	if n := rep.differences(); n > 0 {
		errs = append(errs, fmt.Errorf("%d restored trees differ from what was backed up; see the checks above", n))
	}
	return errors.Join(errs...)
}

// buildStore builds the program to measure as `make build` does and returns its path.
func buildStore(ctx context.Context, dir string) (string, error) {
	root, err := output(ctx, "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "store")
	cmd := command(ctx, root, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, "./cmd/store")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return bin, runQuiet(cmd)
}
