package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/minio/minio-go/v7"

	"savepoint/repo/storage"
)

// Answer is what Probe found out about one ability.
type Answer int

// Answer's values.
const (
	Unknown Answer = iota
	Yes
	No
)

// String returns "unknown", "yes" or "no".
func (a Answer) String() string {
	switch a {
	case Yes:
		return "yes"
	case No:
		return "no"
	}
	return "unknown"
}

// Finding is an answer and, when it is not plain, the reason.
type Finding struct {
	Answer Answer
	Why    string
}

// Findings are what Probe found out.
type Findings struct {
	ConditionalCreate Finding // of several creations of one name exactly one succeeds
	Ranges            Finding // a part of an object can be read
	Listing           Finding // what was put is listed at once, and what was deleted is not
	FineTimes         Finding // listings have times finer than whole seconds (they are not used)
	Versioning        Finding // the bucket keeps the versions of its objects
	ObjectLock        Finding // the bucket can retain objects
	Delete            Finding // these credentials may delete objects

	// ClockOffset is the storage's clock less this host's, known to within
	// ClockError on either side. Both are zero when nothing could be put.
	ClockOffset, ClockError time.Duration
	// Left names the objects that could not be removed again.
	Left []string
}

// probeSize is that of the first object of a probe.
const probeSize = 1000

// Probe puts a few small objects under names that no repository uses, to find out
// what the storage does, and removes them as far as it may. A request that fails for a
// moment is made again for some seconds, since it says nothing of what the storage can. The error is that of
// what must work (putting, reading and listing); whatever else fails is a finding.
func (s *Store) Probe(ctx context.Context) (Findings, error) {
	p := prober{s: s, dir: "probe/" + rand.Text()}
	err := p.run(ctx)
	p.clean(context.WithoutCancel(ctx))
	return p.f, err
}

type prober struct {
	s     *Store
	dir   string
	names []string
	f     Findings
}

func (p *prober) run(ctx context.Context) error {
	name := p.name("object")
	data := bytes.Repeat([]byte("0123456789"), probeSize/10)
	var before, after time.Time
	err := patiently(ctx, func() error {
		before = p.s.now()
		err := p.s.Put(ctx, name, bytes.NewReader(data), probeSize, storage.PutOptions{})
		after = p.s.now()
		return err
	})
	if err != nil {
		return err
	}
	var info storage.Info
	err = patiently(ctx, func() (err error) {
		info, err = p.s.Stat(ctx, name)
		return err
	})
	if err != nil {
		return err
	}
	p.clock(info.Time, before, after)
	if err := p.ranges(ctx, name, data); err != nil {
		return err
	}
	if err := p.conditional(ctx); err != nil {
		return err
	}
	if err := p.listing(ctx, name); err != nil {
		return err
	}
	p.f.Versioning = p.versioning(ctx)
	p.f.ObjectLock = p.objectLock(ctx)
	p.f.Delete = p.deletion(ctx, name)
	return ctx.Err()
}

// name returns a name to probe with, which is removed at the end.
func (p *prober) name(last string) string {
	name := p.dir + "/" + last
	p.names = append(p.names, name)
	return name
}

// clock compares clocks: the object's time, whole seconds, is somewhere between the
// two times of this host.
func (p *prober) clock(stored, before, after time.Time) {
	least, most := stored.Sub(after), stored.Add(time.Second).Sub(before)
	p.f.ClockOffset, p.f.ClockError = (least+most)/2, (most-least)/2
}

func (p *prober) ranges(ctx context.Context, name string, data []byte) error {
	var got []byte
	read := func(off, n int64) error {
		return patiently(ctx, func() (err error) {
			got, err = p.s.Get(ctx, name, off, n, nil)
			return err
		})
	}
	if err := read(0, -1); err != nil {
		return err
	}
	if !bytes.Equal(got, data) {
		return &storage.OpError{Op: "get", Name: name, Err: errors.New("the storage gives back other bytes than it was given")}
	}
	err := read(123, 45)
	switch {
	case passes(err):
		return err // says nothing of ranges
	case err != nil:
		p.f.Ranges = Finding{No, err.Error()}
	case !bytes.Equal(got, data[123:168]):
		p.f.Ranges = Finding{No, "the storage gives the wrong part"}
	default:
		p.f.Ranges = Finding{Answer: Yes}
	}
	return ctx.Err()
}

