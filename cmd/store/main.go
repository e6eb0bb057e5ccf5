// Command store backs up folders into a deduplicating, encrypted repository and restores them as they were at any backed-up
// moment. This package is the command line only: flags, output and exit codes.
//
// A command is a file. It returns an error, and exit.go alone makes an exit code of it. Data goes to stdout; whatever else
// there is to say goes to stderr, through output.go.
package main

import (
	"os"
	_ "time/tzdata" // a local time must not silently be read as UTC where the system has no zones

	"savepoint/verify/probe"
)

// version is set by the linker.
var version = "dev"

func main() {
	if probe.IsHelper(os.Args) { // of a drill
		os.Exit(probe.Help(os.Args))
	}
	os.Exit(Main(os.Args, os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
