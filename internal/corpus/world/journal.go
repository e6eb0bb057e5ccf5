package world

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
)

// trade appends to the ledger, which is never written otherwise: at first the
// trades of the past, then those of an hour, a twentieth of them.
func (g *game) trade() error {
	return appendLines(filepath.Join(g.dir, "ledger", "trades.csv"), func(w *bufio.Writer) {
		for i := range g.perHour(trades) {
			g.level.Trades++
			fmt.Fprintf(w, "%d,%s,%s,%s,%s_%s,%d,%d,%016x\n", g.level.Trades,
				g.clock(i*3600/g.perHour(trades)).Format("2006-01-02T15:04:05Z"),
				playerID(g.rng.IntN(g.level.Players)), playerID(g.rng.IntN(g.level.Players)),
				g.pick("iron", "oaken", "elven"), g.pick("sword", "bow", "shield"), 1+g.rng.IntN(9), g.rng.IntN(5000), g.rng.Uint64())
		}
	})
}

// perHour scales a count: in full when the world is made, a twentieth of it in
// each play.
func (g *game) perHour(n int) int {
	if g.level.Plays > 0 {
		n /= 20
	}
	return max(1, int(float64(n)*g.level.Scale))
}

// log appends to the server's log.
func (g *game) log() error {
	return appendLines(filepath.Join(g.dir, "logs", "server.log"), func(w *bufio.Writer) {
		for i := range g.perHour(lines) {
			at := g.clock(i * 3600 / g.perHour(lines)).Format("2006-01-02 15:04:05")
			who := playerID(g.rng.IntN(g.level.Players))
			switch g.rng.IntN(4) {
			case 0:
				fmt.Fprintf(w, "%s INFO  session: player %s connected from 10.%d.%d.%d\n", at, who, g.rng.IntN(256), g.rng.IntN(256), g.rng.IntN(256))
			case 1:
				fmt.Fprintf(w, "%s INFO  session: player %s left after %d s\n", at, who, g.rng.IntN(20_000))
			case 2:
				fmt.Fprintf(w, "%s DEBUG region: saved r.%d.%d in %d ms\n", at, g.rng.IntN(8), g.rng.IntN(8), g.rng.IntN(90))
			default:
				fmt.Fprintf(w, "%s WARN  tick: took %d ms, %s is moving too fast\n", at, 50+g.rng.IntN(200), who)
			}
		}
	})
}

// rotate closes the log of the hour before.
func (g *game) rotate() error {
	dir := filepath.Join(g.dir, "logs")
	return os.Rename(filepath.Join(dir, "server.log"), filepath.Join(dir, fmt.Sprintf("server-%04d.log", g.level.Plays)))
}

// appendLines lets fn write to the end of a file.
func appendLines(path string, fn func(*bufio.Writer)) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 64<<10)
	fn(w)
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