// listing looks whether what was put is listed.
func (p *prober) listing(ctx context.Context, name string) error {
	found := false
	err := patiently(ctx, func() error {
		for info, err := range p.s.List(ctx, p.dir+"/", "") {
			if err != nil {
				return err
			}
			found = found || info.Name == name && info.Size == probeSize
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.f.Listing = Finding{Answer: Yes}
	if !found {
		p.f.Listing = Finding{No, "an object that was put is not listed"}
	}
	return patiently(ctx, func() error { return p.s.do(ctx, call{op: "list", name: p.dir, repeat: true}, p.fineTimes) })
}

// fineTimes looks whether listings have them.
func (p *prober) fineTimes(ctx context.Context, core *minio.Core) error {
	p.f.FineTimes = Finding{Answer: No}
	for o := range core.ListObjectsIter(ctx, p.s.config.Bucket, p.s.listing(p.dir+"/", "", pageSize)) {
		if o.Err != nil {
			return o.Err
		}
		if o.LastModified.Nanosecond() != 0 {
			p.f.FineTimes = Finding{Answer: Yes}
		}
	}
	return ctx.Err()
}

// versioning asks for the bucket's state.
func (p *prober) versioning(ctx context.Context) Finding {
	var state minio.BucketVersioningConfiguration
	err := p.ask(ctx, func(ctx context.Context, core *minio.Core) (err error) {
		state, err = core.GetBucketVersioning(ctx, p.s.config.Bucket)
		return err
	})
	switch {
	case errors.Is(err, storage.ErrUnsupported):
		return Finding{No, err.Error()}
	case err != nil:
		return Finding{Unknown, err.Error()}
	case state.Enabled():
		return Finding{Answer: Yes}
	case state.Suspended():
		return Finding{No, "suspended: versions from before are kept"}
	}
	return Finding{Answer: No}
}

func (p *prober) objectLock(ctx context.Context) Finding {
	state := ""
	err := p.ask(ctx, func(ctx context.Context, core *minio.Core) (err error) {
		state, _, _, _, err = core.GetObjectLockConfig(ctx, p.s.config.Bucket)
		if e, ok := errors.AsType[minio.ErrorResponse](err); ok && lacksLock(e) {
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return Finding{Unknown, err.Error()}
	case state == "Enabled":
		return Finding{Answer: Yes}
	}
	return Finding{Answer: No}
}

// ask makes a request whose failure is a finding.
func (p *prober) ask(ctx context.Context, f func(context.Context, *minio.Core) error) error {
	err := patiently(ctx, func() error { return p.s.do(ctx, call{op: "probe", name: p.s.config.Bucket, repeat: true}, f) })
	if e, ok := errors.AsType[*storage.OpError](err); ok {
		return e.Err
	}
	return err
}

// deletion deletes an object and looks whether it is gone, from listings too.
func (p *prober) deletion(ctx context.Context, name string) Finding {
	err := patiently(ctx, func() error { return p.s.Delete(ctx, name) })
	switch {
	case errors.Is(err, storage.ErrDenied):
		return Finding{No, "these credentials may not"}
	case err != nil:
		return Finding{Unknown, err.Error()}
	}
	err = patiently(ctx, func() error { _, err := p.s.Stat(ctx, name); return err })
	switch {
	case err == nil:
		return Finding{No, "a deleted object is still there"}
	case !errors.Is(err, storage.ErrNotExist):
		return Finding{Unknown, err.Error()}
	}
	for info, err := range p.s.List(ctx, p.dir+"/", "") {
		if err == nil && info.Name == name {
			p.f.Listing = Finding{No, "an object that was deleted is still listed"}
		}
	}
	return Finding{Answer: Yes}
}

// cleanTimeout bounds the removal of what was put for the probe.
const cleanTimeout = 30 * time.Second

// clean removes the objects, with their versions where that is allowed.
func (p *prober) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	for _, name := range p.names {
		if err := patiently(ctx, func() error { return p.s.Delete(ctx, name) }); err != nil {
			p.f.Left = append(p.f.Left, name)
		}
	}
	if p.f.Versioning.Answer == Yes && len(p.f.Left) == 0 {
		if err := p.cleanVersions(ctx); err != nil {
			p.f.Left = append(p.f.Left, "old versions in "+p.dir)
		}
	}
}

func (p *prober) cleanVersions(ctx context.Context) error {
	return p.ask(ctx, func(ctx context.Context, core *minio.Core) error {
		o := minio.ListObjectsOptions{Prefix: p.s.key(p.dir + "/"), Recursive: true, WithVersions: true}
		for v := range core.ListObjectsIter(ctx, p.s.config.Bucket, o) {
			if v.Err != nil {
				return v.Err
			}
			if err := core.RemoveObject(ctx, p.s.config.Bucket, v.Key, minio.RemoveObjectOptions{VersionID: v.VersionID}); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}
