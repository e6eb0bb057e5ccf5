package policy

// defaults returns the text of what a class presets, all of which stands in
// docs/policy.md. A schedule is no default: it says when somebody else runs store.
func defaults(c Class) datasetText {
	var d datasetText
	switch c {
	case ClassUser:
		d.Objectives = objectivesText{RPO: "2h", RTO: "4h"}
		d.Keep = keepText{Hourly: "48", Daily: "30", Monthly: "12"}
	case ClassState:
		d.Objectives = objectivesText{RPO: "4h", RTO: "4h"}
		d.Keep = keepText{Hourly: "24", Daily: "14", Monthly: "6"}
	case ClassTransactional:
		d.Objectives = objectivesText{RPO: "30m", RTO: "4h"}
		d.Keep = keepText{Hourly: "72", Daily: "30", Monthly: "12"}
	case ClassLog:
		d.Objectives = objectivesText{RPO: "2d", RTO: "12h"}
		d.Keep = keepText{Daily: "30", Monthly: "3"}
	}
	return d
}

// programDefaults returns the text of what the program presets for every class.
func programDefaults() datasetText {
	return datasetText{Drill: drillText{Timeout: "30m", Isolation: string(Full)}}
}

// preset fills what d leaves open from p, and notes where that came from. What
// belongs together is preset together: who says what to keep says all of it.
func (d *datasetText) preset(p datasetText, from From, origins map[string]Origin) {
	said := d.Keep != keepText{}
	mine, theirs := d.entries(), p.entries()
	for i, x := range mine {
		if x.one == nil || *x.one != "" || *theirs[i].one == "" || said && isKeep(x.key) {
			continue
		}
		*x.one = *theirs[i].one
		origins[x.key] = Origin{From: from}
	}
}

func isKeep(key string) bool { return len(key) > 5 && key[:5] == "keep." }
