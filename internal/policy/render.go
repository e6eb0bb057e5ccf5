package policy

import (
	"regexp"
	"slices"
	"strings"
)

// plain is a value that YAML takes for the text that it is.
var plain = regexp.MustCompile(`^[a-zA-Z0-9/][a-zA-Z0-9/._-]*$`)

// words are what YAML takes for something else than text.
var words = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

// yaml returns the value as the file has it, in one line.
func (x entry) yaml() string {
	if x.one == nil {
		return x.show()
	}
	if plain.MatchString(*x.one) && !slices.Contains(words, strings.ToLower(*x.one)) {
		return *x.one
	}
	return flow(*x.one)
}

// Lines returns the dataset as an entry of a file's datasets, which Load reads: what
// was given, and as comments what is preset.
func (e *Effective) Lines() []string {
	t := e.text()
	out := []string{"  " + entry{one: &e.Name}.yaml() + ":"}
	return append(out, lines(t.entries(), "    ", func(key string) bool { return e.Origins[key].From == FromFile })...)
}

// SharedLines returns what a dataset has of the settings of its file, and the
// repository, as a file has them.
func (e *Effective) SharedLines(repository string) []string {
	t := fileText{Repository: repository, Timezone: zoneName(e.Timezone), Prices: e.Prices.text(), Quota: sizeText(e.Quota)}
	return lines(t.entries(), "", func(string) bool { return true })
}

// lines writes settings, one a line, those beneath a key under it. Those that were
// not given are comments, for they are what the program would preset anyway.
func lines(entries []entry, indent string, given func(key string) bool) []string {
	var out []string
	group := ""
	for _, x := range entries {
		if !x.given() {
			continue
		}
		above, name, nested := strings.Cut(x.key, ".")
		switch {
		case !given(x.key):
			out = append(out, indent+"# "+x.key+": "+x.yaml())
			continue
		case !nested:
			out = append(out, indent+x.key+": "+x.yaml())
			continue
		case above != group:
			out = append(out, indent+above+":")
			group = above
		}
		out = append(out, indent+"  "+name+": "+x.yaml())
	}
	return out
}
