package s3

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	metadataTimeout = time.Second      // a request to a cloud's metadata service, which hosts outside of it lack
	roleTimeout     = 10 * time.Second // a request to a service that the environment names
	// refetchPause is how long credentials that still hold are used, after a service
	// did not give newer ones, until it is asked again.
	refetchPause = 10 * time.Second
)

// source is a place where credentials come from.
type source struct {
	name     string // for messages
	provider credentials.Provider
	fixed    bool        // it gives the same again while the process lives
	file     bool        // so it does when what it gave has no end
	named    bool        // the environment says that they come from here: nothing else will do
	pairs    [][2]string // the variables that it reads; what is set has its counterpart
}

// half says which variable is missing beside one that is set.
func (s source) half() string {
	for _, pair := range s.pairs {
		a, b := pair[0], pair[1]
		if os.Getenv(a) == "" {
			a, b = b, a
		}
		if os.Getenv(a) != "" && os.Getenv(b) == "" {
			return fmt.Sprintf("%s is set in the environment, and %s is not", a, b)
		}
	}
	return ""
}

// unasked is the provider in place of one that is used only on demand.
type unasked struct{ credentials.Static }

// RetrieveWithCredContext implements credentials.Provider.
func (*unasked) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	return credentials.Value{}, errors.New("not used unless MINIO_ALIAS names an alias")
}

// keyring finds credentials at the first source that has some, and remembers which
// it was. It is the credentials.Provider of all endpoints; credentials.Credentials
// calls the methods of that interface one at a time.
type keyring struct {
	sources []source
	now     func() time.Time
	log     *slog.Logger

	mu      sync.Mutex
	from    source
	value   credentials.Value // the last that was found
	fetched int               // how often some were
	pause   time.Time         // value is used until then, though it should be renewed
	stale   map[keyID]int     // refused as expired, and the value of fetched then
}

// newKeyring returns the keys of the configuration, or the chain: environment, shared
// files, and the services that give roles to containers and machines.
func newKeyring(c Config) *keyring {
	k := &keyring{now: time.Now, log: c.Logger, stale: make(map[keyID]int)}
	if c.Keys.Access != "" {
		v := credentials.Value{AccessKeyID: c.Keys.Access, SecretAccessKey: c.Keys.Secret, SessionToken: c.Keys.Token, SignerType: credentials.SignatureV4}
		k.sources = []source{{name: "the configuration", provider: &credentials.Static{Value: v}, fixed: true}}
		return k
	}
	k.sources = []source{
		{name: "the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)", provider: &credentials.EnvAWS{}, fixed: true,
			pairs: [][2]string{{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}, {"AWS_ACCESS_KEY", "AWS_SECRET_KEY"}}},
		{name: "the environment (MINIO_ROOT_USER or MINIO_ACCESS_KEY, with their secrets)", provider: &credentials.EnvMinio{}, fixed: true,
			pairs: [][2]string{{"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"}, {"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"}}},
		{name: "the shared file (~/.aws/credentials, ~/.aws/config or AWS_SHARED_CREDENTIALS_FILE)", provider: &credentials.FileAWSCredentials{}, file: true},
	}
	mc := source{name: "MinIO's client file (~/.mc/config.json)", provider: &unasked{}, fixed: true}
	if os.Getenv("MINIO_ALIAS") != "" { // else it would be the alias s3, which mc makes with keys that are none
		mc.name, mc.provider = "MinIO's client file (MINIO_ALIAS in ~/.mc/config.json)", &credentials.FileMinioClient{}
	}
	k.sources = append(k.sources, mc)
	role := func(name string, timeout time.Duration, named bool) {
		t := &http.Transport{DisableKeepAlives: true}
		if os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
			t.Proxy = http.ProxyFromEnvironment // the other services are on this machine
		}
		iam := &credentials.IAM{Client: &http.Client{Timeout: timeout, Transport: t}}
		k.sources = append(k.sources, source{name: name, provider: iam, named: named})
	}
	switch {
	case os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		role("the role of AWS_WEB_IDENTITY_TOKEN_FILE", roleTimeout, true)
	case os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "" || os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		role("the container's role (AWS_CONTAINER_CREDENTIALS_…_URI)", roleTimeout, true)
	case !strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true"):
		role("the machine's role (metadata service)", metadataTimeout, false)
	}
	return k
}

