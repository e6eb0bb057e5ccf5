package main

import (
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"

	"savepoint/internal/miniotest"
)

// written are the kinds of objects that a backup puts.
var written = []string{"data/", "meta/", "index/", "leases/", "snapshots/", "reports/"}

func putUnder(prefix string) func(*http.Request) bool {
	return miniotest.On(http.MethodPut, "/repo/"+prefix)
}

// TestNetworkLostAnswers loses the answers to requests that were carried out, of every kind of object, once and several times in
// a row, and resets uploads in the middle of their bodies: the backup succeeds, and has left one manifest and whole leases.
func TestNetworkLostAnswers(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	tests := map[string]func(*testing.T){
		"init": func(t *testing.T) {
			x := bareTrial(t, server, 100_000)
			for _, name := range []string{"config", "keys/"} {
				x.inject(putUnder(name), 2, miniotest.LostAnswer())
			}
			x.initRepo()
			if got := x.objects("keys/"); len(got) != 1 {
				t.Errorf("key slots %q", got)
			}
			x.backup()
			x.audit(1)
		},
		"all at once": func(t *testing.T) {
			x := newTrial(t, server, 3_000_000)
			for _, prefix := range written {
				x.inject(putUnder(prefix), 1, miniotest.LostAnswer())
			}
			x.backup()
			x.audit(1)
		},
		"body": func(t *testing.T) {
			x := newTrial(t, server, 3_000_000)
			for _, n := range []int64{1, 64 << 10, 2_000_000} {
				x.proxy.Inject(miniotest.Fault{Match: putPack, Times: 1, Do: miniotest.Refuse(), Hit: func(r *http.Request) {
					_, _ = io.CopyN(io.Discard, r.Body, n) // then the connection is reset
				}})
			}
			for _, prefix := range written {
				x.proxy.Inject(miniotest.Fault{Match: putUnder(prefix), Times: 1, Do: miniotest.Refuse(), Hit: func(r *http.Request) {
					_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
				}})
			}
			if doc := x.backup(); doc.Storage.Retries < uint64(len(written)) {
				t.Errorf("%d requests were repeated", doc.Storage.Retries)
			}
			x.audit(1)
		},
	}
	for _, prefix := range written {
		tests[strings.TrimSuffix(prefix, "/")] = func(t *testing.T) {
			x := newTrial(t, server, 300_000)
			x.backup()
			x.change()
			// A connection that breaks while it is written to makes the store ask for the object, which is there: then nothing is repeated, and less
			// than three answers are lost. What counts is that some were, and what the audit finds.
			var lost atomic.Uint64
			x.proxy.Inject(miniotest.Fault{Match: putUnder(prefix), Times: 3, Do: miniotest.LostAnswer(), Hit: func(*http.Request) { lost.Add(1) }})
			doc := x.backup()
			if n := lost.Load(); n == 0 || len(x.objects("leases/")) < 4 {
				t.Errorf("%d answers were lost, %d requests repeated; leases %q", n, doc.Storage.Retries, x.objects("leases/"))
			}
			x.audit(2)
		}
	}
	together(t, tests)
}

// TestNetworkLostForGood loses every answer to the request that publishes a snapshot, and to that which makes a repository:
// what has come of it is not known, and the program must not say that it is.
func TestNetworkLostForGood(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	x := newTrial(t, server, 300_000)
	x.inject(putUnder("snapshots/"), 0, miniotest.LostAnswer())
	x.fails(1, []string{"backup", "src", "--retry-for", "300ms"}, "Whether the snapshot was made is not known", "`store snapshots` says", "earlier ones are safe")
	x.audit(1) // it was
	x.change()
	x.backup()
	x.heal()
	x.inject(putUnder("snapshots/"), 0, miniotest.Refuse())
	x.fails(1, []string{"backup", "src", "--retry-for", "300ms"}, "Whether the snapshot was made is not known")
	if got := x.objects("snapshots/"); len(got) != 2 {
		t.Errorf("manifests %q", got)
	}

	y := bareTrial(t, server, 300_000)
	made := false
	y.inject(putUnder("config"), 1, miniotest.LostAnswer())
	y.inject(func(r *http.Request) bool { made = made || putUnder("config")(r); return made }, 0, miniotest.Refuse())
	key := filepath.Join(y.dir, "key")
	y.fails(1, []string{"init", "--no-password", "--machine-key", key, "--retry-for", "300ms"}, "Whether the repository was made is not known", "It opens with what is in "+key)
	y.heal()
	y.backup() // it was, and the key opens it
	y.audit(1)

	z := bareTrial(t, server, 300_000)
	z.inject(putUnder("keys/"), 0, miniotest.Refuse())
	key = filepath.Join(z.dir, "key")
	z.fails(1, []string{"init", "--no-password", "--machine-key", key, "--retry-for", "300ms"}, "The same command can be run again")
	absent(t, key)
	z.heal()
	z.initRepo()
}

// TestNetworkForeignObject has somebody else's object stand where the program is about to create one: it ends with 1, the object
// stays as it is, and no snapshot is made.
func TestNetworkForeignObject(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	tests := map[string]func(*testing.T){}
	for _, prefix := range []string{"data/", "meta/", "index/", "leases/", "snapshots/"} {
		tests[strings.TrimSuffix(prefix, "/")] = func(t *testing.T) {
			x := newTrial(t, server, 300_000)
			x.backup()
			x.change()
			key := x.squat(putUnder(prefix))
			x.fails(1, []string{"backup", "src"}, "exists already", "earlier ones are safe", "another program writes under this prefix")
			x.untouched(*key.Load())
			if got := x.objects("snapshots/"); prefix != "snapshots/" && len(got) != 1 {
				t.Errorf("manifests %q", got)
			}
			if err := x.server.Client(t).RemoveObject(t.Context(), x.bucket, *key.Load(), minio.RemoveObjectOptions{}); err != nil {
				t.Fatal(err)
			}
			x.audit(1)
			x.backup()
			x.audit(2)
		}
	}
	tests["init"] = func(t *testing.T) {
		x := bareTrial(t, server, 100_000)
		key := x.squat(putUnder("config"))
		file := filepath.Join(x.dir, "key")
		x.fails(1, []string{"init", "--no-password", "--machine-key", file}, "a repository is there already", "Nothing was changed")
		x.untouched(*key.Load())
		absent(t, file)
	}
	together(t, tests)
}

const foreign = "somebody else's"

// squat puts a foreign object where the first request is about to put one that matches, and tells its key.
func (x *trial) squat(match func(*http.Request) bool) *atomic.Pointer[string] {
	var key atomic.Pointer[string]
	c := x.server.Client(x.t)
	x.proxy.Inject(miniotest.Fault{Match: match, Times: 1, Do: miniotest.Delay(0), Hit: func(r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/"+x.bucket+"/")
		key.Store(&name)
		if _, err := c.PutObject(r.Context(), x.bucket, name, bytes.NewReader([]byte(foreign)), int64(len(foreign)), minio.PutObjectOptions{}); err != nil {
			x.t.Errorf("put %s: %v", name, err)
		}
	}})
	return &key
}

func (x *trial) untouched(key string) {
	x.t.Helper()
	o, err := x.server.Client(x.t).GetObject(x.t.Context(), x.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		x.t.Fatal(err)
	}
	defer o.Close()
	if got, err := io.ReadAll(o); err != nil || string(got) != foreign {
		x.t.Errorf("%s is now %d bytes, %v", key, len(got), err)
	}
}
