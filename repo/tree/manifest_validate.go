package tree

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// validate reports which rule of the format m breaks, or nil.
func (m *Manifest) validate() error {
	switch {
	case m.Seq == 0:
		return errors.New("no sequence number")
	case m.Window[0] > m.Window[1]:
		return errors.New("read window ends before it starts")
	case m.Mode > Full:
		return fmt.Errorf("unknown mode %d", m.Mode)
	case m.Completeness < Complete || m.Completeness > Interrupted:
		return fmt.Errorf("unknown completeness %d", m.Completeness)
	case m.FaultCount < uint64(len(m.Faults)) || len(m.Faults) > MaxFaults:
		return fmt.Errorf("%d faults listed of %d", len(m.Faults), m.FaultCount)
	}
	switch m.Class {
	case "", "user", "state", "transactional", "log":
	default:
		return fmt.Errorf("unknown class %q", m.Class)
	}
	for _, text := range append([]string{m.Prev, m.Host, m.User, m.Dataset, m.Parent, m.Version}, m.Tags...) {
		if !utf8.ValidString(text) {
			return fmt.Errorf("text %q is not UTF-8", text)
		}
	}
	for _, f := range m.Faults {
		if f.Code < Unreadable || f.Code > Unsupported {
			return fmt.Errorf("fault with unknown code %d", f.Code)
		}
	}
	return m.validateRoots()
}

func (m *Manifest) validateRoots() error {
	for i := range m.Roots {
		root := &m.Roots[i]
		if err := root.validate(len(m.Devices)); err != nil {
			return fmt.Errorf("root %q: %w", root.Path, err)
		}
		if i > 0 && m.Roots[i-1].Path >= root.Path {
			return fmt.Errorf("root %q does not follow %q", root.Path, m.Roots[i-1].Path)
		}
	}
	return nil
}

func (r *Root) validate(devices int) error {
	switch {
	case !strings.HasPrefix(r.Path, "/") || path.Clean(r.Path) != r.Path || strings.IndexByte(r.Path, 0) >= 0:
		return errors.New("path is not absolute and clean")
	case r.Entry.Name != "":
		return fmt.Errorf("entry has the name %q", r.Entry.Name)
	case r.Entry.Link != nil && int64(r.Entry.Link.Device) >= int64(devices):
		return errors.New("device is not in the table")
	}
	return r.Entry.Validate()
}
