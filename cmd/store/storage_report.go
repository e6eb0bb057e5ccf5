package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"savepoint/repo/storage"
	"savepoint/repo/storage/s3"
)

// storageDocument is what went to and came from the storage, under --json.
type storageDocument struct {
	Requests requestsDocument `json:"requests"`
	Retries  uint64           `json:"retries"`
	Failed   uint64           `json:"failed"`
	Sent     uint64           `json:"sent_bytes"`
	Received uint64           `json:"received_bytes"`
	P50      float64          `json:"p50_seconds"`
	P99      float64          `json:"p99_seconds"`
	Max      float64          `json:"max_seconds"`
}

type requestsDocument struct {
	Put    uint64 `json:"put"`
	Get    uint64 `json:"get"`
	Stat   uint64 `json:"stat"`
	List   uint64 `json:"list"`
	Delete uint64 `json:"delete"`
}

// storageTotals returns what this run asked of the storage.
func (a *app) storageTotals() storageDocument {
	if a.meter == nil {
		return storageDocument{}
	}
	t := a.meter.Totals()
	seconds := func(d time.Duration) float64 { return d.Round(time.Microsecond).Seconds() }
	return storageDocument{
		Requests: requestsDocument{Put: t.Put, Get: t.Get, Stat: t.Stat, List: t.List, Delete: t.Delete},
		Retries:  t.Retries, Failed: t.Failed, Sent: t.Sent, Received: t.Received,
		P50: seconds(t.P50), P99: seconds(t.P99), Max: seconds(t.Max),
	}
}

// isFull reports whether a storage has no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// storageAdvice says what to do about an error of a bucket, or of a disk that is full; "" when it is of something else.
func (a *app) storageAdvice(err error) string {
	var op *storage.OpError
	if !errors.As(err, &op) {
		return ""
	}
	if isFull(op) {
		return fmt.Sprintf("The repository's disk is full, or its quota used up: make room at %s, and remove nothing of the repository itself by hand. Then run the same command again.",
			printable(a.place.String()))
	}
	if a.place.bucket == nil {
		return ""
	}
	switch {
	case errors.Is(err, s3.ErrCredentials):
		return "No request was made: the credentials could not be had. Put them where the message says, or see to the service that gives them."
	case errors.Is(err, s3.ErrTLS):
		return "See to ca= and tls= in the repository's address: the server's certificate must be for the name in endpoint=, and signed by an " +
			"authority that this host trusts or that stands in the PEM file of ca=/FILE; tls=false is for a server without TLS."
	case errors.Is(err, s3.ErrKey):
		return "The server does not take this key, or its secret is wrong: see to the place that the message says the credentials come from."
	case unresolved(err) != "":
		return fmt.Sprintf("There is no host %s for this host's name servers: see to endpoint= in the repository's address.", printable(unresolved(err)))
	case errors.Is(err, s3.ErrSkewed):
		return "Set the clock that is wrong, best by NTP on both."
	case errors.Is(err, s3.ErrBucketGone):
		return "Ask who runs " + a.endpoints() + " before anything else is done: the bucket was deleted, or the endpoint leads elsewhere now."
	case errors.Is(err, storage.ErrExists):
		return "Names of objects are drawn at random: another program writes under this prefix, or something before " + a.endpoints() + " repeats requests by itself. See which."
	case errors.Is(err, storage.ErrDenied):
		return "These credentials are not allowed " + a.permission(op.Op, op.Name) + misspelt(op.Op) +
			". The message says where they come from; a policy that is enough is in docs/guide/minio.md."
	case op.Temporary:
		return fmt.Sprintf("Check that %s runs and can be reached from this host; --retry-for says how long to wait for it.", a.endpoints())
	case op.Op == "open":
		return "Check the repository's address, and where the credentials come from: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, or the host's role."
	}
	return ""
}

// permission names what an operation on an object needs to be allowed, and on what: of small objects
// that whoever does not back up puts, on those alone.
func (a *app) permission(op, name string) string {
	bucket := "arn:aws:s3:::" + a.place.bucket.Bucket
	objects := bucket + "/*"
	if p := a.place.bucket.Prefix; p != "" {
		objects = bucket + "/" + p + "/*"
	}
	if kind, _, _ := strings.Cut(name, "/"); slices.Contains([]string{"keys", "marks", "reports"}, kind) && (op == "put" || op == "delete") {
		objects = strings.TrimSuffix(objects, "*") + kind + "/*"
	}
	switch op {
	case "put":
		return "s3:PutObject on " + objects
	case "get", "stat":
		return "s3:GetObject on " + objects
	case "delete":
		return "s3:DeleteObject on " + objects
	case "create":
		return "s3:CreateBucket on " + bucket
	}
	if a.place.create && op == "open" {
		return "s3:ListBucket, or if it is missing s3:CreateBucket, on " + bucket
	}
	return "s3:ListBucket on " + bucket
}

// misspelt adds to a permission what else a server may mean that refuses to list or to read: most do not tell strangers what
// there is.
func misspelt(op string) string {
	switch op {
	case "open", "list", "get", "stat":
		return ", or the bucket's name or the prefix is misspelt"
	}
	return ""
}

// endpoints names the servers of the bucket.
func (a *app) endpoints() string {
	if e := a.place.bucket.Endpoints; len(e) > 0 {
		return strings.Join(e, " or ")
	}
	return "the storage"
}
