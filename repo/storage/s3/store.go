package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"savepoint/repo/storage"
)

var _ storage.Store = (*Store)(nil)

// Store is safe for concurrent use. It runs no goroutines of its own; those of its
// idle connections end with them, half a minute after the last call.
type Store struct {
	config    Config
	keys      *keyring
	creds     *credentials.Credentials
	transport *http.Transport
	doors     *doors
	now       func() time.Time

	buffers sync.Pool // *[]byte of bodyStep bytes

	sums   atomic.Int32 // a checksumMode
	locked atomic.Bool  // the bucket is known to have object lock
}

// Open opens a store in a bucket that exists; if it does not, the error is
// storage.ErrNotExist. It lists one object, which finds out whether the credentials
// are good and, when the configuration names none, what the region is. Nothing is
// written. It and the store need s3:ListBucket, s3:GetObject and s3:PutObject, and
// s3:DeleteObject for Delete.
func Open(ctx context.Context, c Config) (*Store, error) {
	fail := func(err error) (*Store, error) {
		if _, ok := errors.AsType[*storage.OpError](err); ok {
			return nil, err
		}
		return nil, &storage.OpError{Op: "open", Name: c.String(), Err: err}
	}
	s, err := newStore(c)
	if err != nil {
		return fail(err)
	}
	region, err := s.first(ctx)
	if err != nil && region != "" && c.Region == "" && region != s.config.Region {
		s.Close()
		s.config.Region = region
		if err = s.connect(); err == nil {
			_, err = s.first(ctx)
		}
	}
	if err != nil {
		s.Close()
		return fail(err)
	}
	return s, nil
}

// newStore makes a store without asking the server anything.
func newStore(c Config) (*Store, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Store{config: c.withDefaults(), now: time.Now}
	s.buffers.New = func() any { b := make([]byte, bodyStep); return &b }
	s.keys = newKeyring(s.config)
	s.creds = credentials.New(s.keys)
	return s, s.connect()
}

// connect makes the clients of the endpoints.
func (s *Store) connect() error {
	transport, err := newTransport(s.config)
	if err != nil {
		return err
	}
	var all []*door
	for _, host := range s.config.Endpoints {
		core, err := minio.NewCore(host, &minio.Options{
			Creds:        s.creds,
			Secure:       !s.config.Insecure,
			Transport:    observer{transport},
			Region:       regionAt(s.config, host),
			BucketLookup: map[PathStyle]minio.BucketLookupType{PathOnly: minio.BucketLookupPath, PathDNS: minio.BucketLookupDNS}[s.config.PathStyle],
			MaxRetries:   1,
		})
		if err != nil {
			return fmt.Errorf("endpoint %s: %w", host, err)
		}
		core.SetAppInfo("savepoint", "1")
		all = append(all, &door{host: host, core: core})
	}
	s.transport, s.doors = transport, newDoors(all, s.config.Logger)
	return nil
}

// regionAt returns the region that requests to an endpoint are signed for: what is
// configured, what the host's name says, or what most servers take.
func regionAt(c Config, host string) string {
	return cmp.Or(c.Region, s3utils.GetRegionFromURL(url.URL{Host: host}), "us-east-1")
}

// first makes the first request. On failure it returns the region that the server
// names, if any.
func (s *Store) first(ctx context.Context) (region string, err error) {
	err = s.do(ctx, call{op: "open", name: s.config.String(), repeat: true}, func(ctx context.Context, core *minio.Core) error {
		for o := range core.ListObjectsIter(ctx, s.config.Bucket, s.listing("", "", 1)) {
			if e, ok := errors.AsType[minio.ErrorResponse](o.Err); ok {
				region = e.Region
			}
			return o.Err
		}
		return ctx.Err()
	})
	return region, err
}

// CreateBucket creates the bucket of a configuration. One that is there and belongs
// to the same account is left as it is.
func CreateBucket(ctx context.Context, c Config) error {
	s, err := newStore(c)
	if err != nil {
		return &storage.OpError{Op: "create", Name: c.String(), Err: err}
	}
	defer s.Close()
	return s.do(ctx, call{op: "create", name: c.String(), repeat: true}, func(ctx context.Context, core *minio.Core) error {
		err := core.MakeBucket(ctx, c.Bucket, minio.MakeBucketOptions{Region: c.Region})
		if e, ok := errors.AsType[minio.ErrorResponse](err); ok && e.Code == minio.BucketAlreadyOwnedByYou {
			return nil
		}
		return err
	})
}

// Close closes the connections that are idle. The store can be used on.
func (s *Store) Close() { s.transport.CloseIdleConnections() }

// key returns the key of an object in the bucket.
func (s *Store) key(name string) string {
	if s.config.Prefix == "" {
		return name
	}
	return s.config.Prefix + "/" + name
}

// stamp makes a time of the storage one that HTTP can say, in which Stat and List
// agree.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// checkRead says why a name cannot be read, in the order that the contract wants.
func checkRead(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := storage.CheckName(name); err != nil {
		return errors.Join(err, storage.ErrNotExist)
	}
	return nil
}
