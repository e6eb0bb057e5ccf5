// Package world makes a small game backend's data, and plays on in it: player
// profiles, regions of the game world, a ledger and logs, which change as those
// of a running game do.
//
// Everything but the times of the files depends on the seed and on the number
// of plays alone.
package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// Sizes of a world of scale 1, which is about 22 MB.
const (
	players = 2000 // profiles of about 1 KB
	regions = 16   // of regionPages pages
	trades  = 20_000
	lines   = 20_000
)

// A level is what a world remembers of itself.
type level struct {
	Scale    float64 `json:"scale"`
	Players  int     `json:"players"`
	Regions  int     `json:"regions"`
	Plays    int     `json:"plays"`
	Trades   int     `json:"trades"`
	SimClock int64   `json:"sim_clock"` // seconds since 1970, in the game
}

// Make makes a world in dir, which must not hold one. Scale 1 is about 22 MB
// in 2,000 files.
func Make(dir string, seed uint64, scale float64) error {
	if scale <= 0 || scale > 1000 {
		return fmt.Errorf("make world: scale %v is not above 0 and up to 1000", scale)
	}
	if _, err := os.Stat(levelPath(dir)); err == nil {
		return fmt.Errorf("make world: %s holds one", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	g := &game{
		dir: dir,
		rng: rand.New(rand.NewPCG(seed, 0)),
		level: level{
			Scale:    scale,
			Players:  max(1, int(players*scale)),
			Regions:  max(1, int(regions*scale)),
			SimClock: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Unix(),
		},
	}
	for _, sub := range []string{"players", "world/regions", "ledger", "logs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for _, step := range []func() error{g.makePlayers, g.makeRegions, g.trade, g.log, g.save} {
		if err := step(); err != nil {
			return fmt.Errorf("make world %s: %w", dir, err)
		}
	}
	return nil
}

// Play lets a world go on for an hour of its time: one player in twenty plays
// and one in a thousand joins, a quarter of the regions changes in a few of
// their pages, the ledger and the log grow, and the log of the hour before is
// closed.
func Play(dir string, seed uint64) error {
	g, err := open(dir, seed)
	if err != nil {
		return fmt.Errorf("play in %s: %w", dir, err)
	}
	g.level.Plays++
	g.level.SimClock += 3600
	for _, step := range []func() error{g.playPlayers, g.playRegions, g.trade, g.rotate, g.log, g.save} {
		if err := step(); err != nil {
			return fmt.Errorf("play in %s: %w", dir, err)
		}
	}
	return nil
}

// Profiles writes n player profiles of about 1 KB, and nothing else, beneath
// dir, a thousand to a folder.
func Profiles(dir string, seed uint64, n int) error {
	g := &game{dir: dir, rng: rand.New(rand.NewPCG(seed, 0))}
	for i := range n {
		if err := g.writePlayer(g.newPlayer(i), filepath.Join(dir, fmt.Sprintf("%03d", i/1000))); err != nil {
			return fmt.Errorf("write profiles: %w", err)
		}
	}
	return nil
}

// A game is a world that is open.
type game struct {
	dir   string
	rng   *rand.Rand
	level level
}

func levelPath(dir string) string { return filepath.Join(dir, "world", "level.json") }

func open(dir string, seed uint64) (*game, error) {
	data, err := os.ReadFile(levelPath(dir))
	if err != nil {
		return nil, err
	}
	g := &game{dir: dir}
	if err := json.Unmarshal(data, &g.level); err != nil {
		return nil, fmt.Errorf("read %s: %w", levelPath(dir), err)
	}
	if l := g.level; l.Scale <= 0 || l.Players <= 0 || l.Regions <= 0 {
		return nil, fmt.Errorf("read %s: it has no players or no regions", levelPath(dir))
	}
	// Every play has numbers of its own.
	g.rng = rand.New(rand.NewPCG(seed, uint64(g.level.Plays)+1))
	return g, nil
}

func (g *game) save() error {
	data, err := json.MarshalIndent(g.level, "", "  ")
	if err != nil {
		return err
	}
	return replace(levelPath(g.dir), append(data, '\n'))
}

// replace writes a file beside path and renames it, as a careful server does.
func replace(path string, data []byte) error {
	if err := os.WriteFile(path+".tmp", data, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// clock returns a time in the hour that is being played.
func (g *game) clock(second int) time.Time { return time.Unix(g.level.SimClock+int64(second), 0).UTC() }
