package main

import (
	"fmt"
	"os"
	"strings"
)

// What -md writes goes between these lines.
const (
	beginMark  = "<!-- begin: go run ./bench -md -->"
	beginMinIO = "<!-- begin: go run ./bench -minio -md -->"
	endMark    = "<!-- end -->"
)

// splice puts text between the markers of a file.
func splice(path, begin, text string) error {
	head, tail, err := cutMarked(path, begin)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(head+"\n"+text+"\n"+tail), 0o644)
}

// cutMarked returns what stands before the text between the markers and what stands after it, markers included.
func cutMarked(path, mark string) (head, tail string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	text := string(data)
	head, rest, ok := strings.Cut(text, mark+"\n")
	end := strings.Index(rest, endMark+"\n")
	if !ok || end < 0 {
		return "", "", fmt.Errorf("%s: no line %q with a line %q after it", path, mark, endMark)
	}
	return head + mark + "\n", rest[end:], nil
}

// markdown renders the whole report.
func (r *report) markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "%s UTC, commit %s, %s, %s. %s, %d cores, %.0f GiB, Linux %s, %s, %s. Load average %.1f before, %.1f after. Runs: %d.\n",
		m.Date, m.Commit, m.Store, m.Restic, m.CPU, m.Cores, float64(m.Memory)/(1<<30), m.Kernel, m.FileSystem, m.Go, m.LoadBefore, m.LoadAfter, r.Runs)
	if r.Server != "" {
		fmt.Fprintf(&b, "\nRepositories on %s on the same machine, over plain HTTP; restores with an empty cache folder.\n", r.Server)
	}
	if r.Quick {
		b.WriteString("\nSmall corpora: these times say nothing.\n")
	}
	for _, res := range r.Results {
		if len(res.Steps) > 0 {
			res.table(&b)
			res.checks(&b)
			res.drills(&b)
		}
	}
	for _, res := range r.Results {
		if len(res.Frontier) > 0 {
			frontierTable(&b, res)
		}
	}
	if len(r.Targets) > 0 {
		b.WriteString("\n### Targets\n\n| target | wanted | measured | |\n|---|---|---|---|\n")
		for _, t := range r.Targets {
			verdict := "missed"
			if t.Met {
				verdict = "met"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.Name, t.Want, t.Got, verdict)
		}
	}
	return b.String()
}

// table renders the steps of one corpus.
func (r *result) table(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n%d files, %s MiB", r.Corpus, r.Before.Files, mib(r.Before.Bytes))
	if r.After.Files > 0 {
		fmt.Fprintf(b, "; after the change %d files, %s MiB", r.After.Files, mib(r.After.Bytes))
	}
	b.WriteString(".\n\n| step | n | store s | MiB/s | CPU s | RSS MiB | anon MiB | restic s | CPU s | RSS MiB | anon MiB | time, store/restic |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, step := range []string{stepFirst, stepUnchanged, stepPart, stepChanged, stepRestore1, stepRestore2, stepDrill, stepVerify, stepReadBack} {
		ours, theirs := r.of(toolStore, step), r.of(toolRestic, step)
		if ours.n == 0 {
			continue
		}
		rate := ""
		if step == stepFirst || step == stepRestore1 {
			rate = fmt.Sprintf("%.0f", float64(r.Before.Bytes)/(1<<20)/ours.wall)
		}
		fmt.Fprintf(b, "| %s | %d | %.2f | %s | %.2f | %s | %s |", step, ours.n, ours.wall, rate, ours.cpu, mib(ours.rss), mib(ours.anon))
		if theirs.n == 0 {
			b.WriteString(" | | | | |\n")
			continue
		}
		fmt.Fprintf(b, " %.2f | %.2f | %s | %s | %.2f |\n", theirs.wall, theirs.cpu, mib(theirs.rss), mib(theirs.anon), ours.wall/theirs.wall)
	}
	b.WriteString("\n")
	r.sizes(b)
}

