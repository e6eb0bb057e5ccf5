package miniotest

import (
	"bytes"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Fault is something that goes wrong with requests.
type Fault struct {
	Match func(*http.Request) bool // which; nil is all. It must not read the body
	Skip  int                      // so many that match go well first
	Times int                      // so many are hit; 0 is all
	Do    Action                   // what happens
	Hit   func(*http.Request)      // called when a request is hit, before anything happens to it; may be nil
}

// Action is what happens to a request in place of the server's answer.
type Action func(*exchange)

// On matches the requests of a method whose path holds the regular expression. An empty method is any.
func On(method, path string) func(*http.Request) bool {
	re := regexp.MustCompile(path)
	return func(r *http.Request) bool { return (method == "" || r.Method == method) && re.MatchString(r.URL.Path) }
}

// OnList matches the requests that list a bucket.
func OnList(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Has("list-type")
}

// Status answers with a status and S3's error document of that code, and the server never sees the request. Such are
// 503 SlowDown, 500 InternalError, 429 TooManyRequests, 403 ExpiredToken, 403 RequestTimeTooSkewed, 400 RequestTimeout,
// 409 ConditionalRequestConflict and 501 NotImplemented.
func Status(status int, code string) Action {
	return func(x *exchange) {
		_, _ = io.Copy(io.Discard, x.r.Body) // a client that is still sending would see a reset
		x.w.Header().Set("Content-Type", "application/xml")
		x.w.Header().Set("X-Amz-Request-Id", "injected")
		body, err := xml.Marshal(errorDocument{Code: code, Message: "injected: " + code, Resource: x.r.URL.Path, RequestID: "injected"})
		if err != nil {
			x.reset()
			return
		}
		body = append([]byte(xml.Header), body...)
		x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		x.w.WriteHeader(status)
		if x.r.Method != http.MethodHead {
			_, _ = x.w.Write(body) // the client may have gone
		}
	}
}

// errorDocument is the body of S3's errors.
type errorDocument struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string
	RequestID string `xml:"RequestId"`
}

// CutBody resets the connection after n bytes of the answer's body.
func CutBody(n int64) Action {
	return func(x *exchange) { x.part(n, x.reset) }
}

// ShortBody closes the connection in good order after n bytes of the body whose full length the header has promised.
func ShortBody(n int64) Action {
	return func(x *exchange) { x.part(n, x.close) }
}

// StallBody sends n bytes of the body and then nothing, with the connection open, until the client gives up or the test
// ends.
func StallBody(n int64) Action {
	return func(x *exchange) { x.part(n, func() { x.hang(); x.reset() }) }
}

// LostAnswer has the server carry the request out and resets the connection in place of its answer.
//
// A client on net/http repeats by itself a GET or HEAD whose connection, used before, breaks without an answer: it
// takes two hits for it to notice. It does not repeat a PUT or DELETE.
func LostAnswer() Action {
	return func(x *exchange) {
		x.discard()
		x.reset()
	}
}

// Refuse resets the connection, and the server never sees the request. What LostAnswer says of GET holds here too.
func Refuse() Action { return (*exchange).reset }

// Hang takes the request and never answers it, until the client gives up or the test ends. The server never sees it.
func Hang() Action {
	return func(x *exchange) {
		_, _ = io.Copy(io.Discard, x.r.Body) // only then is a client that goes away noticed
		x.hang()
		x.reset()
	}
}

// Delay waits before it passes the request on. A client that gives up meanwhile has it not carried out.
func Delay(d time.Duration) Action {
	return func(x *exchange) {
		select {
		case <-time.After(d):
			pass(x)
		case <-x.p.ended:
			x.reset() // to return would be to answer 200
		case <-x.r.Context().Done():
			x.reset()
		}
	}
}

// WrongLength answers with a body that is delta bytes longer than the server's, or shorter, and a Content-Length that
// fits it: nothing below S3 can notice. Content-Range remains the server's.
func WrongLength(delta int) Action {
	return edit(func(resp *http.Response, body []byte) []byte {
		if delta < 0 {
			return body[:max(0, len(body)+delta)]
		}
		return append(body, bytes.Repeat([]byte{'x'}, delta)...)
	})
}

// WrongRange answers with the server's bytes and a Content-Range that is moved by delta.
func WrongRange(delta int64) Action {
	numbers := regexp.MustCompile(`^bytes (\d+)-(\d+)/(.*)$`)
	return edit(func(resp *http.Response, body []byte) []byte {
		if m := numbers.FindStringSubmatch(resp.Header.Get("Content-Range")); m != nil {
			from, _ := strconv.ParseInt(m[1], 10, 64) // digits, by the expression
			to, _ := strconv.ParseInt(m[2], 10, 64)
			resp.Header.Set("Content-Range", "bytes "+strconv.FormatInt(from+delta, 10)+"-"+strconv.FormatInt(to+delta, 10)+"/"+m[3])
		}
		return body
	})
}

// Corrupt flips one bit of the byte at offset of the answer's body, or of the last one when the body is shorter.
func Corrupt(offset int) Action {
	return edit(func(_ *http.Response, body []byte) []byte {
		if len(body) > 0 {
			body[min(offset, len(body)-1)] ^= 1
		}
		return body
	})
}

// discard has the server carry the request out, to the end of its answer.
func (x *exchange) discard() {
	resp, err := x.forward()
	if err != nil {
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // nobody will see it
}

// part sends the head of the server's answer and n bytes of its body, and then does the rest. An answer that has no
// more than n bytes is passed on whole, and what follows comes after it.
func (x *exchange) part(n int64, then func()) {
	resp, err := x.forward()
	if err != nil {
		x.reset()
		return
	}
	defer resp.Body.Close()
	x.head(resp)
	_, err = io.CopyN(x.w, resp.Body, n)
	if err == nil || err == io.EOF {
		err = http.NewResponseController(x.w).Flush()
	}
	if err != nil {
		x.reset()
		return
	}
	then()
}

// edit returns an action that answers what the server does with another body. The whole body is in memory for it.
func edit(change func(resp *http.Response, body []byte) []byte) Action {
	return func(x *exchange) {
		resp, err := x.forward()
		if err != nil {
			x.reset()
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			x.reset()
			return
		}
		if x.r.Method != http.MethodHead {
			body = change(resp, body)
			resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
		}
		x.head(resp)
		_, _ = x.w.Write(body) // the client may have gone
	}
}

// awaitSent waits until the client's kernel has all that was written, for a reset throws away what it has not.
func awaitSent(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 5000 {
		var left int
		err := raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
		if err != nil || left == 0 {
			return
		}
		<-tick.C
	}
}
