package world

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

type player struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Level     int            `json:"level"`
	Gold      int            `json:"gold"`
	Position  [3]float64     `json:"position"`
	LastSeen  string         `json:"last_seen"`
	Token     string         `json:"token"`
	Skills    map[string]int `json:"skills"`
	Inventory []item         `json:"inventory"`
	Quests    []string       `json:"quests"`
}

type item struct {
	Kind       string `json:"kind"`
	Count      int    `json:"count"`
	Durability int    `json:"durability"`
}

func playerID(n int) string { return fmt.Sprintf("p%07d", n) }

// playerDir spreads the players over folders.
func (g *game) playerDir(n int) string {
	return filepath.Join(g.dir, "players", fmt.Sprintf("%02x", n%64))
}

func (g *game) newPlayer(n int) player {
	p := player{
		ID:       playerID(n),
		Name:     g.pick("Ash", "Bran", "Cor", "Dun", "Eld") + g.pick("dor", "wyn", "mir", "gard", "lith") + fmt.Sprint(g.rng.IntN(100)),
		Level:    1 + g.rng.IntN(60),
		Gold:     g.rng.IntN(100_000),
		LastSeen: g.clock(0).Format("2006-01-02T15:04:05Z"),
		Token:    fmt.Sprintf("%016x%016x", g.rng.Uint64(), g.rng.Uint64()),
		Skills:   make(map[string]int),
	}
	for _, skill := range []string{"alchemy", "archery", "fishing", "healing", "mining", "smithing", "stealth", "trade"} {
		p.Skills[skill] = g.rng.IntN(100)
	}
	for range 4 + g.rng.IntN(6) {
		p.Inventory = append(p.Inventory, g.item())
	}
	for range 2 + g.rng.IntN(4) {
		p.Quests = append(p.Quests, fmt.Sprintf("%s-%d", g.pick("rescue", "deliver", "slay", "explore"), g.rng.IntN(500)))
	}
	g.move(&p)
	return p
}

func (g *game) item() item {
	return item{
		Kind:       g.pick("iron", "oaken", "elven", "rusty") + "_" + g.pick("sword", "bow", "shield", "potion", "helmet"),
		Count:      1 + g.rng.IntN(20),
		Durability: g.rng.IntN(1000),
	}
}

func (g *game) pick(words ...string) string { return words[g.rng.IntN(len(words))] }

func (g *game) move(p *player) {
	for i := range p.Position {
		p.Position[i] = float64(g.rng.IntN(1_000_000)) / 100
	}
}

func (g *game) makePlayers() error {
	for n := range g.level.Players {
		if err := g.writePlayer(g.newPlayer(n), g.playerDir(n)); err != nil {
			return err
		}
	}
	return nil
}

func (g *game) writePlayer(p player, dir string) error {
	data, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return replace(filepath.Join(dir, p.ID+".json"), append(data, '\n'))
}

// playPlayers moves one player in twenty, and takes some new ones in.
func (g *game) playPlayers() error {
	for range max(1, g.level.Players/20) {
		n := g.rng.IntN(g.level.Players)
		if err := g.playPlayer(n); err != nil {
			return err
		}
	}
	for range max(1, g.level.Players/1000) {
		n := g.level.Players
		if err := g.writePlayer(g.newPlayer(n), g.playerDir(n)); err != nil {
			return err
		}
		g.level.Players++
	}
	return nil
}

func (g *game) playPlayer(n int) error {
	path := filepath.Join(g.playerDir(n), playerID(n)+".json")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var p player
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	p.Gold += g.rng.IntN(1000)
	p.LastSeen = g.clock(g.rng.IntN(3600)).Format("2006-01-02T15:04:05Z")
	p.Skills[g.pick("alchemy", "fishing", "mining", "trade")]++
	if len(p.Inventory) > 0 {
		p.Inventory[g.rng.IntN(len(p.Inventory))] = g.item()
	}
	g.move(&p)
	return g.writePlayer(p, filepath.Dir(path))
}
