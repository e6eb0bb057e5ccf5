package drill

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"savepoint/repo/restore"
)

// reason is one thing that an entry differs in.
type reason struct {
	op   string // of the restore's problem that explains it; empty: none does
	what string
}

// known is what the restore said of entries that it could not bring back, by path in the snapshot. It does not change.
type known struct {
	damaged map[string]struct{}
	missing map[string]struct{}
	ops     map[string][]string
	// everywhere are the operations that failed more often than the restore lists: nobody knows where.
	everywhere map[string]struct{}
}

func whatIsKnown(res *restore.Result) known {
	k := known{damaged: map[string]struct{}{}, missing: map[string]struct{}{}, ops: map[string][]string{}, everywhere: map[string]struct{}{}}
	if res == nil {
		return k
	}
	for _, d := range res.Damaged {
		k.damaged[d.Path] = struct{}{}
	}
	cut := res.ProblemCount > uint64(len(res.Problems))
	for _, p := range res.Problems {
		if p.Missing {
			k.missing[p.Path] = struct{}{}
		}
		k.ops[p.Path] = append(k.ops[p.Path], p.Op)
		if cut {
			k.everywhere[p.Op] = struct{}{}
		}
	}
	return k
}

// isDamaged reports whether damage took the entry at path, or some of those in it if it is a directory.
func (k *known) isDamaged(path string) bool {
	_, ok := k.damaged[path]
	return ok
}

// unknown joins the reasons that nothing is known of; it is empty if there are none.
func (k *known) unknown(path string, reasons []reason) string {
	if _, ok := k.missing[path]; ok {
		return ""
	}
	var what []string
	for _, r := range reasons {
		if _, ok := k.everywhere[r.op]; !ok && (r.op == "" || !slices.Contains(k.ops[path], r.op)) {
			what = append(what, r.what)
		}
	}
	return strings.Join(what, "; ")
}

// beyond says what was compared nowhere since the restore does not list all places.
func (k *known) beyond() []string {
	var out []string
	for _, op := range slices.Sorted(maps.Keys(k.everywhere)) {
		out = append(out, fmt.Sprintf("what the restore could not do in more places than it lists: %s", op))
	}
	return out
}
