package policy

import (
	"encoding/json"
	"strings"
)

// entry is one setting: its key and its text, or texts.
type entry struct {
	key   string
	one   *string
	many  []string
	probe *probeText
}

// given reports whether it is set.
func (x entry) given() bool {
	return x.one != nil && *x.one != "" || len(x.many) > 0 || x.probe != nil && !x.probe.IsZero()
}

// show returns the setting in one line, as YAML has it.
func (x entry) show() string {
	switch {
	case !x.given():
		return ""
	case x.one != nil:
		return *x.one
	case x.probe != nil:
		return flow(x.probe)
	}
	return flow(x.many)
}

// flow returns v as JSON, which is YAML as well, without what HTML needs.
func flow(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // texts alone, which all can be
		return ""
	}
	return strings.TrimSpace(b.String())
}

// entries returns all settings of a file but its datasets.
func (f *fileText) entries() []entry {
	return []entry{
		{key: "repository", one: &f.Repository},
		{key: "password_file", one: &f.PasswordFile},
		{key: "timezone", one: &f.Timezone},
		{key: "prices.gb_month", one: &f.Prices.GBMonth},
		{key: "prices.gb_out", one: &f.Prices.GBOut},
		{key: "prices.per_1000_requests", one: &f.Prices.Per1000Requests},
		{key: "quota", one: &f.Quota},
	}
}

// entries returns all settings of a dataset.
func (d *datasetText) entries() []entry {
	return []entry{
		{key: "class", one: &d.Class},
		{key: "hosts", many: d.Hosts},
		{key: "paths", many: d.Paths},
		{key: "schedule", one: &d.Schedule},
		{key: "full", one: &d.Full},
		{key: "objectives.rpo", one: &d.Objectives.RPO},
		{key: "objectives.rto", one: &d.Objectives.RTO},
		{key: "keep.last", one: &d.Keep.Last},
		{key: "keep.hourly", one: &d.Keep.Hourly},
		{key: "keep.daily", one: &d.Keep.Daily},
		{key: "keep.weekly", one: &d.Keep.Weekly},
		{key: "keep.monthly", one: &d.Keep.Monthly},
		{key: "keep.yearly", one: &d.Keep.Yearly},
		{key: "expect.files", one: &d.Expect.Files},
		{key: "expect.bytes", one: &d.Expect.Bytes},
		{key: "tolerate", many: d.Tolerate},
		{key: "drill.schedule", one: &d.Drill.Schedule},
		{key: "drill.probe", probe: &d.Drill.Probe},
		{key: "drill.timeout", one: &d.Drill.Timeout},
		{key: "drill.keys_from", one: &d.Drill.KeysFrom},
		{key: "drill.isolation", one: &d.Drill.Isolation},
		{key: "drill.scratch", one: &d.Drill.Scratch},
		{key: "recovery.detect", one: &d.Recovery.Detect},
		{key: "recovery.decide", one: &d.Recovery.Decide},
		{key: "recovery.cutover", one: &d.Recovery.Cutover},
	}
}
