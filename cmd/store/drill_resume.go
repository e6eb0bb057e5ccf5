package main

import (
	"context"
	"crypto/rand"
	"fmt"

	"savepoint/repo"
	"savepoint/repo/backup"
	"savepoint/repo/storage/file"
)

// leastWork is the least that scrypt may do: nobody has to guess the password of a repository that is thrown away.
const leastWork = 1

// backupAway backs a folder up into a new repository that nobody keeps.
func (a *app) backupAway(ctx context.Context, folder, place string) (files, bytes uint64, err error) {
	st, err := file.Create(place)
	if err != nil {
		return 0, 0, err
	}
	host, err := a.hostname("")
	if err != nil {
		return 0, 0, err
	}
	slots := []repo.NewSlot{{Kind: repo.SlotPassphrase, Label: "away", Passphrase: rand.Text(), WorkFactor: leastWork}}
	r, err := repo.Init(ctx, st, slots, repo.Options{Now: a.now, Host: host, Version: version})
	if err != nil {
		return 0, 0, err
	}
	res, err := backup.Run(ctx, r, backup.Options{Dataset: "resumed", Host: host, Paths: []string{folder}, AllowShrink: true})
	if err != nil {
		return 0, 0, err
	}
	s := res.Snapshot
	if s.FaultCount > 0 {
		return s.Stats.Files, s.Stats.FileBytes, fmt.Errorf("it lacks %s:%s", plural(s.FaultCount, "entry", "entries"), faultList(s))
	}
	return s.Stats.Files, s.Stats.FileBytes, nil
}
