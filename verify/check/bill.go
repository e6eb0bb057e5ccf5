package check

import (
	"math"

	"savepoint/repo/tree"
	"savepoint/verify"
)

// bill is what damage costs.
type bill struct {
	suspects  [kinds]suspects
	trees     []treeFault // parts of trees that are not what they should be, though no object is damaged
	treeAt    map[prefix]int
	tolls     map[cause]*toll
	hits      []verify.Hit // newest first
	hitCount  uint64
	filesHit  uint64
	atLeast   bool            // of filesHit
	hit       map[string]bool // snapshots that lose something, by object name
	gone      map[cause]bool  // packs that are missing, and of which nothing else is known to be wrong: those of prune's
	uncounted bool            // folders lie too deep in each other to be walked
}

func newBill() bill {
	return bill{treeAt: map[prefix]int{}, tolls: map[cause]*toll{}, hit: map[string]bool{}, gone: map[cause]bool{}}
}

// treeFault is a part of a tree that cannot be used.
type treeFault struct {
	object string
	err    error
}

// toll is what one cause costs, in snapshots that are not late, and in all.
type toll struct {
	lost, weak, unseen, late tally
	sources                  []string // that lose something, by the newest snapshot that does
}

// needed reports whether a snapshot that is not late needs what the toll is for.
func (t *toll) needed() bool {
	return t != nil && t.lost.snapshots+t.weak.snapshots+t.unseen.snapshots > 0
}

type tally struct {
	snapshots, files uint64
	atLeast          bool // folders are among them
}

func (t *tally) add(files uint64) {
	t.snapshots++
	t.files = plus(t.files, files)
}

// plus adds up to 2^63-1, and no further: what trees say of their lengths may be anything.
func plus(a, b uint64) uint64 {
	if a > math.MaxInt64-min(b, math.MaxInt64) {
		return math.MaxInt64
	}
	return a + b
}

func (b *bill) toll(at cause) *toll {
	t := b.tolls[at]
	if t == nil {
		t = &toll{}
		b.tolls[at] = t
	}
	return t
}

// treeCause returns the cause that stands for a part of a tree which cannot be used.
func (b *bill) treeCause(el *tree.Element, err error) cause {
	id := prefixOf(&el.ID)
	i, known := b.treeAt[id]
	if !known {
		i = len(b.trees)
		b.treeAt[id] = i
		b.trees = append(b.trees, treeFault{"tree chunk " + el.ID.String(), err})
	}
	return causeTrees - cause(i)
}

// share is what damage costs in a part of a directory: files by their cause and how badly they stand, and those that lose something.
type share struct {
	causes map[cause]*[lost + 1]uint64
	losing uint64
	here   bool // the part itself is lost, or what it says cannot be used
	below  bool // so is a part of a directory in it
}

// charge adds so many files with what was met in them.
func (s *share) charge(met map[cause]class, files uint64) {
	loses := false
	for at, how := range met {
		s.of(at)[how] = plus(s.of(at)[how], files)
		loses = loses || how == lost
	}
	if loses {
		s.losing = plus(s.losing, files)
	}
}

func (s *share) of(at cause) *[lost + 1]uint64 {
	if s.causes == nil {
		s.causes = map[cause]*[lost + 1]uint64{}
	}
	n := s.causes[at]
	if n == nil {
		n = new([lost + 1]uint64)
		s.causes[at] = n
	}
	return n
}

// add adds a share, nil being nothing.
func (s *share) add(other *share) {
	if other == nil {
		return
	}
	for at, n := range other.causes {
		mine := s.of(at)
		for how := range n {
			mine[how] = plus(mine[how], n[how])
		}
	}
	s.losing = plus(s.losing, other.losing)
	s.below = s.below || other.here || other.below
}
