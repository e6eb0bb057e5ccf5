package health

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"savepoint/repo"
	"savepoint/verify/measure"
)

// Notice is how long a change of a key slot is shown to people.
const Notice = 30 * 24 * time.Hour

// keptChanges is how many changes of key slots are listed, the newest first.
const keptChanges = 50

// TrustChanges say what has changed of who can open the repository, and of who writes to it.
type TrustChanges struct {
	Keys    []KeyChange `json:"key_changes"` // within Notice, newest first
	LastKey *time.Time  `json:"last_key_change_at"`
	Foreign []KeySlot   `json:"unexplained_slots"` // that no mark tells of: somebody put them there around the program
	// Returned are slots that lie there though they were removed.
	Returned []KeySlot  `json:"returned_slots"`
	Kits     []KitState `json:"recovery_kits"` // of the key slots that are there
	NewHosts []string   `json:"new_hosts"`     // that wrote their first report within NewHost
	Newest   string     `json:"newest_program,omitempty"`
	Outdated []Outdated `json:"outdated_sources"`
}

// KeyChange is a change of a key slot, as its mark says. What Init made is none.
type KeyChange struct {
	At      time.Time `json:"at"`     // storage time of the mark
	Change  string    `json:"change"` // added, removed or replaced
	Object  string    `json:"object"`
	Kind    string    `json:"kind"`
	Label   string    `json:"label"`
	By      string    `json:"by"` // user@host
	Program string    `json:"program,omitempty"`
	Next    string    `json:"replaced_by,omitempty"` // object
}

// The changes of a key slot.
const (
	keyAdded    = "added"
	keyRemoved  = "removed"
	keyReplaced = "replaced"
)

// KeySlot is a key slot that lies there and should not.
type KeySlot struct {
	Object  string    `json:"object"`
	Created time.Time `json:"created"`
}

// KitState says of the key slot of a recovery kit when a drill proved the kit last.
type KitState struct {
	Object string     `json:"object"`
	Proven *time.Time `json:"proven_at"`
}

// Outdated is a source whose last backup came from an older program than others used.
type Outdated struct {
	Dataset string `json:"dataset"`
	Host    string `json:"host"`
	Program string `json:"program"`
}

// Short returns what names a slot to a person: its kind, its label and the digits by which `key remove` knows it.
func Short(object string) string {
	kind, label, id := cutSlot(object)
	return fmt.Sprintf("%s %s %.8s", kind, label, id)
}

// lookAtTrust fills in what is known of the key slots. It needs the kits that drills proved.
func (l *look) lookAtTrust(s *repo.Survey) {
	t := &l.status.Trust
	next := map[string]bool{} // slots that took the place of another
	for _, c := range s.KeyChanges {
		next[c.Next] = true
	}
	for _, c := range slices.Backward(s.KeyChanges) {
		if c.First || !c.Removed && next[c.Slot] {
			continue
		}
		at := c.Stored.UTC()
		if s.Copied { // that is when it was copied
			at = earlier(c.Clock, c.Stored).UTC()
		}
		if t.LastKey == nil || at.After(*t.LastKey) {
			t.LastKey = &at
		}
		if l.now.Sub(at) > Notice || len(t.Keys) == keptChanges {
			continue
		}
		k := KeyChange{At: at, Change: keyAdded, Object: c.Slot, By: cut(line(c.By), keptName), Program: cut(line(c.Version), keptName), Next: c.Next}
		k.Kind, k.Label, _ = cutSlot(c.Slot)
		switch {
		case c.Next != "":
			k.Change = keyReplaced
		case c.Removed:
			k.Change = keyRemoved
		}
		t.Keys = append(t.Keys, k)
	}
	slices.SortStableFunc(t.Keys, func(a, b KeyChange) int { return b.At.Compare(a.At) })
	t.Foreign, t.Returned = slotsOf(s.Foreign), slotsOf(s.Returned)
	l.lookAtKits(s.Slots)
}

