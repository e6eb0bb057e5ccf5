package s3

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/minio/minio-go/v7"

	"savepoint/repo/storage"
)

// What a request can end with that storage has no error for.
var (
	// ErrCredentials says that no credentials could be had, so that no request was made.
	ErrCredentials = errors.New("no credentials")
	// ErrKey says that the server does not take the credentials themselves, whatever
	// their owner may do: the key is unknown or over, or its secret is wrong.
	ErrKey = errors.New("the key is refused")
	// ErrTLS says that the address and the server do not agree on TLS: one has it and
	// the other does not, or the server's certificate is not trusted.
	ErrTLS = errors.New("no TLS with this server")
	// ErrSkewed says that the server refuses requests because its clock and this
	// host's are too far apart. The text names both.
	ErrSkewed = errors.New("the clocks are too far apart")
	// ErrBucketGone says that the bucket, which was there when the store was opened,
	// does not exist any more.
	ErrBucketGone = errors.New("it was there when it was opened, and does not exist any more")
)

// verdict is what an error means.
type verdict struct {
	err       error // nil: success
	temporary bool
	silent    bool // no answer came, or not all of it
	answered  bool // the endpoint is alive
}

// decided is an error whose meaning is known where it arises.
type decided struct {
	err       error
	temporary bool
}

func (e *decided) Error() string { return e.err.Error() }
func (e *decided) Unwrap() error { return e.err }

// bodyError is a failure to read what is to be put.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }

// brokenError is an answer that ended in its middle.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return "the answer broke off: " + e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// explained puts words in place of those of an error and keeps its chain.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

// marked lets an error be one more, with the same text.
func marked(err, sentinel error) error {
	return &explained{err.Error(), errors.Join(sentinel, err)}
}

// judge says what an error of minio-go, or one of the types above, means.
func (s *Store) judge(ctx context.Context, c call, x *exchange, err error) verdict {
	if err == nil {
		return verdict{}
	}
	if e, ok := errors.AsType[*decided](err); ok {
		return verdict{err: e.err, temporary: e.temporary, answered: true}
	}
	if e, ok := errors.AsType[*bodyError](err); ok {
		return verdict{err: e.err}
	}
	if e, ok := errors.AsType[minio.ErrorResponse](err); ok {
		v := s.judgeAnswer(c, x, e)
		v.answered = e.StatusCode != 0
		return v
	}
	if err := ctx.Err(); err != nil {
		return verdict{err: err}
	}
	if e, ok := errors.AsType[*credentialError](err); ok {
		return verdict{err: e, temporary: e.temporary}
	}
	return judgeConnection(err)
}

// What the codes of S3's errors mean. Those that are in no list follow from the
// status.
var (
	slowCodes = codes("SlowDown", "SlowDownRead", "SlowDownWrite", "TooManyRequests", "Throttling", "ThrottlingException",
		"RequestThrottled", "RequestLimitExceeded", "BandwidthLimitExceeded")
	temporaryCodes = codes("InternalError", "RequestTimeout", "ServiceUnavailable", "OperationAborted", "IncompleteBody",
		"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "ConditionalRequestConflict", "ExistingObjectIsDirectory")
	renewableCodes = codes("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "InvalidTokenId", "InvalidAccessKeyId",
		"XAdminUserNotFound") // a Versity gateway's word for an unknown key
	fullCodes   = codes("XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage")
	deniedCodes = codes("AccessDenied", "AccountProblem", "AllAccessDisabled", "NotSignedUp", "InvalidSecurity", "UnauthorizedAccess")
	regionCodes = codes("AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "InvalidRegion", "IllegalLocationConstraintException")
)

func codes(list ...string) func(string) bool {
	set := make(map[string]bool, len(list))
	for _, code := range list {
		set[code] = true
	}
	return func(code string) bool { return set[code] }
}

// judgeAnswer says what an error document means.
func (s *Store) judgeAnswer(c call, x *exchange, e minio.ErrorResponse) verdict {
	text := describe(e)
	with := func(sentinel error) error { return fmt.Errorf("%w: %s", sentinel, text) }
	key, date, _ := x.read()
	switch {
	case e.Code == minio.NoSuchKey && c.reads() && document(e):
		return verdict{err: storage.ErrNotExist}
	case e.Code == minio.NoSuchBucket && document(e):
		cause := ErrBucketGone
		if c.op == "open" {
			cause = storage.ErrNotExist
		}
		return verdict{err: fmt.Errorf("bucket %s: %w", s.config.Bucket, cause)}
	case e.Code == minio.RequestTimeTooSkewed:
		return verdict{err: fmt.Errorf("%w: %s (%s)", ErrSkewed, s.clocks(date), text)}
	case slowCodes(e.Code) || e.StatusCode == http.StatusTooManyRequests:
		return verdict{err: with(storage.ErrSlowDown), temporary: true}
	case renewableCodes(e.Code):
		if s.keys.refuse(key, s.creds.Expire) {
			return verdict{err: fmt.Errorf("%s (%s; fetching new ones)", text, s.keys.where()), temporary: true}
		}
		return verdict{err: marked(fmt.Errorf("%w (%s)", with(storage.ErrDenied), s.keys.where()), ErrKey)}
	case e.Code == minio.SignatureDoesNotMatch:
		return verdict{err: marked(fmt.Errorf("%w (%s)", with(storage.ErrDenied), s.keys.where()), ErrKey)}
	case fullCodes(e.Code) || e.StatusCode == http.StatusInsufficientStorage:
		return verdict{err: marked(errors.New(text), syscall.ENOSPC)} // as a folder says it
	case temporaryCodes(e.Code):
		return verdict{err: errors.New(text), temporary: true}
	case regionCodes(e.Code):
		if e.Region != "" {
			text += "; the bucket's region is " + plain(e.Region) + " (region=" + plain(e.Region) + ")"
		}
		return verdict{err: errors.New(text)}
	case deniedCodes(e.Code) || e.StatusCode == http.StatusForbidden || e.StatusCode == http.StatusUnauthorized:
		return verdict{err: fmt.Errorf("%w (%s)", with(storage.ErrDenied), s.keys.where())}
	case e.StatusCode == http.StatusNotImplemented || e.Code == minio.NotImplemented && e.StatusCode != 0:
		return verdict{err: with(storage.ErrUnsupported)}
	case wantsTLS(e):
		return verdict{err: marked(errors.New(text+" (leave out tls=false)"), ErrTLS)}
	}
	return verdict{err: errors.New(text), temporary: temporaryStatus(e.StatusCode)}
}

// reads reports whether the call asks for one object.
func (c call) reads() bool { return c.op == "get" || c.op == "stat" }

// document reports whether S3's error document came, and not a page of something
// that stands before the server: such a one must not say that an object is missing.
func document(e minio.ErrorResponse) bool { return e.XMLName.Local == "Error" }

func temporaryStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		499, 520, 521, 522, 523, 524: // a proxy's client is gone; Cloudflare's server is away
		return true
	}
	return false
}

