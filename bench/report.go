package main

import (
	"encoding/json"
	"os"
	"slices"
)

// A report is what one run of this program found.
type report struct {
	Machine machine   `json:"machine"`
	Quick   bool      `json:"quick,omitempty"`
	Server  string    `json:"server,omitempty"` // that holds the repositories; empty: they lie in folders
	Runs    int       `json:"runs"`
	Results []*result `json:"results"`
	Targets []target  `json:"targets"`
}

// A result is that of one corpus.
type result struct {
	Corpus   string        `json:"corpus"`
	Before   extent        `json:"before"`
	After    extent        `json:"after"`
	Part     extent        `json:"part"` // the smaller tree of the slope
	Steps    []series      `json:"steps"`
	Sizes    []size        `json:"sizes"`
	Checks   []check       `json:"checks"`
	Drills   []drill       `json:"drills,omitempty"`
	Frontier []frontierRow `json:"frontier,omitempty"`

	growing int64 // size of the repository before the step that is being measured
}

// A series is all samples of one step of one tool.
type series struct {
	Tool    string   `json:"tool"`
	Step    string   `json:"step"`
	Samples []sample `json:"samples"`
}

// A size is what a step added to a repository, in bytes.
type size struct {
	Tool  string `json:"tool"`
	Step  string `json:"step"`
	Bytes int64  `json:"bytes"`
}

// A check is what was found different in one restored tree.
type check struct {
	Tool string `json:"tool"`
	Step string `json:"step"`
	differences
}

func (r *result) add(tool, step string, s sample) {
	i := slices.IndexFunc(r.Steps, func(x series) bool { return x.Tool == tool && x.Step == step })
	if i < 0 {
		i = len(r.Steps)
		r.Steps = append(r.Steps, series{Tool: tool, Step: step})
	}
	r.Steps[i].Samples = append(r.Steps[i].Samples, s)
}

func (r *result) addCheck(tool, step string, d differences) {
	r.Checks = append(r.Checks, check{Tool: tool, Step: step, differences: d})
}

// startGrowth notes how large a repository is; without it, addSize counts from nothing.
func (r *result) startGrowth(t tool) (err error) {
	r.growing, err = treeSize(t.repo())
	return err
}

// addSize notes by how much a repository has grown.
func (r *result) addSize(t tool, step string) error {
	n, err := treeSize(t.repo())
	if err != nil {
		return err
	}
	r.Sizes = append(r.Sizes, size{Tool: t.name(), Step: step, Bytes: n - r.growing})
	r.growing = 0
	return nil
}

// last returns the seconds of the newest sample of a step, 0 if there is none.
func (r *result) last(tool, step string) float64 {
	for _, s := range r.Steps {
		if s.Tool == tool && s.Step == step {
			return s.Samples[len(s.Samples)-1].Wall
		}
	}
	return 0
}

// figures are what the tables show of a series: medians of times, peaks of memory.
type figures struct {
	n               int
	wall, cpu, sync float64
	rss, anon       int64
}

// of returns the figures of a step; n is 0 if it was not measured.
func (r *result) of(tool, step string) figures {
	var f figures
	for _, s := range r.Steps {
		if s.Tool != tool || s.Step != step {
			continue
		}
		f.n = len(s.Samples)
		f.wall = median(s.Samples, func(x sample) float64 { return x.Wall })
		f.cpu = median(s.Samples, func(x sample) float64 { return x.CPU })
		f.sync = median(s.Samples, func(x sample) float64 { return x.Sync })
		for _, x := range s.Samples {
			f.rss, f.anon = max(f.rss, x.RSS), max(f.anon, x.Anon)
		}
	}
	return f
}

// grown returns the median of what a step added to the repository.
func (r *result) grown(tool, step string) (int64, bool) {
	var all []size
	for _, s := range r.Sizes {
		if s.Tool == tool && s.Step == step {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	return int64(median(all, func(s size) float64 { return float64(s.Bytes) })), true
}

// median returns the middle of what fn says of each, the mean of the two middle ones of an even number, and 0 of none.
func median[T any](all []T, fn func(T) float64) float64 {
	if len(all) == 0 {
		return 0
	}
	values := make([]float64, len(all))
	for i, x := range all {
		values[i] = fn(x)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// slope returns the seconds a file between a smaller and a larger tree: what does not depend on the files drops out.
func slope(less float64, fewer int, more float64, files int) float64 {
	if files <= fewer {
		return 0
	}
	return (more - less) / float64(files-fewer)
}

// slopeOf returns the seconds of time and of CPU that a tool takes for each unchanged file. ok is false if that was not
// measured.
func (r *result) slopeOf(tool string) (wall, cpu float64, ok bool) {
	half, whole := r.of(tool, stepPart), r.of(tool, stepUnchanged)
	if half.n == 0 || whole.n == 0 {
		return 0, 0, false
	}
	return slope(half.wall, r.Part.Files, whole.wall, r.Before.Files), slope(half.cpu, r.Part.Files, whole.cpu, r.Before.Files), true
}

// differences counts the trees that store restored wrongly.
func (r *report) differences() int {
	n := 0
	for _, res := range r.Results {
		for _, c := range res.Checks {
			if c.Tool == toolStore && len(c.Rsync)+len(c.Compare) > 0 {
				n++
			}
		}
	}
	return n
}

func (r *report) writeJSON(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
