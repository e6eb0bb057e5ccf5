package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// logger returns what libraries log to: lines for people, or JSON with the run's ID.
func (a *app) logger() *slog.Logger {
	level := slog.LevelWarn
	switch {
	case a.g.verbose > 1:
		level = slog.LevelDebug
	case a.g.verbose == 1 || a.g.logFormat == "json":
		level = slog.LevelInfo
	}
	if a.g.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.err, &slog.HandlerOptions{Level: level})).With("run", a.runID)
	}
	return slog.New(&lineHandler{w: a.err, level: level})
}

// lineHandler writes a record as one line: store: warning: message (key value, key value).
type lineHandler struct {
	w     io.Writer
	level slog.Level
	attrs []slog.Attr
	group string
}

// Enabled implements slog.Handler.
func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

// Handle implements slog.Handler.
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var facts []string
	add := func(at slog.Attr) bool {
		facts = append(facts, fmt.Sprintf("%s%s: %v", h.group, at.Key, at.Value))
		return true
	}
	for _, at := range h.attrs {
		add(at)
	}
	r.Attrs(add)
	var b strings.Builder
	b.WriteString("store: ")
	if r.Level != slog.LevelInfo {
		b.WriteString(strings.NewReplacer("warn", "warning").Replace(strings.ToLower(r.Level.String())) + ": ")
	}
	b.WriteString(r.Message)
	if len(facts) > 0 {
		b.WriteString(" (" + strings.ReplaceAll(strings.Join(facts, ", "), "\n", "; ") + ")")
	}
	_, err := io.WriteString(h.w, b.String()+"\n")
	return err
}

// WithAttrs implements slog.Handler.
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(append([]slog.Attr(nil), h.attrs...), attrs...)
	return &c
}

// WithGroup implements slog.Handler.
func (h *lineHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.group += name + "."
	return &c
}
