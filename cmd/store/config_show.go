package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"savepoint/internal/policy"
	"savepoint/repo"
)

type showOptions struct {
	dataset        string
	fromRepository bool
}

// configDocument is what `config show --json` prints.
type configDocument struct {
	File     string            `json:"file,omitempty"`
	Settings []settingDocument `json:"settings"`
	Datasets []*policyDocument `json:"datasets"`
}

// settingDocument is one value, with where it came from.
type settingDocument struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
	Line   int    `json:"line,omitempty"`
	Name   string `json:"name,omitempty"`
}

// policyDocument is what holds for one dataset, or held for one source when the newest snapshot was made that carries a policy.
type policyDocument struct {
	Dataset  string            `json:"dataset"`
	Host     string            `json:"host,omitempty"`
	Snapshot string            `json:"snapshot,omitempty"`
	Stored   *time.Time        `json:"stored_at,omitempty"`
	Values   []settingDocument `json:"values"`
	Policy   json.RawMessage   `json:"policy,omitempty"`
	Problem  string            `json:"problem,omitempty"`
	Newer    uint64            `json:"newer_without_policy,omitempty"` // snapshots of the source that were made after it, without a policy

	effective *policy.Effective // that a snapshot carries; nil: none that can be read
}

// The origins of settings besides those of package policy.
const (
	fromFlag        = "flag"
	fromEnvironment = "environment"
	fromSnapshot    = "snapshot"
)

func (a *app) runConfigShow(ctx context.Context, o showOptions) error {
	doc := configDocument{File: a.config.Path, Settings: a.settings(), Datasets: []*policyDocument{}}
	if o.fromRepository {
		if err := a.showStored(ctx, &doc, o.dataset); err != nil {
			return err
		}
		if a.g.json {
			return a.printJSON(&doc)
		}
		return a.printStored(&doc)
	}
	if o.dataset != "" && a.config.Datasets[o.dataset] == nil {
		return hinted(usagef("dataset %q is in no configuration", o.dataset), "%s", a.datasetHint())
	}
	for _, name := range sortedNames(a.config) {
		if o.dataset != "" && name != o.dataset {
			continue
		}
		e := a.config.Datasets[name]
		stored, err := e.Encode()
		if err != nil {
			return err
		}
		doc.Datasets = append(doc.Datasets, &policyDocument{Dataset: name, Values: valuesOf(e.Values(), ""), Policy: stored})
	}
	return a.printConfig(&doc)
}

// settings returns what holds for all commands. Secrets are named, never shown.
func (a *app) settings() []settingDocument {
	var out []settingDocument
	if a.config.Path != "" {
		out = append(out, a.chosen("config", a.config.Path, a.g.config, "STORE_CONFIG", policy.FromProgram))
	}
	values := a.config.Values()
	repository := settingDocument{Key: "repository", Origin: string(policy.FromProgram)}
	if text, _ := a.named(); text != "" {
		repository = a.chosen("repository", a.repoText(), a.g.repo, "STORE_REPO", policy.FromFile)
		repository.Name = strings.Replace(repository.Name, "--repository", "--repo", 1)
	}
	secret := settingDocument{Key: "secret", Origin: string(policy.FromProgram)}
	if s, err := a.secretSource(); err == nil {
		secret.Value = strings.TrimSuffix(s.text(), " ("+s.origin+")")
		for _, path := range []string{s.file, s.keyFile} {
			if path != "" {
				secret.Value += " " + printable(path)
			}
		}
		origins := map[string]string{"flags": fromFlag, "environment": fromEnvironment, "configuration": string(policy.FromFile)}
		secret.Origin = cmp.Or(origins[s.origin], secret.Origin)
	}
	for _, v := range values {
		d := valuesOf([]policy.Value{v}, "")[0]
		switch {
		case v.Key == "repository" && repository.Origin == string(policy.FromFile):
			repository.Line = d.Line
		case v.Key == "password_file" && secret.Origin == string(policy.FromFile):
			secret.Line = d.Line
		}
	}
	out = append(out, repository, secret)
	for _, v := range values {
		if v.Key != "repository" && v.Key != "password_file" {
			out = append(out, valuesOf([]policy.Value{v}, "")...)
		}
	}
	up, _ := a.setting(a.g.limitUpload, "limit-upload")
	down, _ := a.setting(a.g.limitDownload, "limit-download")
	retry, _ := a.setting(a.g.retryFor, "retry-for")
	return append(out,
		a.chosen("cache_dir", a.cacheFolder(), a.g.cacheDir, "STORE_CACHE_DIR", policy.FromProgram),
		a.chosen("retry_for", first(retry, "15m"), a.g.retryFor, "STORE_RETRY_FOR", policy.FromProgram),
		a.chosen("limit_upload", up, a.g.limitUpload, "STORE_LIMIT_UPLOAD", policy.FromProgram),
		a.chosen("limit_download", down, a.g.limitDownload, "STORE_LIMIT_DOWNLOAD", policy.FromProgram))
}

