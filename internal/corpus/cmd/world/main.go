// Command world makes test data for scripts: the small game world of package
// world.
//
//	world [-seed N] [-scale F] make DIR
//	world [-seed N] play DIR
//	world [-seed N] profiles DIR N
//	world compare DIR DIR
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"

	"savepoint/internal/corpus"
	"savepoint/internal/corpus/world"
)

const usage = `usage: world [-seed N] [-scale F] make DIR
       world [-seed N] play DIR
       world [-seed N] profiles DIR N
       world compare DIR DIR
`

func main() {
	flags := flag.NewFlagSet("world", flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage); flags.PrintDefaults() }
	seed := flags.Uint64("seed", 1, "the same seed makes the same data")
	scale := flags.Float64("scale", 1, "size of the world; 1 is about 22 MB in 2,000 files")
	flags.Parse(os.Args[1:])

	known, err := run(flags.Args(), *seed, *scale)
	if !known {
		flags.Usage()
		os.Exit(64)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "world:", err)
		os.Exit(1)
	}
}

// run does what args say; known is false if they say nothing that it knows.
func run(args []string, seed uint64, scale float64) (known bool, err error) {
	switch {
	case len(args) == 2 && args[0] == "make":
		return true, world.Make(args[1], seed, scale)
	case len(args) == 2 && args[0] == "play":
		return true, world.Play(args[1], seed)
	case len(args) == 3 && args[0] == "compare":
		return true, compare(args[1], args[2])
	case len(args) == 3 && args[0] == "profiles":
		n, err := strconv.Atoi(args[2])
		if err != nil || n < 0 {
			return true, fmt.Errorf("%q is not a number of profiles", args[2])
		}
		return true, world.Profiles(args[1], seed, n)
	}
	return false, nil
}

// compare prints how two trees differ, which is an error, or that they do not.
func compare(a, b string) error {
	diffs, err := corpus.Compare(a, b)
	if err != nil {
		return err
	}
	for _, d := range diffs {
		fmt.Println(d)
	}
	if len(diffs) > 0 {
		return fmt.Errorf("%s and %s differ in %d places", a, b, len(diffs))
	}
	fmt.Printf("%s and %s are equal in every name, byte, time, owner, mode and link.\n", a, b)
	return nil
}