// describe is the text of an error document.
func describe(e minio.ErrorResponse) string {
	text := plain(e.Code)
	if message := plain(strings.TrimSpace(e.Message)); message != "" && message != text {
		text += ": " + message
	}
	return text
}

// wantsTLS reports whether a server that speaks TLS was asked without it, as Go's and
// nginx put it.
func wantsTLS(e minio.ErrorResponse) bool {
	return e.StatusCode == http.StatusBadRequest && !document(e) &&
		(strings.Contains(e.Message, "HTTP request to an HTTPS server") || strings.Contains(e.Message, "HTTP request was sent to HTTPS port"))
}

// clocks compares the server's clock with this host's.
func (s *Store) clocks(server time.Time) string {
	here := s.now().UTC().Truncate(time.Second)
	if server.IsZero() {
		return "this host's clock says " + here.Format(time.RFC3339)
	}
	return fmt.Sprintf("the server's clock says %s, this host's %s", server.UTC().Format(time.RFC3339), here.Format(time.RFC3339))
}

// judgeConnection says what an error means that is no answer.
func judgeConnection(err error) verdict {
	cause := err
	var failed *url.Error
	if errors.As(err, &failed) {
		cause = failed.Err
	}
	text := plain(cause.Error())
	if idle, ok := errors.AsType[*idleError](cause); ok {
		text = idle.Error() // whichever layer of the transport it went through
	}
	if hint := connectionHint(cause); hint != "" {
		return verdict{err: marked(&explained{text + " " + hint, cause}, ErrTLS)}
	}
	if strings.HasPrefix(text, "Connection closed by foreign host") {
		text = "the server closed the connection without an answer"
	}
	if failed == nil && !isNetwork(cause) {
		return verdict{err: &explained{text, cause}}
	}
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return verdict{err: errors.New(text), temporary: true, silent: true} // not the caller's context: it must not look so
	}
	return verdict{err: &explained{text, cause}, temporary: true, silent: true}
}

// connectionHint says what to do about an error that repetition does not help.
func connectionHint(err error) string {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case untrusted:
		return "(ca= names a file of authorities to trust)"
	case noTLS || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "(tls=false is for servers without TLS)"
	}
	return ""
}

// isNetwork reports whether an answer was cut off on its way.
func isNetwork(err error) bool {
	if _, ok := errors.AsType[*brokenError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	syntax, ok := errors.AsType[*xml.SyntaxError](err)
	return errors.Is(err, io.ErrUnexpectedEOF) || ok && syntax.Msg == "unexpected EOF"
}

// plain makes text of a server fit for a line of a message.
func plain(text string) string {
	const most = 300
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
