package miniotest

import (
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Region is the one that the servers say they are in.
const Region = "us-east-1"

// Server is a running server. Its fields are for reading.
type Server struct {
	Endpoint  string // host:port, without a scheme
	AccessKey string // of the root account
	SecretKey string
	Name      string // program and version
	CAFile    string // PEM, of a server with TLS; else ""

	kind kind
	dir  string // data, log, certificates, configuration of mc
	certs
	process
}

// kind is what servers differ in.
type kind struct {
	name, program string
	health        string // a path that answers 200 when the server is ready
	command       func(s *Server) (args, env []string)
}

// Option changes how a server is started.
type Option func(*options)

type options struct{ tls bool }

// TLS has the server speak HTTPS alone, with a certificate for 127.0.0.1 and localhost that the authority in
// Server.CAFile has signed.
func TLS() Option { return func(o *options) { o.tls = true } }

// MinIO starts a MinIO server with one drive.
func MinIO(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return launch(t, kind{name: "MinIO", program: "minio", health: "/minio/health/ready", command: minioCommand}, opts)
}

// VersityGW starts a Versity gateway on a folder, with versioning and object lock to be had.
func VersityGW(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return launch(t, kind{name: "Versity gateway", program: "versitygw", health: "/health", command: versityCommand}, opts)
}

func launch(t testing.TB, k kind, opts []Option) *Server {
	t.Helper()
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	s := &Server{
		AccessKey: "root" + random(6), SecretKey: random(20), Name: k.name + " " + version(k.program),
		kind: k, dir: t.TempDir(),
	}
	s.path = tool(t, k.program)
	s.log = filepath.Join(s.dir, "server.log")
	if o.tls {
		s.CAFile = filepath.Join(s.dir, "ca.pem")
		if err := s.certs.write(s.dir, s.CAFile); err != nil {
			t.Fatalf("make certificates for %s: %v", s.Name, err)
		}
	}
	t.Cleanup(func() { s.end(t) })
	if err := s.firstStart(t.Context()); err != nil {
		t.Fatalf("start %s: %v\n%s", s.Name, err, s.logTail())
	}
	t.Logf("runs against %s at %s", s.Name, s.scheme()+"://"+s.Endpoint)
	return s
}

// minioCommand says how to run MinIO. MINIO_CI_CD lets it live on the root disk and bounds its memory.
func minioCommand(s *Server) (args, env []string) {
	args = []string{"server", "--quiet", "--address", s.Endpoint, "--certs-dir", filepath.Join(s.dir, "certs"), filepath.Join(s.dir, "data")}
	env = []string{
		"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey, "MINIO_REGION=" + Region,
		"MINIO_CI_CD=1", "MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off",
	}
	return args, env
}

// versityCommand says how to run the gateway over a folder.
func versityCommand(s *Server) (args, env []string) {
	args = []string{"--port", s.Endpoint, "--region", Region, "--health", s.kind.health, "--quiet", "--keep-alive"}
	if s.CAFile != "" {
		args = append(args, "--cert", s.certs.certFile, "--key", s.certs.keyFile)
	}
	args = append(args, "posix", "--versioning-dir", filepath.Join(s.dir, "versions"), filepath.Join(s.dir, "data"))
	return args, []string{"ROOT_ACCESS_KEY_ID=" + s.AccessKey, "ROOT_SECRET_ACCESS_KEY=" + s.SecretKey}
}

// BucketOption is a property that a bucket has from its creation on.
type BucketOption int

const (
	Versioned  BucketOption = iota // keeps the versions of its objects
	ObjectLock                     // objects can be retained; implies Versioned
)

// Bucket creates an empty bucket with a random name.
func (s *Server) Bucket(t testing.TB, opts ...BucketOption) string {
	t.Helper()
	c := s.Client(t)
	name := "test-" + random(8)
	how := minio.MakeBucketOptions{Region: Region}
	versioned := false
	for _, o := range opts {
		how.ObjectLocking = how.ObjectLocking || o == ObjectLock
		versioned = versioned || o == Versioned
	}
	if err := c.MakeBucket(t.Context(), name, how); err != nil {
		t.Fatalf("make bucket %s on %s: %v", name, s.Name, err)
	}
	if versioned && !how.ObjectLocking {
		if err := c.EnableVersioning(t.Context(), name); err != nil {
			t.Fatalf("version bucket %s on %s: %v", name, s.Name, err)
		}
	}
	return name
}

// Client returns a client with the root account's credentials, which tries every request once.
func (s *Server) Client(t testing.TB) *minio.Client {
	t.Helper()
	c, err := s.dial(s.Endpoint, credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""))
	if err != nil {
		t.Fatalf("client for %s: %v", s.Name, err)
	}
	t.Cleanup(s.transport().CloseIdleConnections)
	return c
}