// chosen returns a setting that a flag gives, else a variable, else another.
func (a *app) chosen(key, value, flag, env string, other policy.From) settingDocument {
	d := settingDocument{Key: key, Value: value, Origin: string(other)}
	switch {
	case flag != "":
		d.Origin, d.Name = fromFlag, "--"+strings.ReplaceAll(key, "_", "-")
	case a.getenv(env) != "":
		d.Origin, d.Name = fromEnvironment, env
	}
	return d
}

// valuesOf returns values as a document has them. snapshot is what carried them; "": the file.
func valuesOf(values []policy.Value, snapshot string) []settingDocument {
	out := make([]settingDocument, 0, len(values))
	for _, v := range values {
		d := settingDocument{Key: v.Key, Value: v.Text, Origin: string(v.Origin.From), Line: v.Origin.Line}
		if snapshot != "" && v.Origin.From == policy.FromFile {
			d.Origin, d.Name = fromSnapshot, snapshot
		}
		out = append(out, d)
	}
	return out
}

// showStored adds the policy of the newest snapshot of each source that carries one: after an incident backups may have been made without.
func (a *app) showStored(ctx context.Context, doc *configDocument, dataset string) error {
	r, err := a.openRepo(ctx)
	if err != nil {
		return err
	}
	snaps, bad, err := a.listSnapshots(ctx, r)
	if err != nil {
		return err
	}
	if bad != nil {
		a.damaged(bad)
	}
	sources, newer := map[string]*repo.Snapshot{}, map[string]uint64{}
	for _, s := range snaps { // oldest window first
		old := sources[s.Source()]
		switch {
		case dataset != "" && s.Dataset != dataset:
		case len(s.Policy) == 0 && old != nil && len(old.Policy) > 0:
			newer[s.Source()]++
		default:
			sources[s.Source()], newer[s.Source()] = s, 0
		}
	}
	if len(sources) == 0 && dataset != "" {
		return hinted(usagef("there is no snapshot of dataset %q", dataset), "There is:%s", sourceList(snaps))
	}
	for _, key := range slices.Sorted(maps.Keys(sources)) {
		d := a.storedPolicy(sources[key])
		d.Newer = newer[key]
		doc.Datasets = append(doc.Datasets, d)
	}
	return nil
}

// storedPolicy returns the policy that a snapshot carries.
func (a *app) storedPolicy(s *repo.Snapshot) *policyDocument {
	stored := s.Stored.UTC()
	d := &policyDocument{Dataset: s.Dataset, Host: s.Host, Snapshot: s.Short(), Stored: &stored, Values: []settingDocument{}}
	if len(s.Policy) == 0 {
		d.Problem = "it was backed up without a policy"
		return d
	}
	e, err := policy.Decode(s.Dataset, s.Policy)
	if err != nil {
		d.Problem = err.Error()
		a.found = worst(a.found, exitFailure)
		return d
	}
	d.effective = e
	d.Values = valuesOf(append(e.Values(), e.Shared()...), s.Short())
	if json.Valid(s.Policy) {
		d.Policy = s.Policy
	}
	return d
}

func (a *app) printConfig(doc *configDocument) error {
	if a.g.json {
		return a.printJSON(doc)
	}
	var b strings.Builder
	if doc.File == "" {
		fmt.Fprintln(&b, "no configuration file")
	}
	err := a.printValues(&b, "setting", doc.Settings, "")
	for _, d := range doc.Datasets {
		fmt.Fprintln(&b)
		fmt.Fprintln(&b, "dataset "+printable(d.Dataset))
		class := ""
		for _, v := range d.Values {
			if v.Key == "class" {
				class = v.Value
			}
		}
		err = errors.Join(err, a.printValues(&b, "key", d.Values, class))
	}
	_, writeErr := io.WriteString(a.out, b.String())
	return errors.Join(err, writeErr)
}

// printValues prints values with where they came from; without -v, those that are set.
func (a *app) printValues(w io.Writer, what string, values []settingDocument, class string) error {
	t := table{header: []string{strings.ToUpper(what), "VALUE", "FROM"}}
	for _, v := range values {
		if v.Value == "" && a.g.verbose == 0 {
			continue
		}
		from := v.Origin
		switch v.Origin {
		case string(policy.FromFile):
			from = placeText(a.config.Path, v.Line)
		case string(policy.FromClass):
			from = "default of class " + class
		case fromFlag, fromEnvironment:
			from = first(v.Name, v.Origin)
		}
		t.add(v.Key, shownValue(first(v.Value, "-")), from)
	}
	return t.print(w)
}

// shownValue returns a value as the file has it: lists and mappings are JSON, in which nothing is left to quote.
func shownValue(text string) string {
	if strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") {
		if json.Valid([]byte(text)) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) && utf8.ValidString(text) {
			return text
		}
	}
	return printable(text)
}
