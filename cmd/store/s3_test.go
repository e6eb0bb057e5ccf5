package main

import (
	"bytes"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/rogpeppe/go-internal/testscript"

	"savepoint/internal/miniotest"
	"savepoint/repo/seal"
)

// TestS3Scripts runs the scripts whose names begin with s3_ against MinIO. Each has a bucket of its own, in BUCKET and S3URL;
// one whose name begins with s3_tls_ has a server of its own that speaks TLS.
func TestS3Scripts(t *testing.T) {
	server := miniotest.MinIO(t)
	cmds := commands()
	maps.Copy(cmds, map[string]func(*testscript.TestScript, bool, []string){
		"session":  cmdSession,
		"object":   cmdObject,
		"lastline": cmdLastLine,
	})
	// The scripts run in parallel and end after this function: a group keeps the server up until all are done.
	t.Run("group", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Files: scripts(t, true), Cmds: cmds, Condition: condition,
			Setup: func(e *testscript.Env) error { return setupBucket(e, server) },
		})
	})
}

type serverKey struct{}

// bucketOf is what a script's commands need to know of its bucket.
type bucketOf struct {
	*miniotest.Server
	name string
	t    testing.TB
}

func setupBucket(e *testscript.Env, server *miniotest.Server) error {
	if err := setup(e); err != nil {
		return err
	}
	t := e.T().(testing.TB)
	if strings.HasPrefix(filepath.Base(e.WorkDir), "script-s3_tls_") {
		server = miniotest.MinIO(t, miniotest.TLS())
	}
	b := &bucketOf{server, server.Bucket(t), t}
	e.Values[serverKey{}] = b
	for _, v := range server.Env() {
		name, value, _ := strings.Cut(v, "=")
		e.Setenv(name, value)
	}
	e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e.Setenv("ENDPOINT", server.Endpoint)
	e.Setenv("BUCKET", b.name)
	e.Setenv("CA", server.CAFile)
	e.Setenv("MC", miniotest.MCPath(t))
	e.Setenv("S3URL", server.URL(b.name, "repo"))
	return nil
}

// cmdSession gives the script credentials that may do what is listed, on its bucket, or everything: session s3:PutObject …,
// session root.
func cmdSession(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: session root | session ACTION...")
	}
	b := ts.Value(serverKey{}).(*bucketOf)
	env := miniotest.Env(b.AccessKey, b.SecretKey, "")
	ts.Setenv("AWS_SESSION_TOKEN", "")
	if args[0] != "root" {
		env = miniotest.Env(b.Session(b.t, miniotest.Policy(b.name, args...), time.Hour))
	}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		ts.Setenv(name, value)
	}
}

// cmdObject puts an object into the bucket, lists names, or removes all with a prefix, or changes a byte in the first half of each: object put
// KEY, object list PREFIX, object remove PREFIX, object spoil PREFIX. With ! list wants to find none.
func cmdObject(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg && args[0] != "list" {
		ts.Fatalf("usage: object put KEY | [!] object list PREFIX | object remove PREFIX | object spoil PREFIX")
	}
	b := ts.Value(serverKey{}).(*bucketOf)
	c, ctx := b.Client(b.t), b.t.Context()
	if args[0] == "put" {
		_, err := c.PutObject(ctx, b.name, args[1], bytes.NewReader([]byte("x")), 1, minio.PutObjectOptions{})
		ts.Check(err)
		return
	}
	found := 0
	for o := range c.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: args[1], Recursive: true}) {
		ts.Check(o.Err)
		found++
		switch args[0] {
		case "remove":
			ts.Check(c.RemoveObject(ctx, b.name, o.Key, minio.RemoveObjectOptions{}))
		case "spoil":
			r, err := c.GetObject(ctx, b.name, o.Key, minio.GetObjectOptions{})
			ts.Check(err)
			body, err := io.ReadAll(r)
			ts.Check(err)
			body[seal.HeaderLen+8] ^= 1
			_, err = c.PutObject(ctx, b.name, o.Key, bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{})
			ts.Check(err)
		default:
			ts.Logf("%s", o.Key)
		}
	}
	if neg != (found == 0) {
		ts.Fatalf("%d objects with the prefix %s", found, args[1])
	}
}

// cmdLastLine sets a variable to the last line that was printed to stderr: lastline NAME.
func cmdLastLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: lastline NAME")
	}
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stderr")), "\n")
	ts.Setenv(args[0], lines[len(lines)-1])
}
