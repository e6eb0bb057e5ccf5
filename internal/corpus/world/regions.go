package world

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
)

// A region is a file of pages that is rewritten in place, as a database is: a
// header with a version, blocks, and then zeros up to the end of the page. A
// third of the pages have not been used yet.
const (
	pageSize    = 8 << 10
	regionPages = 128
)

func (g *game) regionPath(n int) string {
	return filepath.Join(g.dir, "world", "regions", fmt.Sprintf("r.%d.%d.dat", n%8, n/8))
}

func (g *game) makeRegions() error {
	for n := range g.level.Regions {
		data := make([]byte, 0, regionPages*pageSize)
		for i := range regionPages {
			if g.rng.IntN(3) == 0 {
				data = append(data, make([]byte, pageSize)...)
			} else {
				data = append(data, g.page(i)...)
			}
		}
		if err := os.WriteFile(g.regionPath(n), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// page returns a used page. Blocks come in runs of one kind, with some state
// that does not compress.
func (g *game) page(number int) []byte {
	p := make([]byte, 0, pageSize)
	p = binary.LittleEndian.AppendUint32(p, 0x52454731)
	p = binary.LittleEndian.AppendUint32(p, uint32(number))
	p = binary.LittleEndian.AppendUint64(p, uint64(g.level.Plays))
	used := pageSize/4 + g.rng.IntN(pageSize/2)
	for len(p) < used {
		kind := byte(g.rng.IntN(40))
		for range 4 + g.rng.IntN(60) {
			p = append(p, kind)
		}
		p = binary.LittleEndian.AppendUint64(p, g.rng.Uint64())
	}
	return append(p, make([]byte, pageSize-len(p))...)
}

// playRegions rewrites a few pages of a quarter of the regions.
func (g *game) playRegions() error {
	for n := range g.level.Regions {
		if g.rng.IntN(4) != 0 && n != g.level.Plays%g.level.Regions {
			continue
		}
		if err := g.playRegion(n); err != nil {
			return err
		}
	}
	return nil
}

func (g *game) playRegion(n int) error {
	f, err := os.OpenFile(g.regionPath(n), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for range 1 + g.rng.IntN(regionPages/20) {
		i := g.rng.IntN(regionPages)
		if _, err := f.WriteAt(g.page(i), int64(i)*pageSize); err != nil {
			return err
		}
	}
	return f.Close()
}
