package meter

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var _ prometheus.Collector = (*Store)(nil)

// metrics holds every series by its place, so that counting looks nothing up.
type metrics struct {
	requests [numOps][numResults]prometheus.Counter
	seconds  [numOps]prometheus.Observer
	retries  [numOps]prometheus.Counter
	sent     prometheus.Counter
	received prometheus.Counter
	inFlight prometheus.Gauge
	all      []prometheus.Collector
}

// newMetrics makes all series.
func newMetrics() *metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "savepoint_storage_requests_total",
		Help: "Requests to the storage by operation and result, each attempt on its own.",
	}, []string{"op", "result"})
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "savepoint_storage_bytes_total",
		Help: "Bytes of object bodies in requests that went well, sent or received.",
	}, []string{"direction"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "savepoint_storage_request_seconds",
		Help:    "Duration of requests to the storage that were not cancelled.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 18), // 1 ms to 131 s
	}, []string{"op"})
	retries := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "savepoint_storage_retries_total",
		Help: "Requests to the storage that repeat one that failed.",
	}, []string{"op"})
	m := &metrics{
		sent:     bytes.WithLabelValues("sent"),
		received: bytes.WithLabelValues("received"),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "savepoint_storage_in_flight",
			Help: "Requests to the storage that have begun and not ended.",
		}),
	}
	for o, name := range opNames {
		for r, result := range resultNames {
			m.requests[o][r] = requests.WithLabelValues(name, result)
		}
		m.seconds[o] = seconds.WithLabelValues(name)
		m.retries[o] = retries.WithLabelValues(name)
	}
	m.all = []prometheus.Collector{requests, bytes, seconds, retries, m.inFlight}
	return m
}

// count adds a request that has ended.
func (m *metrics) count(r *request, took time.Duration) {
	m.requests[r.op][r.result].Inc()
	m.sent.Add(float64(r.sent))
	m.received.Add(float64(r.received))
	if r.result != cancelled {
		m.seconds[r.op].Observe(took.Seconds())
	}
}

// Describe implements prometheus.Collector.
func (s *Store) Describe(to chan<- *prometheus.Desc) {
	for _, c := range s.metrics.all {
		c.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(to chan<- prometheus.Metric) {
	for _, c := range s.metrics.all {
		c.Collect(to)
	}
}