// sizes renders what lies beside the times: sizes, slopes, and what a restore leaves to the kernel.
func (r *result) sizes(b *strings.Builder) {
	b.WriteString("| | store | restic | store/restic |\n|---|--:|--:|--:|\n")
	row := func(name, format string, ours float64, ok1 bool, theirs float64, ok2 bool) {
		switch {
		case ok1 && ok2:
			fmt.Fprintf(b, "| %s | "+format+" | "+format+" | %.2f |\n", name, ours, theirs, ours/theirs)
		case ok1:
			fmt.Fprintf(b, "| %s | "+format+" | | |\n", name, ours)
		}
	}
	for _, x := range []struct{ name, step string }{{"repository after the first backup, MiB", stepFirst}, {"added by the changed backup, MiB", stepChanged}} {
		ours, ok1 := r.grown(toolStore, x.step)
		theirs, ok2 := r.grown(toolRestic, x.step)
		row(x.name, "%.1f", float64(ours)/(1<<20), ok1, float64(theirs)/(1<<20), ok2)
	}
	ours, oursCPU, ok1 := r.slopeOf(toolStore)
	theirs, theirsCPU, ok2 := r.slopeOf(toolRestic)
	row("each unchanged file, µs (slope)", "%.1f", ours*1e6, ok1, theirs*1e6, ok2)
	row("each unchanged file, µs of CPU (slope)", "%.1f", oursCPU*1e6, ok1, theirsCPU*1e6, ok2)
	for _, step := range []string{stepFirst, stepRestore1} {
		ours, theirs := r.of(toolStore, step), r.of(toolRestic, step)
		row(step+" and sync, s", "%.2f", ours.wall+ours.sync, ours.n > 0, theirs.wall+theirs.sync, theirs.n > 0)
	}
}

// drills renders what drills took beside restores.
func (r *result) drills(b *strings.Builder) {
	if len(r.Drills) == 0 {
		return
	}
	of := func(fn func(drill) float64) float64 { return median(r.Drills, fn) }
	fmt.Fprintf(b, "\nDrill: RTO %.2f s, comparison %.2f s; beyond its own RTO %.0f%%, beyond a restore alone %.0f%%. Without comparing anything, reading such a tree from disk took %.2f s and `rm -rf` %.2f s: %.0f%% of that RTO.\n",
		of(func(d drill) float64 { return d.RTO }), of(func(d drill) float64 { return d.Compare }),
		100*of(func(d drill) float64 { return d.beyond(d.RTO) }), 100*of(func(d drill) float64 { return d.beyond(d.Restore) }),
		of(func(d drill) float64 { return d.Read }), of(func(d drill) float64 { return d.Remove }), 100*of(drill.floor))
}

// checks renders what the comparison of the restored trees found.
func (r *result) checks(b *strings.Builder) {
	if len(r.Checks) == 0 {
		return
	}
	b.WriteString("\nRestored and compared:")
	for _, tool := range []string{toolStore, toolRestic} {
		trees, rsync, compare, example := 0, 0, 0, ""
		for _, c := range r.Checks {
			if c.Tool != tool {
				continue
			}
			trees++
			rsync += len(c.Rsync)
			compare += len(c.Compare)
			for _, line := range append(c.Rsync, c.Compare...) {
				example = line
				break
			}
		}
		if trees == 0 {
			continue
		}
		fmt.Fprintf(b, " %s %d trees, %d lines of rsync, %d differences by Compare", tool, trees, rsync, compare)
		if example != "" {
			fmt.Fprintf(b, " (such as `%s`)", strings.ReplaceAll(example, "`", "'"))
		}
		b.WriteString(".")
	}
	b.WriteString("\n")
}

// mib renders bytes as whole MiB.
func mib(n int64) string { return fmt.Sprintf("%.0f", float64(n)/(1<<20)) }
