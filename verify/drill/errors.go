package drill

import (
	"errors"
	"fmt"
	"strings"

	"savepoint/repo/restore"
	"savepoint/verify"
)

var (
	// ErrDamage is returned beside a document that lists what did not come back as it was.
	ErrDamage = errors.New("the drill found damage")
	// ErrProbe is returned in its place when all came back as it was backed up, and nothing but the probe found it wanting.
	ErrProbe = errors.New("all came back as it was backed up, and the probe of the drill failed")
	// ErrObjective is returned when a drill took longer than its RTO, or what came back is older than its RPO.
	ErrObjective = errors.New("an objective was missed")
	// ErrInconclusive is returned when an objective cannot be judged under the conditions of the drill.
	ErrInconclusive = errors.New("the objectives could not be judged")
	// ErrNoSource is wrapped by an error of Options.Select that wraps repo.ErrNoSnapshot when what was asked for is nobody's: no snapshot is of
	// it, whenever, and nothing else knows it.
	ErrNoSource = errors.New("there is no such source")
)

// because adds to an error the first reasons of the verdict, n at most.
func because(err error, d *verify.DrillDocument, n int) error {
	if len(d.Reasons) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, strings.Join(d.Reasons[:min(n, len(d.Reasons))], " "))
}

// missed is how many objectives a drill missed: the first reasons are of these.
func missed(d *verify.DrillDocument) int {
	n := 0
	if d.RTO.Judged && d.RTO.Objective > 0 && !d.RTO.Met {
		n++
	}
	if d.RPO.Judged && d.RPO.Objective > 0 && !d.RPO.Met {
		n++
	}
	return n
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// unadvised takes from an error of a restore what it says of the target that stays behind: this one does not.
func unadvised(err error) error {
	var e *restore.IncompleteError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
