package main

import (
	"fmt"
	"strings"
	"time"

	"savepoint/internal/policy"
	"savepoint/repo"
	"savepoint/verify/drill"
	"savepoint/verify/probe"
)

// policyOf returns what holds for the dataset of a snapshot: as the configuration says, else as the snapshot carries it; nil when neither
// says anything that can be read. where says where it comes from.
func (a *app) policyOf(s *repo.Snapshot) (e *policy.Effective, where string) {
	if e := a.config.Datasets[s.Dataset]; e != nil {
		return e, ""
	}
	if len(s.Policy) == 0 {
		return nil, ""
	}
	e, err := policy.Decode(s.Dataset, s.Policy)
	if err != nil {
		a.infof("snapshot %s: %v", s.Short(), err)
		return nil, ""
	}
	return e, "snapshot " + s.Short()
}

// wantedOf returns what the policy of a snapshot wants of its drill and no flag gave, and notes where objectives came from. Only a probe of the
// configuration is run: who can write a snapshot's policy could have any host run what they like.
func (a *app) wantedOf(o *drillOptions, s *repo.Snapshot) drill.Wanted {
	var w drill.Wanted
	e, where := a.policyOf(s)
	if e == nil {
		return w
	}
	var said []string
	for _, x := range []struct {
		name, key    string
		flag, policy time.Duration
		into         *time.Duration
	}{{"RTO", "objectives.rto", o.want.rto, e.Objectives.RTO, &w.RTO}, {"RPO", "objectives.rpo", o.want.rpo, e.Objectives.RPO, &w.RPO}} {
		if x.flag > 0 || x.policy == 0 {
			continue
		}
		*x.into = x.policy
		from := where
		if from == "" || e.Origins[x.key].From != policy.FromFile {
			from = a.originText(e, x.key)
		}
		said = append(said, fmt.Sprintf("%s objective %s (policy: %s)", x.name, policy.SpanText(x.policy), from))
	}
	o.said = strings.Join(said, ", ")
	if sum, known := e.Recovery.Total(); known {
		w.Assumed = &sum
	}
	if d := e.Drill; where == "" && d.Probe != nil && !o.probe.none() {
		w.Probe = &probe.Spec{Argv: d.Probe.Argv, Timeout: d.Timeout, Isolation: probe.Isolation(d.Isolation)}
	}
	return w
}

// drillPolicy takes from the configuration where to restore to and which kit to use, when no flag says so.
func (a *app) drillPolicy(o *drillOptions) error {
	if e := a.config.Datasets[o.dataset]; e != nil {
		o.scratch = first(o.scratch, e.Drill.Scratch)
		if !a.secretGiven() {
			o.keysFrom = first(o.keysFrom, e.Drill.KeysFrom)
		}
	}
	return a.parseKeysFrom(o)
}

// secretGiven reports whether a flag says which secret opens the repository.
func (a *app) secretGiven() bool {
	return a.g.passwordFile+a.g.passwordCommand+a.g.keyFile+a.g.identity != ""
}

// originText says where a value of a dataset came from.
func (a *app) originText(e *policy.Effective, key string) string {
	switch o := e.Origins[key]; o.From {
	case policy.FromFile:
		return placeText(a.config.Path, o.Line)
	case policy.FromClass:
		return "default of class " + string(e.Class)
	}
	return "default"
}

// placeText names a line of a file.
func placeText(path string, line int) string {
	if line == 0 {
		return printable(path)
	}
	return fmt.Sprintf("%s:%d", printable(path), line)
}

// refuseHost refuses a backup of a dataset that the configuration gives to other hosts: it would be a source that nobody expects.
func (a *app) refuseHost(d dataset, host string) error {
	if d.effective == nil || d.effective.OnHost(host) {
		return nil
	}
	return hinted(usagef("dataset %s is of %s, and this host is %s", d.name, hostsText(d.effective.Hosts), printable(host)),
		"If it stands for one of them: --host NAME. If it has the dataset as well: add it to hosts: in %s.", placeText(a.config.Path, d.effective.Origins["hosts"].Line))
}

// hostsText names hosts.
func hostsText(hosts []string) string {
	if len(hosts) == 1 {
		return "host " + hosts[0]
	}
	return "hosts " + strings.Join(hosts, ", ")
}
