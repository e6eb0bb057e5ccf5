package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// folderHost makes a host with a repository in a folder and a backup.
func folderHost(t *testing.T) *host {
	h := &host{t: t, dir: t.TempDir()}
	h.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "TMPDIR=" + os.TempDir(), "STORE_REPO=" + filepath.Join(h.dir, "repo"),
		"STORE_KEY_FILE=" + filepath.Join(h.dir, "key"), "XDG_CACHE_HOME=" + filepath.Join(h.dir, "cache")}
	h.initRepo()
	h.file("world/a", 1, 1000)
	h.run("backup", "world", "--dataset", "world", "-q").want(0)
	return h
}

// parsed reads metrics as Prometheus does.
func parsed(t *testing.T, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(string(text)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return families
}

// value returns the value of a metric that has one series.
func value(t *testing.T, text []byte, name string) float64 {
	t.Helper()
	f := parsed(t, text)[name]
	if len(f.GetMetric()) != 1 {
		t.Fatalf("%d series of %s in\n%s", len(f.GetMetric()), name, text)
	}
	return f.GetMetric()[0].GetGauge().GetValue()
}

// listener is a server under test.
type listener struct {
	*process

	url string
}

// listen starts a server and waits until it has looked.
func (h *host) listen(args ...string) *listener {
	h.t.Helper()
	p := h.start(append([]string{"health", "--listen", "0", "--refresh", "1s"}, args...)...)
	p.says("serving http://")
	w := &listener{p, regexp.MustCompile(`http://[^/]*`).FindString(p.err.String())}
	w.until("/healthz", func(code int, _ []byte) bool { return code == http.StatusOK })
	return w
}

// until asks until an answer is as it should be, and returns it.
func (w *listener) until(path string, good func(int, []byte) bool) []byte {
	w.h.t.Helper()
	ctx, cancel := context.WithTimeout(w.h.t.Context(), 30*time.Second)
	defer cancel()
	for tick := time.Tick(50 * time.Millisecond); ; {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, nil)
		if err != nil {
			w.h.t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			w.h.t.Fatalf("%v\n%s", err, w.err)
		}
		b, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			w.h.t.Fatal(err)
		}
		if good(res.StatusCode, b) {
			return b
		}
		<-tick
	}
}

