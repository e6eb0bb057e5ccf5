package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"savepoint/repo/storage"
)

const (
	// firstGrowth is the most memory that is taken for a body of which nothing has
	// come yet, when its length is known from the server alone.
	firstGrowth = 4 << 20
	// askedGrowth is that when the caller has asked for the length.
	askedGrowth = 64 << 20
)

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	a, err := s.look(ctx, "stat", name)
	if err != nil {
		return storage.Info{}, err
	}
	return storage.Info{Name: name, Size: a.size, Time: stamp(a.modified)}, nil
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, name string, off, n int64, dst []byte) ([]byte, error) {
	if err := checkRead(ctx, name); err != nil {
		return dst, &storage.OpError{Op: "get", Name: name, Err: err}
	}
	if off < 0 || n == 0 || n > math.MaxInt64-off {
		return dst, s.getNothing(ctx, name, off, n)
	}
	g := getting{s: s, name: name, off: off, n: n, out: dst, start: len(dst)}
	err := s.do(ctx, call{op: "get", name: name, repeat: true, moved: g.done}, g.attempt)
	switch {
	case err == nil:
		return g.out, nil
	case errors.Is(err, errUnsatisfiable):
		return dst, s.getNothing(ctx, name, off, n)
	}
	return dst, err
}

// getNothing says what becomes of a range that holds no byte.
func (s *Store) getNothing(ctx context.Context, name string, off, n int64) error {
	a, err := s.look(ctx, "get", name)
	if err != nil {
		return err
	}
	if off >= 0 && off <= a.size && (n == 0 || n < 0 && off == a.size) {
		return nil
	}
	return &storage.OpError{Op: "get", Name: name, Err: beyond(n, off, a.size)}
}

func beyond(n, off, size int64) error {
	if n < 0 {
		return fmt.Errorf("all from %d of %d bytes: %w", off, size, storage.ErrRange)
	}
	return fmt.Errorf("%d bytes at %d of %d: %w", n, off, size, storage.ErrRange)
}

// errUnsatisfiable is the answer to a range that begins at the object's end or
// behind it.
var errUnsatisfiable = errors.New("the range lies beyond the object")

// look asks for the first byte of an object, to learn of all of it. A HEAD would do
// with a right answer; one that is refused has no document that says why.
func (s *Store) look(ctx context.Context, op, name string) (answer, error) {
	if err := checkRead(ctx, name); err != nil {
		return answer{}, &storage.OpError{Op: op, Name: name, Err: err}
	}
	var a answer
	err := s.do(ctx, call{op: op, name: name, repeat: true}, func(ctx context.Context, core *minio.Core) error {
		body, got, err := s.open(ctx, core, name, 0, 1, "")
		if errors.Is(err, errUnsatisfiable) {
			return &decided{err: storage.ErrNotExist} // it is empty
		}
		if err != nil {
			return err
		}
		defer body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(body, 2)); err != nil { // so that the connection can be used again
			return &brokenError{err}
		}
		a = got
		return nil
	})
	return a, err
}

// answer is the head of what a server sends of an object.
type answer struct {
	size     int64 // of the object
	modified time.Time
	etag     string
}

// open asks for n bytes at off, or for all from off on, of an object that has the
// etag, if one is given. The caller closes the body. A range that goes beyond the
// object's end is cut off there by the server.
func (s *Store) open(ctx context.Context, core *minio.Core, name string, off, n int64, etag string) (io.ReadCloser, answer, error) {
	var o minio.GetObjectOptions
	last := ""
	if n >= 0 {
		last = strconv.FormatInt(off+n-1, 10)
	}
	o.Set("Range", "bytes="+strconv.FormatInt(off, 10)+"-"+last)
	if etag != "" {
		o.Set("If-Match", `"`+etag+`"`)
	}
	body, info, header, err := core.GetObject(ctx, s.config.Bucket, s.key(name), o)
	if err != nil {
		e, ok := errors.AsType[minio.ErrorResponse](err)
		switch {
		case ok && (e.StatusCode == http.StatusRequestedRangeNotSatisfiable || e.Code == minio.InvalidRange):
			err = &decided{err: errUnsatisfiable}
		case ok && e.StatusCode == http.StatusPreconditionFailed && etag != "":
			err = &decided{err: errors.New("the object was replaced while it was read"), temporary: true}
		}
		return nil, answer{}, err
	}
	a := answer{modified: info.LastModified, etag: info.ETag}
	if a.size, err = checkRange(header, off, n, info.Size); err != nil {
		body.Close()
		return nil, answer{}, err
	}
	return body, a, nil
}