func slotsOf(slots []repo.KeySlot) []KeySlot {
	out := []KeySlot{}
	for _, s := range slots {
		out = append(out, KeySlot{Object: s.Name, Created: time.Unix(0, s.Created).UTC()})
	}
	return out
}

// kitLabel is the label that `key kit` gives slots unless it is told another.
const kitLabel = "kit"

// lookAtKits says which kit was proven last, and which never was: of those alone whose key slot is there, as the others open nothing.
func (l *look) lookAtKits(slots []repo.KeySlot) {
	t := &l.status.Trust
	for _, s := range slots {
		proof := l.got.kits[s.Name]
		if proof == nil && !(s.Kind == repo.SlotMachine && s.Label == kitLabel) {
			continue
		}
		k := KitState{Object: s.Name}
		if proof != nil {
			k.Proven = &proof.Proven
			if kit := l.status.Kit; kit == nil || proof.Proven.After(kit.Proven) {
				l.status.Kit = proof
			}
		}
		t.Kits = append(t.Kits, k)
	}
	slices.SortFunc(t.Kits, func(a, b KitState) int { return strings.Compare(a.Object, b.Object) })
	if l.status.Kit != nil {
		return
	}
	for _, proof := range l.got.kits {
		if kit := l.status.Kit; kit == nil || proof.Proven.After(kit.Proven) {
			gone := *proof
			gone.Removed = true
			l.status.Kit = &gone
		}
	}
}

// lookAtPrograms says which hosts are new, and which sources were last backed up by an older program than others.
func (l *look) lookAtPrograms() {
	t := &l.status.Trust
	if o := l.status.figures; o != nil {
		t.NewHosts = append(t.NewHosts, o.NewHosts...)
	}
	var seen []measure.Sighting
	for _, r := range l.checks {
		seen = append(seen, measure.Sighting{Version: r.Version, At: r.at})
	}
	of := map[string]*sight{}
	for _, x := range l.sources {
		key := x.Dataset + "\x00" + x.Host
		of[key] = x
		for _, r := range x.backups {
			seen = append(seen, measure.Sighting{Host: key, Version: r.Version, At: r.at})
		}
		for _, s := range x.snaps {
			seen = append(seen, measure.Sighting{Host: key, Version: s.Version, At: s.Stored})
		}
	}
	newest, outdated := measure.Outdated(seen)
	t.Newest = newest
	last := func(key string) string {
		v := measure.Sighting{}
		for _, s := range seen {
			if s.Host == key && !s.At.Before(v.At) {
				v = s
			}
		}
		return v.Version
	}
	for _, key := range outdated {
		if x := of[key]; x != nil {
			t.Outdated = append(t.Outdated, Outdated{Dataset: x.Dataset, Host: x.Host, Program: last(key)})
		}
	}
	slices.SortFunc(t.Outdated, func(a, b Outdated) int {
		return cmp.Or(strings.Compare(a.Dataset, b.Dataset), strings.Compare(a.Host, b.Host))
	})
}

// warnTrust names the key slots that nobody is known to have put there.
func (l *look) warnTrust() {
	say := func(s KeySlot, what string) {
		_, _, id := cutSlot(s.Object)
		remove := l.o.Command("key", "remove", id)
		l.add(Warning{State: Foreign, Message: fmt.Sprintf("the key slot %s, there since %s, %s", s.Object, l.moment(s.Created), what),
			Next: "unless somebody knows why: " + remove, Commands: []string{remove}})
	}
	for _, s := range l.status.Trust.Foreign {
		say(s, "was put there around the program: no mark says who did")
	}
	for _, s := range l.status.Trust.Returned {
		say(s, "was removed and is there: somebody put it back, or its removal was cut off")
	}
}

// cutSlot takes the name of a slot apart.
func cutSlot(object string) (kind, label, id string) {
	kind, rest, _ := strings.Cut(path.Base(object), "-")
	label, id, _ = strings.Cut(rest, "-")
	return kind, label, id
}
