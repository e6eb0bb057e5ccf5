package policy

import (
	"encoding/json"
	"errors"
	"strings"
)

// The configuration as it is written: every value is text, empty where none is
// given. The same types are what snapshots carry, as JSON.

type fileText struct {
	Repository   string                 `yaml:"repository" json:"-"`
	PasswordFile string                 `yaml:"password_file" json:"-"`
	Timezone     string                 `yaml:"timezone" json:"timezone,omitempty"`
	Prices       pricesText             `yaml:"prices" json:"prices,omitzero"`
	Quota        string                 `yaml:"quota" json:"quota,omitempty"`
	Datasets     map[string]datasetText `yaml:"datasets" json:"-"`
}

type pricesText struct {
	GBMonth         string `yaml:"gb_month" json:"gb_month,omitempty"`
	GBOut           string `yaml:"gb_out" json:"gb_out,omitempty"`
	Per1000Requests string `yaml:"per_1000_requests" json:"per_1000_requests,omitempty"`
}

type datasetText struct {
	Class      string         `yaml:"class" json:"class,omitempty"`
	Hosts      []string       `yaml:"hosts" json:"hosts,omitempty"`
	Paths      []string       `yaml:"paths" json:"paths,omitempty"`
	Schedule   string         `yaml:"schedule" json:"schedule,omitempty"`
	Full       string         `yaml:"full" json:"full,omitempty"`
	Objectives objectivesText `yaml:"objectives" json:"objectives,omitzero"`
	Keep       keepText       `yaml:"keep" json:"keep,omitzero"`
	Expect     expectText     `yaml:"expect" json:"expect,omitzero"`
	Tolerate   []string       `yaml:"tolerate" json:"tolerate,omitempty"`
	Drill      drillText      `yaml:"drill" json:"drill,omitzero"`
	Recovery   recoveryText   `yaml:"recovery" json:"recovery,omitzero"`
}

type objectivesText struct {
	RPO string `yaml:"rpo" json:"rpo,omitempty"`
	RTO string `yaml:"rto" json:"rto,omitempty"`
}

type keepText struct {
	Last    string `yaml:"last" json:"last,omitempty"`
	Hourly  string `yaml:"hourly" json:"hourly,omitempty"`
	Daily   string `yaml:"daily" json:"daily,omitempty"`
	Weekly  string `yaml:"weekly" json:"weekly,omitempty"`
	Monthly string `yaml:"monthly" json:"monthly,omitempty"`
	Yearly  string `yaml:"yearly" json:"yearly,omitempty"`
}

type expectText struct {
	Files string `yaml:"files" json:"files,omitempty"`
	Bytes string `yaml:"bytes" json:"bytes,omitempty"`
}

type drillText struct {
	Schedule  string    `yaml:"schedule" json:"schedule,omitempty"`
	Probe     probeText `yaml:"probe" json:"probe,omitzero"`
	Timeout   string    `yaml:"timeout" json:"timeout,omitempty"`
	KeysFrom  string    `yaml:"keys_from" json:"keys_from,omitempty"`
	Isolation string    `yaml:"isolation" json:"isolation,omitempty"`
	Scratch   string    `yaml:"scratch" json:"-"` // of this host alone
}

type recoveryText struct {
	Detect  string `yaml:"detect" json:"detect,omitempty"`
	Decide  string `yaml:"decide" json:"decide,omitempty"`
	Cutover string `yaml:"cutover" json:"cutover,omitempty"`
}

// probeText is a program with its arguments, or one of those that come with store.
type probeText struct {
	Argv []string
	probeKinds
}

type probeKinds struct {
	SQLite   *sqliteText   `yaml:"sqlite" json:"sqlite,omitempty"`
	Postgres *postgresText `yaml:"postgres" json:"postgres,omitempty"`
	Files    *filesText    `yaml:"files" json:"files,omitempty"`
	Canary   *canaryText   `yaml:"canary" json:"canary,omitempty"`
}

// Each built-in probe takes what its flags take; see docs/policy.md.

type sqliteText struct {
	Match  []string  `yaml:"match" json:"match,omitempty"`
	Quick  string    `yaml:"quick" json:"quick,omitempty"`
	SQL    []sqlText `yaml:"sql" json:"sql,omitempty"`
	Canary string    `yaml:"canary" json:"canary,omitempty"`
	MaxAge string    `yaml:"max_age" json:"max_age,omitempty"`
}

type postgresText struct {
	Data     string    `yaml:"data" json:"data,omitempty"`
	Bin      string    `yaml:"bin" json:"bin,omitempty"`
	User     string    `yaml:"user" json:"user,omitempty"`
	Database string    `yaml:"database" json:"database,omitempty"`
	Set      []string  `yaml:"set" json:"set,omitempty"`
	SQL      []sqlText `yaml:"sql" json:"sql,omitempty"`
	Canary   string    `yaml:"canary" json:"canary,omitempty"`
	MaxAge   string    `yaml:"max_age" json:"max_age,omitempty"`
}

type sqlText struct {
	Query     string `yaml:"query" json:"query,omitempty"`
	Expect    string `yaml:"expect" json:"expect,omitempty"`
	Tolerance string `yaml:"tolerance" json:"tolerance,omitempty"`
}

type filesText struct {
	Match   []string `yaml:"match" json:"match,omitempty"`
	Least   string   `yaml:"least" json:"least,omitempty"`
	Most    string   `yaml:"most" json:"most,omitempty"`
	MinSize string   `yaml:"min_size" json:"min_size,omitempty"`
	MaxSize string   `yaml:"max_size" json:"max_size,omitempty"`
}

type canaryText struct {
	Match  []string `yaml:"match" json:"match,omitempty"`
	MaxAge string   `yaml:"max_age" json:"max_age,omitempty"`
}

// errProbe is said of a probe that is neither a list nor a mapping; the place is
// found later.
var errProbe = errors.New("a probe is a list of a program and its arguments, or one of sqlite, postgres, files and canary")

// UnmarshalYAML reads either form.
func (p *probeText) UnmarshalYAML(decode func(any) error) error {
	var form any
	if err := decode(&form); err != nil {
		return err
	}
	switch form.(type) {
	case []any:
		return decode(&p.Argv)
	case map[string]any:
		return decode(&p.probeKinds)
	case nil:
		return nil
	}
	return errProbe
}

// MarshalJSON writes either form, as the file would have it.
func (p probeText) MarshalJSON() ([]byte, error) {
	if len(p.Argv) > 0 {
		return []byte(flow(p.Argv)), nil
	}
	return []byte(flow(p.probeKinds)), nil
}

// UnmarshalJSON reads either form.
func (p *probeText) UnmarshalJSON(b []byte) error {
	if strings.HasPrefix(string(b), "[") {
		return json.Unmarshal(b, &p.Argv)
	}
	return json.Unmarshal(b, &p.probeKinds)
}

// IsZero reports whether there is none.
func (p probeText) IsZero() bool { return len(p.Argv) == 0 && p.builtins() == nil }

// builtins returns the names of those that are given.
func (k probeKinds) builtins() []string {
	var names []string
	for _, x := range []struct {
		name  string
		given bool
	}{
		{"sqlite", k.SQLite != nil}, {"postgres", k.Postgres != nil}, {"files", k.Files != nil}, {"canary", k.Canary != nil},
	} {
		if x.given {
			names = append(names, x.name)
		}
	}
	return names
}
