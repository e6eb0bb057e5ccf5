package drill

import (
	"context"
	"fmt"
	"os"

	"savepoint/verify"
	"savepoint/verify/probe"
)

// probeReady finds out whether the probe can be run at all, before anybody restores for it.
func (x *run) probeReady(ctx context.Context) error {
	s := x.o.Probe
	if s == nil {
		return nil
	}
	isolation := s.Isolation
	if isolation == "" {
		isolation = probe.Full
	}
	x.doc.Conditions.Isolation = string(isolation)
	x.doc.Probe = &verify.Probe{Argv: s.Argv, Builtin: s.Builtin(), Result: verify.ProbeNotRun, Isolation: string(isolation)}
	err := probe.Check(ctx, *s)
	x.watch.lap("") // a recovery would not try first
	return err
}

// probe runs the probe, when all came back. What it takes belongs to the recovery: the data is not in use before.
func (x *run) probe(ctx context.Context) error {
	d := x.doc
	if x.o.Probe == nil || x.res == nil {
		return nil
	}
	if d.DamagedCnt > 0 || d.Compared.DifferenceCount > 0 {
		d.Probe.Message = "not all came back as it was backed up"
		return nil
	}
	if x.o.Events.Probing != nil {
		x.o.Events.Probing()
	}
	if err := os.Mkdir(x.scratch.probe(), 0o700); err != nil {
		return fmt.Errorf("make a folder for the probe: %w", err)
	}
	res, err := probe.Run(ctx, *x.o.Probe, probe.Options{Target: x.scratch.restored(), Temp: x.scratch.probe(), Snapshot: d.Snapshot,
		RecoveryPoint: d.WindowStart, Now: x.watch.now})
	p := res.Probe
	if p.Canary != nil {
		age := d.Incident.Sub(*p.Canary).Seconds()
		p.CanaryAge = &age
	}
	d.Probe = &p
	x.watch.add("start", res.Start)
	x.watch.add("validate", res.Validate)
	if err == nil {
		err = x.scratch.same()
	}
	return err
}
