package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"savepoint/internal/miniotest"
)

// roleService is an endpoint of container credentials. What it gives can be changed.
type roleService struct {
	URL string

	mu             sync.Mutex
	access, secret string
	given          int
}

func newRoleService(t *testing.T) *roleService {
	s := &roleService{}
	front := httptest.NewServer(s)
	t.Cleanup(front.Close)
	s.URL = front.URL
	return s
}

func (s *roleService) set(access, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access, s.secret = access, secret
}

func (s *roleService) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given++
	_ = json.NewEncoder(w).Encode(map[string]string{ // the client has gone
		"AccessKeyId": s.access, "SecretAccessKey": s.secret, "Token": "", "Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	})
}

// addUser makes a user of the server who may do everything, and returns its credentials and what removes it.
func addUser(t *testing.T, s *miniotest.Server, name string) (access, secret string, remove func()) {
	t.Helper()
	access, secret = name, name+"-secret-hunter2"
	s.MC(t, "admin", "user", "add", "local", access, secret)
	s.MC(t, "admin", "policy", "attach", "local", "readwrite", "--user", access)
	return access, secret, func() { t.Helper(); s.MC(t, "admin", "user", "remove", "local", access) }
}

// signedBy matches the requests of a user.
func signedBy(access string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return strings.Contains(r.Header.Get("Authorization"), "Credential="+access+"/")
	}
}

