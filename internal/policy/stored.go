package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// MaxStored is how many bytes of policy a snapshot carries at most.
const MaxStored = 16 << 10

// storedText is the policy of a dataset in a snapshot (docs/policy.md): its entry
// as the file would have it, with what is preset, and what rules all of a file.
type storedText struct {
	datasetText
	Timezone string     `json:"timezone,omitempty"`
	Prices   pricesText `json:"prices,omitzero"`
	Quota    string     `json:"quota,omitempty"`
	// Defaults are the keys whose values the class or the program preset.
	Defaults []string `json:"defaults,omitempty"`
}

// Encode returns what a snapshot carries: JSON, without secrets and without what
// matters on its host alone.
func (e *Effective) Encode() ([]byte, error) {
	s := storedText{datasetText: e.text(), Timezone: zoneName(e.Timezone), Prices: e.Prices.text(), Quota: sizeText(e.Quota)}
	for key, o := range e.Origins {
		if o.From != FromFile {
			s.Defaults = append(s.Defaults, key)
		}
	}
	slices.Sort(s.Defaults)
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the policy: %w", err)
	}
	return b, nil
}

// Decode reads the policy of a dataset from a snapshot. Keys that it does not know
// are left out: a newer program wrote them. Origins are FromFile, without lines,
// for what was written in the file then.
func Decode(name string, stored []byte) (*Effective, error) {
	if len(stored) > MaxStored {
		return nil, fmt.Errorf("policy of %q: larger than %d bytes", name, MaxStored)
	}
	if !utf8.Valid(stored) {
		return nil, fmt.Errorf("policy of %q: not UTF-8", name)
	}
	var s storedText
	if err := json.Unmarshal(stored, &s); err != nil {
		return nil, fmt.Errorf("policy of %q: %w", name, err)
	}
	zone, err := parseZone(s.Timezone)
	if err != nil {
		return nil, fmt.Errorf("policy of %q: timezone %q %w", name, s.Timezone, err)
	}
	prices, err := parsePrices(s.Prices)
	if err != nil {
		return nil, fmt.Errorf("policy of %q: %w", name, err)
	}
	quota, err := parseQuota(s.Quota)
	if err != nil {
		return nil, fmt.Errorf("policy of %q: %w", name, err)
	}
	e, err := build(name, s.datasetText, shared{zone, prices, quota})
	var x *fault
	if errors.As(err, &x) {
		err = x.err
	}
	if err != nil {
		return nil, fmt.Errorf("policy of %q: %w", name, err)
	}
	preset := programDefaults()
	for _, key := range s.Defaults {
		if _, known := e.Origins[key]; !known {
			continue
		}
		e.Origins[key] = Origin{From: FromClass}
		for _, x := range preset.entries() {
			if x.key == key && x.given() {
				e.Origins[key] = Origin{From: FromProgram}
			}
		}
	}
	return e, nil
}
