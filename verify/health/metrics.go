package health

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// MetricsOptions say what is exported.
type MetricsOptions struct {
	// Repository adds the series of the repository as a whole, which one place alone may export.
	Repository bool
	// Version is the program's.
	Version string
	// Written is when the series are made, by this host's clock: who reads them compares it with its own.
	Written time.Time
	// Up says whether the last try to make them succeeded, where they are made again and again; nil is not exported.
	Up *bool
}

// WriteMetrics writes a status in the text format of Prometheus.
func WriteMetrics(w io.Writer, s *Status, o MetricsOptions) error {
	reg := prometheus.NewRegistry()
	if err := reg.Register(NewCollector(s, o)); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	families, err := reg.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return fmt.Errorf("write metrics: %w", err)
		}
	}
	return nil
}

// metric is one family. Its help is the same in every file: an exporter that reads two takes different ones for an error.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// collector makes the series of one status.
type collector struct {
	status *Status
	o      MetricsOptions

	build, written, newest, sources, up metric

	published, success, lastStatus                            metric
	bytes, newBytes, newStored, files, faults, seconds        metric
	cpu, memory, latency                                      metric
	backups, point                                            metric
	drillRun, drillSuccess, drillResult, drillDamage          metric
	drillProbe, lost                                          metric
	drills, rta, rpa, phase, restored, restoredFiles, fetched metric

	checkRun, checkSuccess, findings, checkDamage metric
	oldest, never, coverage, damaged              metric
	unreadable, missing, kit, keyChange, foreign  metric

	figures figureMetrics
	points  pointMetrics
}

var _ prometheus.Collector = (*collector)(nil)

// NewCollector returns a collector of what a status says. Nothing of it is shared, and it is safe for concurrent use.
func NewCollector(s *Status, o MetricsOptions) prometheus.Collector {
	family := func(kind prometheus.ValueType, name, help string, labels ...string) metric {
		return metric{prometheus.NewDesc("savepoint_"+name, help, labels, nil), kind}
	}
	gauge := func(name, help string, labels ...string) metric {
		return family(prometheus.GaugeValue, name, help, labels...)
	}
	source := func(name, help string, more ...string) metric {
		return gauge(name, help, append([]string{"dataset", "class", "host"}, more...)...)
	}
	counter := func(name, help string) metric {
		return family(prometheus.CounterValue, name, help, "dataset", "class", "host", "result")
	}
	plainCounter := func(name, help string, labels ...string) metric {
		return family(prometheus.CounterValue, name, help, append([]string{"dataset", "class", "host"}, labels...)...)
	}
	return &collector{status: s, o: o, figures: newFigureMetrics(source, plainCounter, gauge),
		points: newPointMetrics(source, gauge, func(name, help string, labels ...string) metric {
			return family(prometheus.CounterValue, name, help, labels...)
		}),
		build:   gauge("build_info", "The program that wrote these metrics; always 1.", "version", "goversion"),
		written: gauge("metrics_written_timestamp_seconds", "When these metrics were written, by the clock of the host that did."),
		newest:  gauge("storage_newest_timestamp_seconds", "The newest time that the storage has shown of a snapshot or report."),
		sources: gauge("exported_sources", "Sources in this file."),
		up:      gauge("metrics_up", "1 if the last try of a server to make these metrics again succeeded; else they are older ones."),

		published:  source("backup_last_published_timestamp_seconds", "When the last snapshot was published, whatever it is worth; 0 if never."),
		success:    source("backup_last_success_timestamp_seconds", "When the last complete, timely and unsuspicious snapshot was published; 0 if never."),
		lastStatus: source("backup_last_status", "1 for what the last backup came to.", "status"),
		bytes:      source("backup_last_logical_bytes", "Sizes of all files in the last snapshot."),
		newBytes:   source("backup_last_new_bytes", "Plain bytes that the last snapshot added to the repository."),
		newStored:  source("backup_last_stored_bytes", "Bytes that the last snapshot added to the repository, compressed and sealed."),
		files:      source("backup_last_files", "Files in the last snapshot."),
		faults:     source("backup_last_faults", "Files that are missing from the last snapshot, or torn in it."),
		seconds:    source("backup_last_duration_seconds", "Duration of the last backup."),
		cpu:        source("backup_last_cpu_seconds", "CPU time of the last backup that left a report, by mode.", "mode"),
		memory:     source("backup_last_peak_memory_bytes", "Highest resident memory of that backup's process."),
		latency:    source("backup_last_storage_request_seconds", "Duration of that backup's requests to the storage, by operation.", "op", "statistic"),
		backups:    counter("backup_runs_total", "Backups that left a report, by result."),
		point:      source("recovery_point_timestamp_seconds", "Start of the newest recovery point: what was written later would be lost; 0 if there is none.", "trust"),

		drillRun:      source("drill_last_run_timestamp_seconds", "When the last drill ended, whatever came of it; 0 if never."),
		drillSuccess:  source("drill_last_success_timestamp_seconds", "When the last drill ended in which everything came back; 0 if never."),
		drillResult:   source("drill_last_result", "1 for what the last drill came to.", "result"),
		drillDamage:   source("drill_unhealed_damage", "1 if a drill found damage and no later one came to its end without."),
		drillProbe:    source("drill_failed_probe", "1 if a probe failed of what had come back as it was backed up, and none has passed since."),
		lost:          source("lost_recovery_points", "Snapshots that a report says were published, that are gone, and that nobody forgot."),
		drills:        counter("drill_runs_total", "Drills that left a report, by result."),
		rta:           source("drill_rta_seconds", "Recovery time that the last drill measured in which everything came back."),
		rpa:           source("drill_rpa_seconds", "Age of the data that came back in that drill, at the moment it assumed for the incident."),
		phase:         source("drill_phase_seconds", "Recovery time of that drill by phase.", "phase"),
		restored:      source("drill_restored_bytes", "Bytes of files that came back in that drill."),
		restoredFiles: source("drill_restored_files", "Files that came back in that drill."),
		fetched:       source("drill_fetched_bytes", "Bytes of packs that were read for that drill."),

		checkRun:     gauge("verify_last_run_timestamp_seconds", "When the last verification ended, whatever came of it; 0 if never.", "level"),
		checkSuccess: gauge("verify_last_success_timestamp_seconds", "When the last verification ended that found no harm; 0 if never.", "level"),
		findings:     gauge("verify_last_findings", "Findings of the last verification, harmless ones too."),
		checkDamage:  gauge("verify_unhealed_damage", "1 if a verification found damage and no later one came to its end without."),
		oldest:       gauge("verify_oldest_unverified_timestamp_seconds", "When the pack was last read back that was not for the longest time; 0 if some pack never was."),
		never:        gauge("verify_never_read_packs", "Packs that were never read back, as of the last verification that read packs."),
		coverage:     gauge("verify_coverage_ratio", "Share of the bytes of packs that was read back and found whole within the window.", "window"),
		damaged:      gauge("damaged_packs", "Packs that are marked as damaged."),
		unreadable:   gauge("unreadable_objects", "Manifests, reports, marks and condemned records that cannot be read, reports without a readable document, and config when it is damaged or gone.", "kind"),
		missing:      gauge("missing_reports", "Reports that are gone."),
		kit:          gauge("key_escrow_last_test_timestamp_seconds", "When a drill last proved a recovery kit; 0 if never."),
		keyChange:    gauge("key_slots_last_change_timestamp_seconds", "When a key slot was last added, replaced or removed after the repository was made; 0 if never."),
		foreign:      gauge("key_slots_unexplained", "Key slots that were put there around the program, or are there though they were removed."),
	}
}