// TestNetworkCredentialsEnd removes the user whose credentials a backup and a restore have, while they run. With a service that
// gives others they go on; without, they end, say so, and have published nothing.
func TestNetworkCredentialsEnd(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	together(t, map[string]func(*testing.T){
		"renewed": func(t *testing.T) {
			x := newTrial(t, server, 3_000_000)
			service := newRoleService(t)
			x.env = append(x.env, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONTAINER_CREDENTIALS_FULL_URI="+service.URL+"/creds")
			goOn := func(n int, p func() *process, match func(*http.Request) bool) *process {
				access, secret, remove := addUser(t, server, fmt.Sprint("first", n))
				service.set(access, secret)
				reached, release := hold(x.proxy, match, 0)
				run := p()
				run.await(reached)
				access, secret, _ = addUser(t, server, fmt.Sprint("second", n))
				service.set(access, secret)
				remove()
				release()
				run.want(0)
				return run
			}
			x.backedUp(goOn(1, func() *process { return x.startBackup() }, putPack))
			target := filepath.Join(t.TempDir(), "target")
			goOn(2, func() *process { return x.start("restore", "--target", target, "--no-cache") }, getPack)
			x.same(x.current, target)
			x.audit(1)
		},
		"told of by the server": func(t *testing.T) { // what Amazon says when a session is over
			x := newTrial(t, server, 3_000_000)
			service := newRoleService(t)
			x.env = append(x.env, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONTAINER_CREDENTIALS_FULL_URI="+service.URL+"/creds")
			access, secret, _ := addUser(t, server, "third")
			service.set(access, secret)
			access2, secret2, _ := addUser(t, server, "fourth")
			x.proxy.Inject(miniotest.Fault{Do: miniotest.Status(http.StatusForbidden, "ExpiredToken"), Match: func(r *http.Request) bool {
				if !signedBy(access)(r) || !putPack(r) {
					return false
				}
				service.set(access2, secret2)
				return true
			}})
			x.backup()
			x.audit(1)
		},
		"fixed": func(t *testing.T) {
			x := newTrial(t, server, 3_000_000)
			x.backup()
			x.change()
			access, secret, remove := addUser(t, server, "fifth")
			good := x.env
			x.env = append(x.env[:len(x.env):len(x.env)], miniotest.Env(access, secret, "")...)
			p, release := x.startHeld(x.proxy, putPack, 0, "backup", "src")
			remove()
			release()
			p.want(1, "InvalidAccessKeyId", "credentials from the environment (AWS_ACCESS_KEY_ID", "No snapshot was made; earlier ones are safe")
			t.Logf("%s", p.err)
			x.fails(1, []string{"snapshots"}, "InvalidAccessKeyId", "credentials from the environment")
			if strings.Contains(p.err.String(), "hunter2") {
				t.Errorf("it prints a secret: %s", p.err)
			}
			access, secret, remove = addUser(t, server, "sixth")
			x.env = append(good[:len(good):len(good)], miniotest.Env(access, secret, "")...)
			target := filepath.Join(t.TempDir(), "target")
			p, release = x.startHeld(x.proxy, getPack, 0, "restore", "--target", target, "--no-cache")
			remove()
			release()
			p.want(1, "InvalidAccessKeyId", "credentials from the environment", "the target is incomplete", "The repository is unharmed")
			t.Logf("%s", p.err)
			x.env = good
			x.audit(1)
			x.backup()
			x.audit(2)
		},
		"service fails": func(t *testing.T) {
			x := newTrial(t, server, 300_000)
			x.env = append(x.env, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:1/creds")
			began := time.Now()
			x.fails(1, []string{"backup", "src", "--retry-for", "1s"}, "credentials cannot be fetched", "the container's role", "No snapshot was made",
				"see to the service that gives them")
			lasts(t, began, 5*time.Second)
		},
	})
}

// TestNetworkBucketGone deletes the bucket in the middle of a backup and of a restore.
func TestNetworkBucketGone(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	together(t, map[string]func(*testing.T){
		"backup": func(t *testing.T) {
			x := newTrial(t, server, 3_000_000)
			x.backup()
			x.change()
			p, release := x.startHeld(x.proxy, putPack, 0, "backup", "src")
			server.MC(t, "rb", "--force", "local/"+x.bucket)
			release()
			p.want(1, "bucket "+x.bucket, "does not exist any more", "No snapshot was made.", "Ask who runs "+x.proxy.Endpoint)
			t.Logf("%s", p.err)
			if strings.Contains(p.err.String(), "safe") || strings.Contains(p.err.String(), "kept") {
				t.Errorf("it calls safe what is gone:\n%s", p.err)
			}
			x.fails(exitNoRepository, []string{"snapshots"}, "there is no bucket "+x.bucket)
			x.fails(exitNoRepository, []string{"restore", "--target", filepath.Join(t.TempDir(), "target")}, "there is no bucket "+x.bucket)
		},
		"restore": func(t *testing.T) {
			x := newTrial(t, server, 9_000_000)
			x.backup()
			target := filepath.Join(t.TempDir(), "target")
			p, release := x.startHeld(x.proxy, getPack, 1, "restore", "--target", target, "--no-cache")
			server.MC(t, "rb", "--force", "local/"+x.bucket)
			release()
			p.want(1, "bucket "+x.bucket, "does not exist any more", "the target is incomplete", "Ask who runs "+x.proxy.Endpoint)
			t.Logf("%s", p.err)
			if strings.Contains(p.err.String(), "unharmed") {
				t.Errorf("it calls unharmed what is gone:\n%s", p.err)
			}
			x.nothingWrong(target)
		},
	})
}

// TestNetworkRights denies one right on one kind of object, by the server's own policies: the message names the right and on
// what, nothing is published, and with the right back all goes on.
func TestNetworkRights(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	tests := map[string]func(*testing.T){}
	for _, tt := range []struct {
		name, action, object string
		args                 []string
	}{
		{"put snapshots", "s3:PutObject", "/repo/snapshots/*", []string{"backup", "src"}},
		{"put leases", "s3:PutObject", "/repo/leases/*", []string{"backup", "src"}},
		{"put index", "s3:PutObject", "/repo/index/*", []string{"backup", "src"}},
		{"put data", "s3:PutObject", "/repo/data/*", []string{"backup", "src"}},
		{"get trees", "s3:GetObject", "/repo/meta/*", []string{"backup", "src", "--no-cache"}},
		{"get snapshots", "s3:GetObject", "/repo/snapshots/*", []string{"snapshots"}},
		{"restore without data", "s3:GetObject", "/repo/data/*", []string{"restore", "--target", "target", "--no-cache"}},
		{"restore without list", "s3:ListBucket", "", []string{"restore", "--target", "target", "--no-cache"}},
		{"init without put", "s3:PutObject", "/repo/*", nil},
	} {
		tests[tt.name] = func(t *testing.T) {
			x := newTrial(t, server, 300_000)
			x.backup()
			x.change()
			args := tt.args
			if args == nil {
				args = []string{"init", "--repo", x.proxy.URL(x.bucket, "repo/second"), "--no-password", "--machine-key", filepath.Join(x.dir, "second")}
			}
			good, resource := x.env, "arn:aws:s3:::"+x.bucket+tt.object
			policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]},` +
				`{"Effect":"Deny","Action":["` + tt.action + `"],"Resource":["` + resource + `"]}]}`
			x.env = append(x.env[:len(x.env):len(x.env)], miniotest.Env(server.Session(t, policy, time.Hour))...)
			says := []string{"AccessDenied", tt.action + " on arn:aws:s3:::" + x.bucket, "a policy that is enough is in docs/guide/minio.md"}
			switch args[0] {
			case "backup":
				says = append(says, "No snapshot was made; earlier ones are safe")
			case "restore":
				if tt.action == "s3:GetObject" {
					says = append(says, "The repository is unharmed")
				}
			}
			x.fails(1, args, says...)
			x.env = good
			absent(t, filepath.Join(x.dir, "second"))
			x.audit(1)
			x.backup()
			x.audit(2)
		}
	}
	together(t, tests)
}

// TestNetworkClock has the server refuse requests for their time, from the start and in the middle.
func TestNetworkClock(t *testing.T) {
	networked(t)
	server := miniotest.MinIO(t)
	x := newTrial(t, server, 300_000)
	x.backup()
	x.change()
	skewed := miniotest.Status(http.StatusForbidden, "RequestTimeTooSkewed")
	key, target := filepath.Join(x.dir, "second"), filepath.Join(t.TempDir(), "target")
	clocks := []string{"RequestTimeTooSkewed", "the server's clock says 20", ", this host's 20", "Set the clock that is wrong, best by NTP on both"}
	x.inject(nil, 0, skewed)
	for _, args := range [][]string{
		{"init", "--repo", x.proxy.URL(x.bucket, "second"), "--no-password", "--machine-key", key}, {"backup", "src"}, {"restore", "--target", target}, {"snapshots"},
	} {
		began := time.Now()
		x.fails(1, args, clocks...)
		lasts(t, began, 3*time.Second) // it is not repeated
	}
	absent(t, key, target)
	x.heal()
	x.inject(putUnder("snapshots/"), 0, skewed)
	x.fails(1, []string{"backup", "src"}, append(clocks, "No snapshot was made; earlier ones are safe")...)
	x.heal()
	x.inject(getPack, 0, skewed)
	x.fails(1, []string{"restore", "--target", target, "--no-cache"}, append(clocks, "The repository is unharmed")...)
	x.audit(1)
	x.backup()
	x.audit(2)
}
