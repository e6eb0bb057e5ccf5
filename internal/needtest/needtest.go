// Package needtest is the one place that says what becomes of a test that this machine cannot run: it is skipped, unless
// STORE_REQUIRE names what it lacks, in a list with commas, or is "all"; then it fails. It gives a process to tests that need one for themselves.
package needtest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Without ends a test for want of something: a program by its name, or "root", "namespaces", "xattr" and the like. The
// reason says what was tried and how it went.
func Without(t testing.TB, what, reason string) {
	t.Helper()
	if Required(what) {
		t.Fatalf("STORE_REQUIRE wants %s: %s", what, reason)
	}
	t.Skip(reason)
}

// Required reports whether a test must not do without something.
func Required(what string) bool {
	required := os.Getenv("STORE_REQUIRE")
	return required == "all" || slices.Contains(strings.Split(required, ","), what)
}
