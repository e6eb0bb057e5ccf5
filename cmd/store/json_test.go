package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"savepoint/verify"
	"savepoint/verify/health"
)

// TestJSONDocumented holds docs/json.md to the documents: under each heading, every field of the document has a row, and every
// row is a field.
func TestJSONDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for part := range strings.SplitSeq(string(b), "\n## ") {
		name, text, _ := strings.Cut(part, "\n")
		sections[name] = text
	}
	row := regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|")
	snapshot := fieldsOf(reflect.TypeFor[snapshotDocument]())
	for name, doc := range map[string]reflect.Type{
		"Errors": reflect.TypeFor[errorDocument](), "Snapshots": reflect.TypeFor[snapshotsDocument](), "Backup": reflect.TypeFor[backupDocument](),
		"Restore": reflect.TypeFor[restoreDocument](), "Listing": reflect.TypeFor[lsLine](), "Init": reflect.TypeFor[initDocument](),
		"Keys": reflect.TypeFor[keyListDocument](), "Key changes": reflect.TypeFor[keyChangeDocument](), "Version": reflect.TypeFor[versionDocument](), "Adopt": reflect.TypeFor[adoptDocument](),
		"Backup of all": reflect.TypeFor[backupAllDocument](), "Config": reflect.TypeFor[configDocument](), "Config check": reflect.TypeFor[configCheckDocument](),
		"Verify": reflect.TypeFor[verify.CheckDocument](),
		"Health": reflect.TypeFor[health.Status](),
		"Drill":  reflect.TypeFor[verify.DrillDocument](),
		"Drills": reflect.TypeFor[drillsDocument](),
		"Usage":  reflect.TypeFor[verify.Usage](),
	} {
		documented := map[string]bool{}
		for _, m := range row.FindAllStringSubmatch(sections[name], -1) {
			for f := range strings.SplitSeq(m[1], ",") {
				documented[strings.Trim(f, " `")] = true
			}
		}
		skip := []reflect.Type{reflect.TypeFor[snapshotDocument](), reflect.TypeFor[verify.Usage]()} // described once, under Snapshots and Usage
		switch name {
		case "Drills":
			skip = append(skip, reflect.TypeFor[verify.DrillDocument]()) // described under Drill
		case "Backup of all":
			skip = append(skip, reflect.TypeFor[backupDocument]()) // as is this, under Backup
		}
		want := fieldsOf(doc, slices.DeleteFunc(skip, func(t reflect.Type) bool { return t == doc })...)
		if name == "Snapshots" {
			for f := range snapshot {
				want[f] = true
			}
		}
		for f := range want {
			if !documented[f] {
				t.Errorf("%s: the field %q is not documented", name, f)
			}
		}
		for f := range documented {
			if !want[f] {
				t.Errorf("%s: there is no field %q", name, f)
			}
		}
	}
}

// fieldsOf returns the JSON names of a document and all in it, but for those of skip.
func fieldsOf(t reflect.Type, skip ...reflect.Type) map[string]bool {
	names := map[string]bool{}
	switch {
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice:
		return fieldsOf(t.Elem(), skip...)
	case t.Kind() != reflect.Struct, slices.Contains(skip, t), t == reflect.TypeFor[time.Time]():
		return names
	}
	for f := range t.Fields() {
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names[name] = true
		for inner := range fieldsOf(f.Type, skip...) {
			names[inner] = true
		}
	}
	return names
}
