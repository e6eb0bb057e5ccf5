package main

import (
	"context"
	"fmt"
	"strings"

	"savepoint/verify/health"
	"savepoint/verify/health/send"
)

// pingLines is how many lines of what is the matter a ping tells.
const pingLines = 20

func agent() string { return "savepoint/" + version }

// pushHealth pushes metrics.
func (a *app) pushHealth(ctx context.Context, text []byte, o healthOptions) error {
	target, err := send.Parse(o.push)
	if err != nil {
		return usagef("--push: %w", err)
	}
	err = target.Push(ctx, text, send.Options{Credentials: credentials(a.getenv), Agent: agent()})
	if err != nil {
		return hinted(err, "What was pushed before is still there and gets older. The URL is the Pushgateway's with /metrics/job/NAME, and further labels, behind it.")
	}
	return nil
}

// pingHealth tells a service whether all is well: nothing is critical, and something was backed up.
func (a *app) pingHealth(ctx context.Context, s *health.Status, o healthOptions) error {
	well := s.Severity() != health.Critical && s.ExitCode == exitOK
	var b strings.Builder
	fmt.Fprintln(&b, a.healthSummary(s))
	for i, w := range s.Urgent() {
		if i == pingLines {
			fmt.Fprintf(&b, "and %d more\n", len(s.Warnings)-i)
			break
		}
		fmt.Fprintf(&b, "%s: %s\n", w.State.Severity(), printable(w.Message))
	}
	return a.ping(ctx, well, b.String(), o)
}

// pingFailed tells a service that health could not look, and why.
func (a *app) pingFailed(ctx context.Context, o healthOptions, why error) error {
	return a.ping(ctx, false, "store health could not look: "+oneLine(why)+"\n", o)
}

func (a *app) ping(ctx context.Context, well bool, text string, o healthOptions) error {
	target, err := send.Parse(o.ping)
	if err != nil {
		return usagef("--ping: %w", err)
	}
	err = target.Ping(ctx, well, text, send.Options{Agent: agent()})
	if err != nil {
		return hinted(err, "Nobody was told. The service tells of it itself when no ping has come for as long as it is set to wait.")
	}
	return nil
}