// checkRange compares the head of an answer with the range that was asked for and
// returns the size of the object.
func checkRange(h http.Header, off, n, length int64) (size int64, err error) {
	said := h.Get("Content-Range")
	switch {
	case said != "":
	case length == 0:
		return 0, &decided{err: errUnsatisfiable} // it is empty
	case off != 0 || length < 0 || n >= 0 && n < length:
		return 0, &decided{err: errors.New("the server does not heed ranges")}
	default: // the whole object, which is what was asked for, or less
		return length, nil
	}
	wrong := func() (int64, error) {
		err := fmt.Errorf("the server answers with the range %q and %d bytes when asked for %d bytes at %d", plain(said), length, n, off)
		return 0, &decided{err: err, temporary: true}
	}
	unit, rest, _ := strings.Cut(said, " ")
	span, total, _ := strings.Cut(rest, "/")
	from, to, _ := strings.Cut(span, "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	size, err3 := strconv.ParseInt(total, 10, 64)
	if unit != "bytes" || err1 != nil || err2 != nil || err3 != nil || first != off || last < first || last >= size || length >= 0 && length != last-first+1 {
		return wrong()
	}
	if end := size - 1; n >= 0 && n <= size-off && last != off+n-1 || (n < 0 || n > size-off) && last != end {
		return wrong()
	}
	return size, nil
}

// getting is one call of Get.
type getting struct {
	s      *Store
	name   string
	off, n int64 // as asked: n may be negative

	out   []byte // what the caller had, and what has come
	start int    // the length of the former
	want  int64  // how many bytes are to come in all, once that is known
	etag  string // of the object that they are from
}

func (g *getting) done() int64 { return int64(len(g.out) - g.start) }

// attempt goes on from the byte that was reached.
func (g *getting) attempt(ctx context.Context, core *minio.Core) error {
	done := g.done()
	if done == 0 {
		g.want, g.etag = g.n, ""
	} else if g.etag == "" {
		return &decided{err: errors.New("the answer broke off, and the server gives no ETag by which to go on"), temporary: true}
	}
	rest := g.want
	if rest >= 0 {
		rest -= done
	}
	body, a, err := g.s.open(ctx, core, g.name, g.off+done, rest, g.etag)
	if err != nil {
		return err
	}
	defer body.Close()
	switch {
	case g.want < 0:
		g.want = a.size - g.off
	case g.want > a.size-g.off:
		return &decided{err: beyond(g.n, g.off, a.size)}
	}
	if g.want > math.MaxInt-int64(g.start) {
		return &decided{err: fmt.Errorf("%d bytes do not fit in memory", g.want)}
	}
	g.etag = a.etag
	return g.read(body)
}

// read appends the body. Memory grows with the bytes that come.
func (g *getting) read(body io.Reader) error {
	ahead := int64(firstGrowth)
	if g.n > 0 {
		ahead = askedGrowth
	}
	for g.done() < g.want {
		free, room := int64(cap(g.out)-len(g.out)), min(g.want-g.done(), max(ahead, g.done()))
		if free == 0 || g.done() == 0 && free < room {
			g.out = slices.Grow(g.out, int(room))
			free = int64(cap(g.out) - len(g.out))
		}
		n, err := body.Read(g.out[len(g.out):][:min(free, g.want-g.done())])
		g.out = g.out[:len(g.out)+n]
		if err != nil && g.done() < g.want {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return &brokenError{err}
		}
	}
	if n, _ := io.ReadFull(body, make([]byte, 1)); n > 0 {
		return &decided{err: errors.New("the server sends more bytes than it announced"), temporary: true}
	}
	return nil
}
