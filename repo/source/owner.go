package source

import (
	"os/user"
	"strconv"
	"strings"
	"sync"
)

// ownersLimit is how many names of users, and of groups, are remembered; one more and all are forgotten.
const ownersLimit = 4096

// Owners finds the names of users and groups and remembers them, also that there is none. Without cgo, as this
// project is built, it knows what /etc/passwd and /etc/group say. It is safe for concurrent use.
type Owners struct {
	mu     sync.RWMutex
	users  map[uint32]string
	groups map[uint32]string

	userName, groupName func(id string) string
}

// NewOwners returns an empty cache.
func NewOwners() *Owners {
	return &Owners{
		users: make(map[uint32]string), groups: make(map[uint32]string),
		userName: func(id string) string {
			if u, err := user.LookupId(id); err == nil {
				return u.Username
			}
			return ""
		},
		groupName: func(id string) string {
			if g, err := user.LookupGroupId(id); err == nil {
				return g.Name
			}
			return ""
		},
	}
}

// User returns the name of a user, empty if there is none.
func (o *Owners) User(id uint32) string { return o.name(id, o.users, o.userName) }

// Group returns the name of a group, empty if there is none.
func (o *Owners) Group(id uint32) string { return o.name(id, o.groups, o.groupName) }

func (o *Owners) name(id uint32, known map[uint32]string, find func(string) string) string {
	o.mu.RLock()
	name, ok := known[id]
	o.mu.RUnlock()
	if ok {
		return name
	}
	name = strings.ToValidUTF8(find(strconv.FormatUint(uint64(id), 10)), "\uFFFD") // the format has text here
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(known) >= ownersLimit {
		clear(known)
	}
	known[id] = name
	return name
}