// dial returns a client of the server, or of a proxy before it, that tries once.
func (s *Server) dial(endpoint string, creds *credentials.Credentials) (*minio.Client, error) {
	return minio.New(endpoint, &minio.Options{
		Creds: creds, Secure: s.CAFile != "", Region: Region, MaxRetries: 1,
		BucketLookup: minio.BucketLookupPath, Transport: s.transport(),
	})
}

// URL returns the address of a prefix in a bucket, as the command line takes it.
func (s *Server) URL(bucket, prefix string) string { return s.urlAt(s.Endpoint, bucket, prefix) }

func (s *Server) urlAt(endpoint, bucket, prefix string) string {
	u := url.URL{Scheme: "s3", Host: bucket, Path: "/" + strings.TrimPrefix(prefix, "/")}
	if prefix == "" {
		u.Path = ""
	}
	q := url.Values{"endpoint": {endpoint}}
	if s.CAFile == "" {
		q.Set("tls", "false")
	} else {
		q.Set("ca", s.CAFile)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Env returns the environment variables that give a program the root account's credentials.
func (s *Server) Env() []string { return Env(s.AccessKey, s.SecretKey, "") }

// Env returns the environment variables that give a program credentials: of a user, without a token, or of a session.
func Env(access, secret, token string) []string {
	env := []string{"AWS_ACCESS_KEY_ID=" + access, "AWS_SECRET_ACCESS_KEY=" + secret}
	if token != "" {
		env = append(env, "AWS_SESSION_TOKEN="+token)
	}
	return env
}

func (s *Server) scheme() string {
	if s.CAFile == "" {
		return "http"
	}
	return "https"
}

// Session returns credentials of a session of the root account under a policy, which MinIO alone can give. MinIO takes
// no d under 15 minutes; 0 is an hour.
//
// What a backup needs at least is LeastPolicy.
func (s *Server) Session(t testing.TB, policyJSON string, d time.Duration) (access, secret, token string) {
	t.Helper()
	creds, err := credentials.NewSTSAssumeRole(s.scheme()+"://"+s.Endpoint, credentials.STSAssumeRoleOptions{
		AccessKey: s.AccessKey, SecretKey: s.SecretKey, Policy: policyJSON, Location: Region,
		DurationSeconds: int(d / time.Second),
	})
	if err != nil {
		t.Fatalf("session of %s: %v", s.Name, err)
	}
	v, err := creds.GetWithContext(&credentials.CredContext{Client: s.httpClient()})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; n < int(readyTimeout/(50*time.Millisecond)) && err != nil && strings.Contains(err.Error(), "Server not initialized"); n++ {
		<-tick.C // it answers everything else before its accounts are read
		v, err = creds.GetWithContext(&credentials.CredContext{Client: s.httpClient()})
	}
	if err != nil {
		t.Fatalf("session of %s: %v", s.Name, err)
	}
	return v.AccessKeyID, v.SecretAccessKey, v.SessionToken
}

// random returns a name of 2n hexadecimal digits.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
