package drill_test

import (
	"os"
	"testing"

	"savepoint/verify/probe"
)

func TestMain(m *testing.M) {
	if probe.IsHelper(os.Args) {
		os.Exit(probe.Help(os.Args))
	}
	os.Exit(m.Run())
}