// objects returns the paths of everything in the repository.
func objects(t *testing.T, h *host) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(h.dir, "repo"), func(path string, _ fs.DirEntry, err error) error {
		out = append(out, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestListen serves metrics that follow the repository, keeps the last ones while it is away, and ends in order. A folder that is empty, as where
// a disk is not mounted, is no repository in which nothing was backed up.
func TestListen(t *testing.T) {
	h := folderHost(t)
	before := objects(t, h)
	w := h.listen("--all-hosts")
	up := func(want float64, sources float64) []byte {
		t.Helper()
		return w.until("/metrics", func(code int, b []byte) bool {
			return code == 200 && value(t, b, "savepoint_metrics_up") == want && value(t, b, "savepoint_exported_sources") == sources
		})
	}
	text := up(1, 1)
	if parsed(t, text)["savepoint_verify_unhealed_damage"] == nil {
		t.Error("the series of the repository are missing")
	}
	if now := objects(t, h); !slices.Equal(now, before) {
		t.Errorf("it writes, or holds a lease: %v, were %v", now, before)
	}
	h.run("backup", "world", "--dataset", "second", "-q").want(0)
	up(1, 2)

	away := filepath.Join(h.dir, "away")
	for _, err := range []error{os.Rename(filepath.Join(h.dir, "repo"), away), os.Mkdir(filepath.Join(h.dir, "repo"), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	old := value(t, up(0, 2), "savepoint_metrics_written_timestamp_seconds")
	w.until("/", func(_ int, b []byte) bool {
		return strings.Contains(string(b), "These values are old: ") && strings.Contains(string(b), "no repository at")
	})
	w.until("/healthz", func(code int, _ []byte) bool { return code == http.StatusServiceUnavailable })
	if now := value(t, up(0, 2), "savepoint_metrics_written_timestamp_seconds"); now != old {
		t.Errorf("values of %v are dated %v", old, now)
	}
	for _, err := range []error{os.Remove(filepath.Join(h.dir, "repo")), os.Rename(away, filepath.Join(h.dir, "repo"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if now := value(t, up(1, 2), "savepoint_metrics_written_timestamp_seconds"); now <= old {
		t.Errorf("values of %v are dated %v", now, old)
	}
	w.until("/healthz", func(code int, _ []byte) bool { return code == http.StatusOK })

	// Another repository in its place is none that this one's values are of.
	place, other := filepath.Join(h.dir, "repo"), filepath.Join(h.dir, "other")
	h.run("init", "--repo", other, "--no-password", "--machine-key", filepath.Join(h.dir, "other-key"), "-q").want(0)
	if err := errors.Join(os.Rename(place, away), os.Rename(other, place)); err != nil {
		t.Fatal(err)
	}
	up(0, 2)
	if err := errors.Join(os.Rename(place, other), os.Rename(away, place)); err != nil {
		t.Fatal(err)
	}
	up(1, 2)
	w.signal(syscall.SIGTERM)
	w.want(0, "the repository cannot be looked at, and is tried again every 1s: no repository at", "the repository can be looked at again")
	if w.out.Len() > 0 {
		t.Errorf("it printed %s", w.out.String())
	}
}

// told is a server that keeps what it is told.
type told struct {
	*httptest.Server

	mu    sync.Mutex
	asked []string // METHOD PATH
	body  string   // of the last request
	code  int
	says  string
}

func newTold(t *testing.T) *told {
	s := &told{code: 200}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked, s.body = append(s.asked, r.Method+" "+r.URL.Path), string(b)
		w.WriteHeader(s.code)
		_, _ = io.WriteString(w, s.says)
	}))
	t.Cleanup(s.Close)
	return s
}

// was returns what the server was asked since the last time, and the last body.
func (s *told) was() (asked []string, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, s.asked = s.asked, nil
	return asked, s.body
}

func (s *told) answer(code int, says string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code, s.says = code, says
}

// TestPushAndPing tells two services how it stands: with the repository there, away and damaged, with a configuration that is none, and with
// services that refuse or are not there.
func TestPushAndPing(t *testing.T) {
	h := folderHost(t)
	gateway, pings := newTold(t), newTold(t)
	const token = "0f3a9c1e-7b52-4d55"
	health := func(code int, args ...string) *process {
		t.Helper()
		p := h.run(append([]string{"health", "--push", gateway.URL + "/metrics/job/savepoint", "--ping", pings.URL + "/" + token}, args...)...)
		p.want(code)
		if all := p.err.String() + p.out.String(); strings.Contains(all, token) {
			t.Errorf("the address is repeated:\n%s", all)
		}
		return p
	}
	expect := func(s *told, want ...string) string {
		t.Helper()
		asked, body := s.was()
		if !slices.Equal(asked, want) {
			t.Errorf("it was asked %q, want %q", asked, want)
		}
		return body
	}

	p := health(0)
	if got := expect(gateway, "PUT /metrics/job/savepoint"); value(t, []byte(got), "savepoint_exported_sources") != 1 {
		t.Errorf("it pushed %s", got)
	}
	expect(pings, "GET /"+token)
	if p.out.Len() > 0 || p.err.String() != "" {
		t.Errorf("it says\n%s%s", p.out.String(), p.err)
	}
	if p := health(0, "--format", "text"); !strings.Contains(p.out.String(), "1 of 1 source needs attention") {
		t.Errorf("it prints %s", p.out.String())
	}
	expect(gateway, "PUT /metrics/job/savepoint")
	expect(pings, "GET /"+token)

	// Of a host from which nothing was ever backed up, nothing is well.
	health(0, "--host", "renamed")
	expect(gateway, "PUT /metrics/job/savepoint")
	if got := expect(pings, "POST /"+token+"/fail"); !strings.Contains(got, "nothing was backed up yet") {
		t.Errorf("it tells %q", got)
	}

	gateway.answer(400, "pushed metrics are invalid\nmore\n")
	if p := health(1); !strings.Contains(p.err.String(), "answers 400 Bad Request: pushed metrics are invalid\n") {
		t.Errorf("it says %s", p.err)
	}
	expect(gateway, "PUT /metrics/job/savepoint")
	expect(pings, "GET /"+token)
	gateway.answer(200, "")
	pings.answer(404, "not found: "+token)
	health(1)
	expect(gateway, "PUT /metrics/job/savepoint")
	expect(pings, "GET /"+token)
	pings.answer(200, "OK")

	if err := os.WriteFile(filepath.Join(h.dir, "bad.yaml"), []byte("repositry: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	health(64, "--config", "bad.yaml")
	expect(gateway)
	if got := expect(pings, "POST /"+token+"/fail"); !strings.Contains(got, "could not look: ") || !strings.Contains(got, "repositry") {
		t.Errorf("it tells %q", got)
	}
	health(64, "--all-hosts", "--host", "a") // a slip of the hand is nobody else's business
	expect(pings)

	away := filepath.Join(h.dir, "away")
	if err := os.Rename(filepath.Join(h.dir, "repo"), away); err != nil {
		t.Fatal(err)
	}
	health(10)
	expect(gateway)
	if got := expect(pings, "POST /"+token+"/fail"); !strings.Contains(got, "no repository at") {
		t.Errorf("it tells %q", got)
	}
	pings.Close()
	if p := health(10); !strings.Contains(p.err.String(), "ping "+pings.URL+"/…: ") {
		t.Errorf("it says %s", p.err)
	}
}

// TestPushDamage pushes what is damaged, and pings that it is; the exit code stays that of damage when the service is not there.
func TestPushDamage(t *testing.T) {
	h := folderHost(t)
	manifests, err := filepath.Glob(filepath.Join(h.dir, "repo", "snapshots", "*", "*"))
	if err != nil || len(manifests) != 1 {
		t.Fatalf("%v, %v", manifests, err)
	}
	if err := os.WriteFile(manifests[0], []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	gateway, pings := newTold(t), newTold(t)
	p := h.run("health", "--all-hosts", "--push", gateway.URL, "--ping", pings.URL)
	p.want(4)
	if _, body := gateway.was(); !strings.Contains(body, `savepoint_unreadable_objects{kind="snapshot"} 1`) {
		t.Errorf("it pushed %s", body)
	}
	if asked, body := pings.was(); !slices.Equal(asked, []string{"POST /fail"}) || !strings.HasPrefix(body, "DAMAGE; ") {
		t.Errorf("it told %q: %s", asked, body)
	}
	pings.answer(400, "")
	h.run("health", "--ping", pings.URL).want(4, "ping http://127.0.0.1")

	w := h.listen()
	w.until("/", func(_ int, b []byte) bool { return strings.Contains(string(b), "DAMAGE") })
	w.signal(syscall.SIGINT)
	w.want(0)
}
