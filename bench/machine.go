package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine says what the figures were taken on and with.
type machine struct {
	Date       string  `json:"date"` // UTC
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	Memory     int64   `json:"memory"` // bytes
	Kernel     string  `json:"kernel"`
	FileSystem string  `json:"file_system"` // of the work folder
	Go         string  `json:"go"`
	Commit     string  `json:"commit"` // "-dirty" behind it: with changes
	Store      string  `json:"store"`
	Restic     string  `json:"restic"`
	LoadBefore float64 `json:"load_before"`
	LoadAfter  float64 `json:"load_after"`
}

func describeMachine(ctx context.Context, dir, bin string) (machine, error) {
	m := machine{
		Date:       time.Now().UTC().Format("2006-01-02 15:04"),
		CPU:        cpuModel(),
		Cores:      runtime.NumCPU(),
		Kernel:     kernel(),
		Go:         runtime.Version(),
		Commit:     commit(ctx),
		LoadBefore: loadAverage(),
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return m, fmt.Errorf("sysinfo: %w", err)
	}
	m.Memory = int64(info.Totalram) * int64(info.Unit)
	var err error
	if m.FileSystem, err = output(ctx, "findmnt", "-n", "-o", "FSTYPE", "-T", dir); err != nil {
		return m, err
	}
	if m.Store, err = firstLine(output(ctx, bin, "version")); err != nil {
		return m, err
	}
	m.Restic, err = firstLine(output(ctx, "restic", "version"))
	return m, err
}

func firstLine(s string, err error) (string, error) {
	line, _, _ := strings.Cut(s, "\n")
	return line, err
}

// commit names the source that is measured; without git it is unknown.
func commit(ctx context.Context) string {
	id, err := output(ctx, "git", "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return "unknown"
	}
	if changes, err := output(ctx, "git", "--no-optional-locks", "status", "--porcelain"); err != nil || changes != "" {
		id += "-dirty"
	}
	return id
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}
