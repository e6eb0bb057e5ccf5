package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"savepoint/internal/miniotest"
)

var (
	getPack   = miniotest.On(http.MethodGet, "/data/[0-9a-f]{2}/")
	getObject = miniotest.On(http.MethodGet, "/repo/(config|keys|index|meta|data|snapshots)")
)

// TestNetworkBrokenBodies has answers end too early, late, or not at all, at many places, and lie about what they hold: a
// restore is right all the same.
func TestNetworkBrokenBodies(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	x := newTrial(t, server, 9_000_000) // three ranges
	id := x.backup().Snapshot.ID
	x.impatient()

	offsets := []int64{0, 1, 16, 1000, 4095, 64 << 10, 1_000_000, 4_000_000}
	parts := map[string]func(*miniotest.Proxy){
		"longer":      func(p *miniotest.Proxy) { some(p, getObject, miniotest.WrongLength(1)) },
		"shorter":     func(p *miniotest.Proxy) { some(p, getObject, miniotest.WrongLength(-1)) },
		"other range": func(p *miniotest.Proxy) { some(p, getObject, miniotest.WrongRange(1)) },
		"stalls": func(p *miniotest.Proxy) {
			p.Inject(miniotest.Fault{Match: getPack, Times: 2, Do: miniotest.StallBody(100_000)})
		},
		"flipped": func(p *miniotest.Proxy) {
			p.Inject(miniotest.Fault{Match: getPack, Times: 1, Do: miniotest.Corrupt(1000)})
		},
	}
	for kind, do := range map[string]func(int64) miniotest.Action{"reset": miniotest.CutBody, "ends": miniotest.ShortBody} {
		parts[kind] = func(p *miniotest.Proxy) {
			for _, at := range offsets {
				some(p, getPack, do(at))
			}
			for _, at := range offsets[:5] {
				some(p, getObject, do(at))
			}
		}
	}
	tests := map[string]func(*testing.T){}
	for name, inject := range parts {
		tests[name] = func(t *testing.T) {
			y := x.beside(t)
			inject(y.proxy)
			y.restores(id)
		}
	}
	together(t, tests)
	x.audit(1)
}

// some has every second request fail that matches, twice.
func some(p *miniotest.Proxy, match func(*http.Request) bool, do miniotest.Action) {
	_, second := every(2, match)
	p.Inject(miniotest.Fault{Match: second, Times: 2, Do: do})
}

// beside returns the same repository behind a proxy of its own.
func (x *trial) beside(t *testing.T) *trial {
	t.Helper()
	h := *x.host
	h.t, h.env = t, append([]string(nil), x.env...)
	y := &trial{host: &h, server: x.server, proxy: x.server.Proxy(t), bucket: x.bucket, current: x.current, taken: x.taken}
	y.through(y.proxy.URL(y.bucket, "repo"))
	return y
}

// TestNetworkDamagedBodies flips a bit in every answer of a kind, for good, or cuts each: what is damaged is told, no wrong byte
// comes into a target, and once the line is sound all restores.
func TestNetworkDamagedBodies(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	x := newTrial(t, server, 5_000_000)
	x.backup()
	get := func(path string) func(*http.Request) bool { return miniotest.On(http.MethodGet, "/repo/"+path) }
	tests := map[string]func(*testing.T){}
	for _, tt := range []struct {
		name  string
		match func(*http.Request) bool
		do    miniotest.Action
		code  int
		says  []string
	}{
		{"data", get("data/"), miniotest.Corrupt(500), exitDamage, []string{"the repository lost to damage"}},
		{"data, at the end", get("data/"), miniotest.Corrupt(1 << 30), exitDamage, []string{"the repository lost to damage"}},
		{"tree", get("meta/"), miniotest.Corrupt(500), exitDamage, []string{"damaged", "meta/"}},
		{"config", get("config"), miniotest.Corrupt(100), exitDamage, []string{"config is damaged"}},
		{"snapshot", get("snapshots/"), miniotest.Corrupt(100), exitDamage, []string{"snapshots/", "every snapshot is damaged as it is read now", "from another host"}},
		{"data, cut", get("data/"), miniotest.CutBody(0), exitFailure, []string{"the answer broke off", "The repository is unharmed"}},
		{"data, shorter", get("data/"), miniotest.WrongLength(-1), exitFailure, []string{"the server answers with the range"}},
		{"data, other range", get("data/"), miniotest.WrongRange(1), exitFailure, []string{"the server answers with the range"}},
	} {
		tests[tt.name] = func(t *testing.T) {
			y := x.beside(t)
			y.inject(tt.match, 0, tt.do)
			target := filepath.Join(t.TempDir(), "target")
			y.fails(tt.code, []string{"restore", "--target", target, "--no-cache", "--retry-for", "300ms"}, tt.says...)
			y.nothingWrong(target)
		}
	}
	together(t, tests)
	x.audit(1)
}

// nothingWrong holds that each file below target is the source's, or shorter and said to be incomplete.
func (x *trial) nothingWrong(target string) {
	x.t.Helper()
	_, err := os.Lstat(filepath.Join(target, ".savepoint-restore-incomplete"))
	stopped := err == nil
	err = filepath.WalkDir(target, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == ".savepoint-restore-incomplete" {
			return err
		}
		rel, err := filepath.Rel(target, path)
		if err != nil {
			return err
		}
		want, err := os.ReadFile(filepath.Join(x.current, rel))
		if err != nil {
			return fmt.Errorf("the source has none such: %w", err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if string(got) == string(want) {
			return nil
		}
		if !stopped {
			x.t.Errorf("%s has %d bytes that are not the source's %d", rel, len(got), len(want))
		}
		for i, b := range got {
			if i >= len(want) || b != want[i] && b != 0 { // what was not written yet is a hole
				x.t.Errorf("%s is wrong at byte %d", rel, i)
				break
			}
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		x.t.Error(err)
	}
}

// TestNetworkWrongBytesAtBackup flips a bit in all that a backup reads: it must not take it for its own.
func TestNetworkWrongBytesAtBackup(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	x := newTrial(t, server, 300_000)
	x.backup()
	x.change()
	for _, path := range []string{"snapshots/", "meta/", "index/"} { // whoever flips it, a run that meets damage says so
		x.heal()
		x.inject(miniotest.On(http.MethodGet, "/repo/"+path), 0, miniotest.Corrupt(200))
		p := x.start("backup", "src", "--json", "--no-cache")
		code := p.wait()
		x.t.Logf("%s flipped: exit code %d\n%s", path, code, p.err)
		if code != exitDamage || !strings.Contains(p.err.String(), "damaged") {
			t.Errorf("%s flipped: exit code %d, want %d", path, code, exitDamage)
		}
		if p.out.Len() > 0 {
			var doc backupDocument
			if err := json.Unmarshal(p.out.Bytes(), &doc); err != nil {
				t.Fatal(err)
			}
			x.taken[doc.Snapshot.ID] = x.current
		}
	}
	x.audit(len(x.taken))
}
