package main

import (
	"context"
	"strings"

	"savepoint/internal/corpus"
)

// differences between what was backed up and what was restored.
type differences struct {
	Rsync   []string `json:"rsync,omitempty"`   // lines of its itemized dry run
	Compare []string `json:"compare,omitempty"` // what internal/corpus found
}

// compare looks for differences between two trees, by two programs that know nothing of each other.
func compare(ctx context.Context, want, got string) (differences, error) {
	var d differences
	lines, err := output(ctx, "rsync", "-aHAXn", "--checksum", "-i", "--delete", want+"/", got+"/")
	if err != nil {
		return d, err
	}
	if lines != "" {
		d.Rsync = strings.Split(lines, "\n")
	}
	d.Compare, err = corpus.Compare(want, got)
	return d, err
}
