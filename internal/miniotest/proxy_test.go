package miniotest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"savepoint/internal/miniotest"
)

// door is a proxy before a server, with one object behind it.
type door struct {
	*miniotest.Proxy
	core   minio.Core // through the proxy, without any retry
	direct *minio.Client
	bucket string
	data   []byte
}

func openDoor(t testing.TB, opts ...miniotest.Option) *door {
	t.Helper()
	s := miniotest.MinIO(t, opts...)
	p := s.Proxy(t)
	d := &door{Proxy: p, core: minio.Core{Client: p.Client(t)}, direct: s.Client(t), bucket: s.Bucket(t)}
	d.data = bytes.Repeat([]byte("0123456789abcdef"), 64<<10/16)
	put(t, d.direct, d.bucket, "object", d.data)
	return d
}

// read gets bytes [from, to] of the object through the proxy.
func (d *door) read(ctx context.Context, from, to int64) ([]byte, http.Header, error) {
	var o minio.GetObjectOptions
	if err := o.SetRange(from, to); err != nil {
		return nil, nil, err
	}
	body, _, header, err := d.core.GetObject(ctx, d.bucket, "object", o)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	return data, header, err
}

func TestProxyPasses(t *testing.T) {
	for name, opts := range map[string][]miniotest.Option{"plain": nil, "tls": {miniotest.TLS()}} {
		t.Run(name, func(t *testing.T) {
			d := openDoor(t, opts...)
			put(t, d.core.Client, d.bucket, "a name/with ü+%", d.data)
			if got, err := get(t, d.direct, d.bucket, "a name/with ü+%"); err != nil || !bytes.Equal(got, d.data) {
				t.Errorf("put through the proxy: %d bytes, %v", len(got), err)
			}
			got, header, err := d.read(t.Context(), 10, 19)
			if err != nil || string(got) != string(d.data[10:20]) || header.Get("Content-Range") != "bytes 10-19/65536" {
				t.Errorf("get of a range: %q, %v, %v", got, header, err)
			}
			if _, err := d.core.StatObject(t.Context(), d.bucket, "none", minio.StatObjectOptions{}); minio.ToErrorResponse(err).StatusCode != 404 {
				t.Errorf("stat of nothing: %v", err)
			}
			want := []string{"PUT /" + d.bucket + "/a name/with ü+%", "GET /" + d.bucket + "/object", "HEAD /" + d.bucket + "/none"}
			if got := d.Requests(); !slices.Equal(got, want) {
				t.Errorf("requests are %q, want %q", got, want)
			}
		})
	}
}

func TestFaultsOfAnswers(t *testing.T) {
	d := openDoor(t)
	size := len(d.data)
	reset := func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
	early := func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }
	none := func(err error) bool { return err == nil }
	for _, tt := range []struct {
		name string
		do   miniotest.Action
		want []byte
		err  func(error) bool
	}{
		{"cut", miniotest.CutBody(1000), d.data[:1000], reset},
		{"cut at once", miniotest.CutBody(0), nil, reset},
		{"short", miniotest.ShortBody(1000), d.data[:1000], early},
		{"short at once", miniotest.ShortBody(0), nil, early},
		{"too short", miniotest.WrongLength(-10), d.data[:size-10], none},
		{"too long", miniotest.WrongLength(3), append(bytes.Clone(d.data), "xxx"...), none},
		{"corrupt", miniotest.Corrupt(5), append([]byte("012344"), d.data[6:]...), none},
		{"delayed", miniotest.Delay(time.Millisecond), d.data, none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hits := 0
			d.Inject(miniotest.Fault{Match: miniotest.On("GET", "/object$"), Times: 1, Do: tt.do, Hit: func(*http.Request) { hits++ }})
			got, _, err := d.read(t.Context(), 0, int64(size-1))
			if !tt.err(err) || !bytes.Equal(got, tt.want) {
				t.Errorf("got %d bytes, want %d; error %v", len(got), len(tt.want), err)
			}
			if got, _, err := d.read(t.Context(), 0, int64(size-1)); err != nil || !bytes.Equal(got, d.data) || hits != 1 {
				t.Errorf("afterwards: %d bytes, %v, %d hits", len(got), err, hits)
			}
		})
	}
}

func TestFaultsOfRanges(t *testing.T) {
	d := openDoor(t)
	d.Inject(miniotest.Fault{Times: 1, Do: miniotest.WrongRange(100)})
	got, header, err := d.read(t.Context(), 10, 19)
	if err != nil || string(got) != string(d.data[10:20]) || header.Get("Content-Range") != "bytes 110-119/65536" {
		t.Errorf("wrong range: %q, %v, %v", got, header, err)
	}
}

func TestStatus(t *testing.T) {
	d := openDoor(t)
	for code, status := range map[string]int{"SlowDown": 503, "InternalError": 500, "TooManyRequests": 429, "ExpiredToken": 403} {
		d.Inject(miniotest.Fault{Match: miniotest.On("PUT", ""), Times: 1, Do: miniotest.Status(status, code)})
		_, err := d.core.Client.PutObject(t.Context(), d.bucket, "new", bytes.NewReader(d.data), int64(len(d.data)), minio.PutObjectOptions{})
		if e := minio.ToErrorResponse(err); e.StatusCode != status || e.Code != code {
			t.Errorf("%s: %d %s (%v)", code, e.StatusCode, e.Code, err)
		}
		if _, err := d.direct.StatObject(t.Context(), d.bucket, "new", minio.StatObjectOptions{}); err == nil {
			t.Errorf("%s: the server has carried out the request", code)
		}
	}
}