// all returns every family but those of figures.
func (c *collector) all() []metric {
	return []metric{c.build, c.written, c.newest, c.sources, c.up, c.published, c.success, c.lastStatus, c.bytes, c.newBytes, c.newStored, c.files, c.faults, c.seconds,
		c.cpu, c.memory, c.latency,
		c.backups, c.point, c.drillRun, c.drillSuccess, c.drillResult, c.drillDamage, c.drillProbe, c.lost, c.drills, c.rta, c.rpa, c.phase, c.restored,
		c.restoredFiles, c.fetched, c.checkRun, c.checkSuccess, c.findings, c.checkDamage, c.oldest, c.never, c.coverage, c.damaged, c.unreadable, c.missing, c.kit, c.keyChange,
		c.foreign}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range slices.Concat(c.all(), c.figures.all(), c.points.all()) {
		to <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	e := emitter{to: to}
	e.emit(c.build, 1, c.o.Version, runtime.Version())
	e.emit(c.written, seconds(c.o.Written))
	if !c.status.Newest.IsZero() {
		e.emit(c.newest, seconds(c.status.Newest))
	}
	e.emit(c.sources, float64(len(c.status.Sources)))
	if c.o.Up != nil {
		e.emit(c.up, number(*c.o.Up))
	}
	for _, s := range c.status.Sources {
		e.source = []string{text(s.Dataset), text(s.Class), text(s.Host)}
		c.collectBackups(e, s)
		c.collectDrills(e, s)
		c.figures.collect(e, s)
		c.points.collect(e, s)
	}
	if c.o.Repository {
		e.source = nil
		c.collectRepository(e)
		c.figures.collectRepository(e, c.status)
		c.points.collectRepository(e, c.status)
	}
}

// emitter sends series with the labels of one source.
type emitter struct {
	to     chan<- prometheus.Metric
	source []string
}

func (e emitter) emit(m metric, v float64, more ...string) {
	labels := append(append([]string{}, e.source...), more...)
	one, err := prometheus.NewConstMetric(m.desc, m.kind, v, labels...)
	if err != nil {
		one = prometheus.NewInvalidMetric(m.desc, err)
	}
	e.to <- one
}

// oneOf sends 1 for the value that holds and 0 for the others.
func (e emitter) oneOf(m metric, holds string, values ...string) {
	for _, v := range values {
		e.emit(m, number(v == holds), v)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds returns a time as Prometheus has it.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

// since returns a moment that may never have been: 0, which is older than every limit.
func since(t *time.Time) float64 {
	if t == nil {
		return 0
	}
	return seconds(*t)
}