// credentialError is a failure to find credentials.
type credentialError struct {
	text      string
	temporary bool
}

func (e *credentialError) Error() string        { return e.text }
func (e *credentialError) Is(target error) bool { return target == ErrCredentials }

// RetrieveWithCredContext implements credentials.Provider.
func (k *keyring) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	var reasons []string
	broken := false
	for _, s := range k.sources {
		v, err := s.provider.RetrieveWithCredContext(cc)
		if err == nil && v.AccessKeyID != "" && v.SecretAccessKey != "" {
			v.SignerType = credentials.SignatureV4
			k.found(s, v)
			return v, nil
		}
		if text := s.half(); text != "" {
			return credentials.Value{}, &credentialError{text, false}
		}
		broken = broken || s.named
		reasons = append(reasons, s.name+": "+reason(v, err))
	}
	if v, ok := k.keep(); ok {
		k.log.Warn("credentials could not be renewed; those at hand still hold", "reasons", strings.Join(reasons, "; "))
		return v, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if broken || k.fetched > 0 {
		return credentials.Value{}, &credentialError{"credentials cannot be fetched: " + strings.Join(reasons, "; "), true}
	}
	text := "no credentials (requests without are never made). Looked at " + strings.Join(reasons, "; ")
	return credentials.Value{}, &credentialError{text, false}
}

// reason says why a source gave nothing.
func reason(v credentials.Value, err error) string {
	switch {
	case err == nil && (v.AccessKeyID != "" || v.SecretAccessKey != ""):
		return "one of the two is missing"
	case err == nil:
		return "not set"
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	}
	return plain(err.Error())
}

func (k *keyring) found(s source, v credentials.Value) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s.fixed = s.fixed || s.file && v.Expiration.IsZero()
	k.from, k.value, k.pause = s, v, time.Time{}
	k.fetched++
	facts := []any{"source", s.name}
	if !v.Expiration.IsZero() {
		facts = append(facts, "expire", v.Expiration)
	}
	k.log.Debug("credentials found", facts...)
}

// keep returns the credentials that should have been renewed, while they hold.
func (k *keyring) keep() (credentials.Value, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, refused := k.stale[idOf(k.value.AccessKeyID, k.value.SessionToken)]
	if refused || k.value.Expiration.IsZero() || !k.now().Before(k.value.Expiration) {
		return credentials.Value{}, false
	}
	k.pause = k.now().Add(refetchPause)
	return k.value, true
}

// Retrieve implements credentials.Provider.
func (k *keyring) Retrieve() (credentials.Value, error) { return k.RetrieveWithCredContext(nil) }

// IsExpired implements credentials.Provider: what has no end holds until a server
// says otherwise.
func (k *keyring) IsExpired() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fetched == 0 {
		return true
	}
	return !k.value.Expiration.IsZero() && k.from.provider.IsExpired() && !k.now().Before(k.pause)
}

// refuse is told that a server took a request's credentials for expired or unknown.
// It has them fetched anew, and reports whether a repetition makes sense: once for
// each credential, since the same ones come back from a source that has no others.
func (k *keyring) refuse(id keyID, expire func()) (again bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if id != idOf(k.value.AccessKeyID, k.value.SessionToken) {
		return true // it has others by now
	}
	if k.from.fixed {
		return false
	}
	if when, ok := k.stale[id]; ok {
		return when == k.fetched // they are being fetched
	}
	k.stale[id] = k.fetched
	k.log.Info("credentials are refused as expired or unknown; fetching new ones", "source", k.from.name)
	k.mu.Unlock()
	expire() // takes the lock of credentials.Credentials, which is held when found is called
	k.mu.Lock()
	return true
}

// where names the source of the credentials in use.
func (k *keyring) where() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fetched == 0 {
		return "nowhere"
	}
	return fmt.Sprintf("credentials from %s", k.from.name)
}
