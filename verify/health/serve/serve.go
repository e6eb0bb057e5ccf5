// Package serve answers requests over HTTP with what health found: /metrics, a page at /, and /healthz.
//
// A loop looks at the repository, once at a time, and keeps what it made of it: requests are answered from that, whatever they cost to make.
// A look that fails, or does not come to its end, leaves the last values, which say that they are old. Memory is that of two statuses, what is
// shown of one as new and as old, and of maxConnections.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"savepoint/verify/health"
)

// What bounds a connection, and how many there are.
const (
	headerTime     = 5 * time.Second
	readTime       = 10 * time.Second
	writeTime      = 30 * time.Second
	idleTime       = 2 * time.Minute // Prometheus keeps its connection from scrape to scrape
	endTime        = 5 * time.Second
	maxHeader      = 16 << 10
	maxConnections = 128
)

// DefaultRefresh is how long after one look the next begins.
const DefaultRefresh = time.Minute

// overdue is how many looks may fail, or take as long, before the server is not well.
const overdue = 3

// patience is the least time that a look may take, and lookTimes how many times Refresh it may if that is more.
const (
	patience  = 10 * time.Minute
	lookTimes = 10
)

// Options of New. Look, Metrics and Page must be set.
type Options struct {
	// Look looks at the repository. It is called by one goroutine, and ends when its context does.
	Look func(context.Context) (*health.Status, error)
	// Metrics makes the text of /metrics of a status that was looked at then. up says whether the last look succeeded.
	Metrics func(s *health.Status, at time.Time, up bool) ([]byte, error)
	// Page makes the page. stale says why its values are old; empty when they are not.
	Page func(s *health.Status, stale string) ([]byte, error)
	// Refresh is how long after one look the next begins; 0 is DefaultRefresh.
	Refresh time.Duration
	// Now is this host's clock; nil is time.Now.
	Now func() time.Time
	// Fatal reports whether to end because of an error of the first look; nil never does.
	Fatal func(error) bool
	// Changed is told when looks begin to fail, with the error, and when they succeed again, with nil.
	Changed func(error)
}

// Server answers requests. It is safe for concurrent use.
type Server struct {
	o Options

	mu    sync.Mutex
	shown shown
}

// shown is what requests are answered with. Its bytes are never changed.
type shown struct {
	is     view
	late   view // as is, when no look has come to its end for too long; empty when is tells of an error
	status *health.Status
	at     time.Time     // of the last look that succeeded; zero: none has
	took   time.Duration // by that look
	err    error         // of the last look
}

// view is a status in the forms that are asked for.
type view struct {
	metrics, metricsZip []byte
	page, pageZip       []byte
}

// New returns a server, which has nothing to show before Run.
func New(o Options) *Server {
	if o.Refresh == 0 {
		o.Refresh = DefaultRefresh
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Fatal == nil {
		o.Fatal = func(error) bool { return false }
	}
	if o.Changed == nil {
		o.Changed = func(error) {}
	}
	return &Server{o: o}
}

// Run looks and answers until the context is done, which is no error, and closes the listener. It returns when nothing of it runs any more.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader, ErrorLog: log.New(io.Discard, "", 0), // what clients do wrong
	}
	served := make(chan error, 1)
	go func() {
		err := server.Serve(&limited{Listener: l, free: make(chan struct{}, maxConnections)})
		cancel() // no look is of use without a listener
		served <- err
	}()
	err := s.loop(ctx)
	cancel()
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer stop()
	if server.Shutdown(end) != nil {
		_ = server.Close() // who has not read an answer by now
	}
	if serr := <-served; !errors.Is(serr, http.ErrServerClosed) && err == nil {
		err = fmt.Errorf("serve: %w", serr)
	}
	return err
}

// loop looks, waits and looks again until the context is done.
func (s *Server) loop(ctx context.Context) error {
	for n := 0; ; n++ {
		changed, err := s.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && n == 0 && s.o.Fatal(err):
			return err
		case changed:
			s.o.Changed(err)
		}
		timer := time.NewTimer(s.o.Refresh)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// look looks once and takes over what it saw. It reports whether looks fail now that did not, or the other way round.
func (s *Server) look(ctx context.Context) (changed bool, err error) {
	bound, cancel := context.WithTimeout(ctx, max(patience, lookTimes*s.o.Refresh))
	defer cancel()
	began := s.o.Now()
	status, err := s.o.Look(bound)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	s.mu.Lock()
	next, before := s.shown, s.shown.err
	s.mu.Unlock()
	if err == nil {
		next.status, next.at, next.took = status, began, s.o.Now().Sub(began)
	}
	next.err = err
	if rerr := next.render(s.o); rerr != nil && err == nil { // the last values stay
		s.mu.Lock()
		next = s.shown
		s.mu.Unlock()
		next.err, err = rerr, rerr
	}
	s.mu.Lock()
	s.shown = next
	s.mu.Unlock()
	return (err == nil) != (before == nil), err
}

// render makes what is shown of a status, if there is one: how a look will end that begins later, and when, is not known now.
func (x *shown) render(o Options) error {
	if x.status == nil {
		return nil
	}
	var is, late view
	var err error
	if x.err != nil {
		is, err = x.view(o, "the repository could not be looked at since: "+x.err.Error())
	} else if is, err = x.view(o, ""); err == nil {
		late, err = x.view(o, "the look at the repository that began after this one does not come to its end")
	}
	if err == nil {
		x.is, x.late = is, late
	}
	return err
}

// view makes the forms of a status, which are of now when stale is empty.
func (x *shown) view(o Options, stale string) (v view, err error) {
	if v.metrics, err = o.Metrics(x.status, x.at, stale == ""); err != nil {
		return v, err
	}
	if v.page, err = o.Page(x.status, stale); err != nil {
		return v, err
	}
	v.metricsZip, v.pageZip = zipped(v.metrics), zipped(v.page)
	return v, nil
}

// well says whether looks succeed, and what is the matter if not.
func (s *Server) well() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown.at.IsZero() {
		return "no look at the repository has come to its end yet", false
	}
	age := s.o.Now().Sub(s.shown.at)
	return fmt.Sprintf("last looked %s ago", age.Truncate(time.Second)), !s.late(age)
}

// late reports whether what is shown is so old that looks fail or hang. The caller holds the lock.
func (s *Server) late(age time.Duration) bool { return age > overdue*(s.o.Refresh+s.shown.took) }

// now returns what requests are answered with: a look that hangs must not leave old values that pass for new ones.
func (s *Server) now() view {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := &s.shown; x.late.metrics != nil && s.late(s.o.Now().Sub(x.at)) {
		return x.late
	}
	return s.shown.is
}