// TestLostRequests tells what the server has done of a put that got no answer.
func TestLostRequests(t *testing.T) {
	d := openDoor(t)
	for _, tt := range []struct {
		name  string
		do    miniotest.Action
		hangs bool
		done  bool
	}{
		{"refuse", miniotest.Refuse(), false, false},
		{"lost answer", miniotest.LostAnswer(), false, true},
		{"hang", miniotest.Hang(), true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d.Inject(miniotest.Fault{Match: miniotest.On("PUT", ""), Times: 1, Do: tt.do})
			name := strings.ReplaceAll(tt.name, " ", "-")
			result := make(chan error, 1)
			go func() {
				_, err := d.core.Client.PutObject(ctx, d.bucket, name, bytes.NewReader(d.data), int64(len(d.data)), minio.PutObjectOptions{})
				result <- err
			}()
			if tt.hangs {
				select {
				case err := <-result:
					t.Fatalf("it does not hang: %v", err)
				case <-time.After(200 * time.Millisecond):
					cancel()
				}
			}
			if err := <-result; err == nil || tt.hangs != errors.Is(err, context.Canceled) {
				t.Errorf("put: %v", err)
			}
			_, err := d.direct.StatObject(t.Context(), d.bucket, name, minio.StatObjectOptions{})
			if (err == nil) != tt.done {
				t.Errorf("the server has it: %v, want %v", err == nil, tt.done)
			}
		})
	}
	if n := len(d.Requests()); n != 3 {
		t.Errorf("%d requests for 3 puts", n)
	}
}

func TestStallBody(t *testing.T) {
	d := openDoor(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	d.Inject(miniotest.Fault{Do: miniotest.StallBody(500)})
	got, _, err := d.read(ctx, 0, 999)
	if string(got) != string(d.data[:500]) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestSkipAndTimes(t *testing.T) {
	d := openDoor(t)
	d.Inject(miniotest.Fault{Match: miniotest.OnList, Skip: 1, Times: 2, Do: miniotest.Status(503, "SlowDown")})
	var codes []string
	for range 5 {
		_, err := d.core.ListObjectsV2(d.bucket, "", "", "", "", 10)
		codes = append(codes, minio.ToErrorResponse(err).Code)
	}
	if want := []string{"", "SlowDown", "SlowDown", "", ""}; !slices.Equal(codes, want) {
		t.Errorf("codes are %q, want %q", codes, want)
	}
	d.Inject(miniotest.Fault{Do: miniotest.Status(500, "InternalError")})
	for range 3 {
		if _, _, err := d.read(t.Context(), 0, 9); minio.ToErrorResponse(err).StatusCode != 500 {
			t.Errorf("a fault without an end: %v", err)
		}
	}
	d.Heal()
	if _, _, err := d.read(t.Context(), 0, 9); err != nil {
		t.Errorf("healed: %v", err)
	}
}

// TestCutIsExact reads what was sent before a reset only after the reset: all of it must be there.
func TestCutIsExact(t *testing.T) {
	d := openDoor(t)
	const cut = 6 << 20
	big := bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
	put(t, d.direct, d.bucket, "big", big)
	d.Inject(miniotest.Fault{Do: miniotest.CutBody(cut)})
	body, _, _, err := d.core.GetObject(t.Context(), d.bucket, "big", minio.GetObjectOptions{})
	must(t, err)
	defer body.Close()
	got := bytes.NewBuffer(nil)
	if _, err := io.Copy(got, body); !errors.Is(err, syscall.ECONNRESET) || !bytes.Equal(got.Bytes(), big[:cut]) {
		t.Errorf("got %d bytes, want %d; %v", got.Len(), cut, err)
	}
}

// TestProxyEnds ends tests in which a request hangs: their cleanup must not wait for it.
func TestProxyEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		do   miniotest.Action
		call func(*door) error
	}{
		"hang": {miniotest.Hang(), func(d *door) error {
			return second(d.core.StatObject(context.Background(), d.bucket, "object", minio.StatObjectOptions{}))
		}},
		"stall": {miniotest.StallBody(1), func(d *door) error { _, _, err := d.read(context.Background(), 0, 9); return err }},
		"delay": {miniotest.Delay(time.Hour), func(d *door) error {
			body := bytes.NewReader(d.data)
			return second(d.core.Client.PutObject(context.Background(), d.bucket, "new", body, body.Size(), minio.PutObjectOptions{}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var result chan error // nil until the request is made
			t.Cleanup(func() {    // after the cleanup of the proxy
				if result != nil && <-result == nil {
					t.Error("a request that hung has succeeded")
				}
			})
			d := openDoor(t)
			hit := make(chan struct{})
			d.Inject(miniotest.Fault{Times: 1, Do: tt.do, Hit: func(*http.Request) { close(hit) }})
			result = make(chan error, 1)
			go func() { result <- tt.call(d) }()
			<-hit
		})
	}
}

func TestServerDownBehindProxy(t *testing.T) {
	d := openDoor(t)
	d.Server.Stop(t)
	var netErr net.Error
	if _, _, err := d.read(t.Context(), 0, 9); err == nil || (!errors.As(err, &netErr) && !errors.Is(err, io.EOF)) {
		t.Errorf("a server that is down: %v", err)
	}
	d.Server.Start(t)
	if _, _, err := d.read(t.Context(), 0, 9); err != nil {
		t.Errorf("a server that is up again: %v", err)
	}
}
