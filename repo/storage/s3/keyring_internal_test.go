package s3

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// TestMetadataIsBounded has a metadata service that takes connections and never
// answers, as a firewall does that drops packets.
func TestMetadataIsBounded(t *testing.T) {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "MINIO_ROOT_USER", "MINIO_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_DISABLED",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	k := newKeyring(Config{}.withDefaults())
	k.sources[len(k.sources)-1].provider.(*credentials.IAM).Endpoint = "http://" + l.Addr().String()
	start := time.Now()
	_, err = k.Retrieve()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the search takes %v", took)
	}
	if err == nil || !strings.Contains(err.Error(), "the machine's role (metadata service): ") {
		t.Errorf("Retrieve = %v, want the service's failure among the reasons", err)
	}
}

// TestKeyringRefuses follows credentials that a server takes for expired.
func TestKeyringRefuses(t *testing.T) {
	value := func(token string) credentials.Value {
		return credentials.Value{AccessKeyID: "a", SecretAccessKey: "s", SessionToken: token}
	}
	k := newKeyring(Config{Keys: Keys{Access: "a", Secret: "s"}}.withDefaults())
	expired := 0
	refuse := func(token string, want bool) {
		t.Helper()
		if got := k.refuse(idOf("a", token), func() { expired++ }); got != want {
			t.Errorf("refuse(%s) = %v, want %v", token, got, want)
		}
	}
	role := source{name: "a role"}
	k.found(role, value("1"))
	refuse("1", true)
	refuse("1", true) // another request that was under way
	if expired != 1 {
		t.Errorf("new ones are asked for %d times, want once", expired)
	}
	k.found(role, value("2"))
	refuse("1", true) // one that was very slow
	refuse("2", true)
	if expired != 2 {
		t.Errorf("new ones are asked for %d times, want twice", expired)
	}
	k.found(role, value("2"))
	refuse("2", false) // the role has no others
	k.found(source{name: "the environment", fixed: true}, value("3"))
	refuse("3", false)
	file := source{name: "a file", file: true}
	k.found(file, value("4"))
	refuse("4", false)
	if expired != 2 {
		t.Errorf("new ones are asked for %d times, want twice", expired)
	}
	ending := value("5") // of a process that the file names
	ending.Expiration = time.Now().Add(time.Hour)
	k.found(file, ending)
	refuse("5", true)
	if expired != 3 {
		t.Errorf("new ones are asked for %d times, want three times", expired)
	}
}
