package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"savepoint/verify"
	"savepoint/verify/drill"
	"savepoint/verify/probe"
)

// aboutProbes says in the help what a probe is.
const aboutProbes = "--probe runs a program in the restored folder, or a built-in probe (canary, files, postgres, sqlite), with the arguments behind --.\n" +
	"{target}, {snapshot} and {recovery_point} are replaced in them. It passes when it ends with 0 and the last line that it prints is\n" +
	"\"checked N\", N at least 1. It has no network, and can write nowhere but in the folder and $TMPDIR. docs/operations.md has examples."

// noProbe stands for no probe where the configuration has one.
const noProbe = "none"

// probeLines is how many lines the text shows of what a probe printed that failed.
const probeLines = 20

// probeWidth is how many characters of a probe's command one line of the text shows.
const probeWidth = 100

type probeFlags struct {
	name, timeout, isolation string
	args                     []string
	spec                     *probe.Spec // nil: none is wanted
}

func (p *probeFlags) register(f *pflag.FlagSet) {
	f.StringVar(&p.name, "probe", "", "`PROBE` that looks at what was restored: a program, or canary, files, postgres or sqlite; its arguments follow --.\nnone: not the one of the configuration either")
	f.StringVar(&p.timeout, "probe-timeout", "", "the probe fails when it takes longer, a `DURATION` (default 30m)")
	f.StringVar(&p.isolation, "isolation", "", "of the probe: full, or none where the kernel forbids namespaces (default full)")
}

// split takes from the arguments those of the probe, which follow --, and checks the others.
func (p *probeFlags) split(cmd *cobra.Command, args *[]string, check cobra.PositionalArgs) error {
	if dash := cmd.ArgsLenAtDash(); p.name != "" && dash >= 0 {
		p.args, *args = (*args)[dash:], (*args)[:dash]
	}
	if check == nil {
		return nil
	}
	return check(cmd, *args)
}

// none reports whether no probe is wanted, whatever the configuration says.
func (p *probeFlags) none() bool { return p.name == noProbe }

// parse makes a spec of the flags.
func (p *probeFlags) parse() error {
	if p.name == "" || p.none() && len(p.args) == 0 {
		if p.timeout != "" || p.isolation != "" {
			return usagef("--probe-timeout and --isolation are of a --probe, and there is none")
		}
		return nil
	}
	timeout, err := objective("--probe-timeout", p.timeout)
	if err != nil {
		return err
	}
	s := &probe.Spec{Argv: append([]string{p.name}, p.args...), Timeout: timeout, Isolation: probe.Isolation(p.isolation)}
	if err := s.Validate(); err != nil {
		return hinted(usagef("--probe: %w", err), "The arguments of a probe follow --; docs/operations.md has an example of every probe.")
	}
	if err := s.Missing(); err != nil {
		return hinted(usagef("%w", err), "No drill was begun, and nothing is reported of one.")
	}
	p.spec = s
	return nil
}

// words returns the flags as they stand at the end of a command.
func (p *probeFlags) words() []string {
	if p.spec == nil {
		return nil
	}
	out := []string{"--probe", p.name}
	for _, f := range [][2]string{{"--probe-timeout", p.timeout}, {"--isolation", p.isolation}} {
		if f[1] != "" {
			out = append(out, f[:]...)
		}
	}
	if len(p.args) > 0 {
		out = append(append(out, "--"), p.args...)
	}
	return out
}

// probeText returns the command of a probe as it is configured, in one line; of a long one what comes last is left out, by whole words.
func probeText(argv []string) string {
	var text string
	for i, w := range argv {
		next := strings.TrimLeft(text+" "+drill.Plain(strings.Join(strings.Fields(probeWord(w)), " ")), " ")
		switch rest := len(argv) - i; {
		case utf8.RuneCountInString(next) <= probeWidth:
			text = next
		case i == 0:
			return elideEnd(next, probeWidth)
		default:
			return fmt.Sprintf("%s … (%s)", text, plural(rest, "more argument", "more arguments"))
		}
	}
	return text
}

// probeWord quotes an argument as a shell wants it, but for {target} and its like, which read as they are written.
func probeWord(w string) string {
	if plain := strings.NewReplacer("{target}", "", "{snapshot}", "", "{recovery_point}", "").Replace(w); w != "" && (plain == "" || shellQuote(plain) == plain) {
		return w
	}
	return shellQuote(w)
}

// printProbe says what a probe came to. Why it failed stands in the reasons, and above its output.
func printProbe(b *strings.Builder, p *verify.Probe) {
	if p == nil {
		return
	}
	name := probeText(p.Argv)
	switch p.Result {
	case verify.ProbePassed:
		fmt.Fprintf(b, "probe %s: passed, checked %s, in %s\n", name, humanize.Comma(int64(p.Checked)), spanText(p.Seconds))
	case verify.ProbeFailed:
		fmt.Fprintf(b, "probe %s: failed after %s\n", name, spanText(p.Seconds))
	default:
		fmt.Fprintf(b, "probe %s: %s\n", name, strings.Join(nonEmpty("not run", drill.Plain(p.Message)), ": "))
	}
	if p.Canary != nil && p.CanaryAge != nil {
		age := time.Duration(*p.CanaryAge * float64(time.Second))
		fmt.Fprintf(b, "canary: the newest is of %s, %s before the incident\n", p.Canary.UTC().Format("2006-01-02 15:04:05 UTC"), drill.SpanText(max(age, 0)))
	}
	if p.Left > 0 {
		fmt.Fprintf(b, "killed what the probe left running: %s\n", plural(p.Left, "process", "processes"))
	}
	output := strings.TrimRight(p.Output, "\n")
	if p.Result == verify.ProbeFailed && p.Builtin != "" { // its last line is the reason, which is said apart
		output = strings.TrimRight(strings.TrimSuffix(output, p.Message), "\n")
	}
	if p.Result == verify.ProbePassed || output == "" {
		return
	}
	lines := strings.Split(output, "\n")
	if skipped := len(lines) - probeLines; skipped > 0 {
		fmt.Fprintf(b, "its last %d lines, of %s bytes in all:\n", probeLines, humanize.Comma(int64(p.OutputBytes)))
		lines = lines[skipped:]
	} else {
		fmt.Fprintln(b, "its output:")
	}
	for _, l := range lines {
		fmt.Fprintf(b, "  %s\n", drill.Plain(l))
	}
}

func nonEmpty(texts ...string) []string {
	var out []string
	for _, t := range texts {
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}
