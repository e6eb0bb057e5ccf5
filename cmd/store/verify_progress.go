package main

import (
	"fmt"
	"sync"
	"time"
)

// verifyTold is how often -v says how far a part of a verification has come.
const verifyTold = 10 * time.Second

// verifyProgress is a bar for each part of a verification, and lines of the log with -v. It is safe for concurrent use.
type verifyProgress struct {
	a     *app
	until time.Time // when the budget ends; zero: it does not

	mu    sync.Mutex
	name  string // of the part
	bar   *progress
	bytes bool      // what is counted
	told  time.Time // when the log last said how far it is
}

// verifyUnits are what the parts count; "data" counts packs and their bytes.
var verifyUnits = map[string]string{"objects": "objects", "index": "segments", "packs": "packs", "trees": "pages", "data": "packs", "cost": "snapshots"}

// phase puts up the bar of a part.
func (v *verifyProgress) phase(name string, total uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.finish()
	v.name, v.bytes, v.told = name, name == "data", v.a.now()
	until := v.until
	if !v.bytes {
		until = time.Time{}
	}
	v.bar = v.a.newProgressOf("verify "+name, first(verifyUnits[name], "objects"), v.bytes, until)
	if v.bytes {
		v.bar.ofBytes.Store(total)
	} else {
		v.bar.ofEntries.Store(total)
	}
}

// step moves it.
func (v *verifyProgress) step(n uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bar == nil {
		return
	}
	if v.bytes {
		v.bar.bytes.Add(n)
		v.bar.entries.Add(1)
	} else {
		v.bar.entries.Add(n)
	}
	v.bar.update()
	if v.a.g.verbose == 0 {
		return
	}
	if now := v.a.now(); now.Sub(v.told) >= verifyTold {
		v.told = now
		v.a.log.Info(fmt.Sprintf("verify %s: %s", v.name, v.bar.text(now)))
	}
}

func (v *verifyProgress) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.finish()
}

// finish takes the bar down, and tells what there was of it.
func (v *verifyProgress) finish() {
	if v.bar == nil {
		return
	}
	v.bar.end()
	if v.a.g.verbose > 0 {
		now := v.a.now()
		v.a.log.Info(fmt.Sprintf("verify %s: %s; took %s", v.name, v.bar.text(now), durationText(now.Sub(v.bar.began))))
	}
	v.bar = nil
}
