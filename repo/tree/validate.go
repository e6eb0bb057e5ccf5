package tree

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"savepoint/internal/wire"
)

// extraDepth is how many arrays and maps an entry's fields lie in, at most: in
// a manifest the map, the roots, the root and the entry.
const extraDepth = 4

// Validate reports which rule of the format e breaks, or nil. The name may be
// empty, as in a root. The size of the encoding is not looked at.
func (e *Entry) Validate() error {
	if err := e.validate(); err != nil {
		return fmt.Errorf("entry %q: %w", e.Name, err)
	}
	return nil
}

func (e *Entry) validate() error {
	switch {
	case e.Name != "" && !validName(e.Name):
		return errors.New("name is not one of a file")
	case e.Type < File || e.Type > BlockDevice:
		return fmt.Errorf("unknown type %d", e.Type)
	case e.Mode > modeBits:
		return fmt.Errorf("mode %#o has more than permission bits", e.Mode)
	case !utf8.ValidString(e.User) || !utf8.ValidString(e.Group):
		return errors.New("name of the user or group is not UTF-8")
	}
	if err := e.validateFit(); err != nil {
		return err
	}
	if err := e.validateContent(); err != nil {
		return err
	}
	if err := validateXattrs(e.Xattrs); err != nil {
		return err
	}
	return validateExtra(e.Extra)
}

// validateFit checks that there are only fields that belong to the type.
func (e *Entry) validateFit() error {
	isFile, isDir := e.Type == File, e.Type == Directory
	switch {
	case e.Size != 0 && !isFile:
		return errors.New("a size, but no file")
	case e.Size > math.MaxInt64:
		return errors.New("size is over 2^63-1")
	case e.Content != nil && !isFile && !isDir:
		return errors.New("content, but neither file nor directory")
	case (e.Target != "") != (e.Type == Symlink):
		return errors.New("a symbolic link, and only that, has a target")
	case strings.IndexByte(e.Target, 0) >= 0:
		return errors.New("target has a zero byte")
	case e.Rdev != [2]uint32{} && e.Type != CharDevice && e.Type != BlockDevice:
		return errors.New("a device number, but no device")
	case e.Link != nil && isDir:
		return errors.New("a hard link to a directory")
	case e.Splitter != 0 && !isFile:
		return errors.New("a splitter, but no file")
	case e.Splitter > maxDataChunk:
		return fmt.Errorf("splitter of %d bytes is over that of a chunk", e.Splitter)
	case e.Fault > FaultTorn:
		return fmt.Errorf("unknown fault %d", e.Fault)
	case e.Fault != 0 && !isFile && !isDir:
		return errors.New("torn content, but neither file nor directory")
	}
	return nil
}

func (e *Entry) validateContent() error {
	if len(e.Content) > MaxContent {
		return fmt.Errorf("%d elements, more than %d", len(e.Content), MaxContent)
	}
	if e.Type != File && e.Type != Directory {
		return nil
	}
	sum, err := checkList(e.Content, e.Type)
	if err != nil {
		return err
	}
	if e.Type == File && sum.length != e.Size {
		return fmt.Errorf("content of %d bytes in a file of %d", sum.length, e.Size)
	}
	return nil
}

func validateXattrs(xs []Xattr) error {
	for i, x := range xs {
		if x.Name == "" || strings.IndexByte(x.Name, 0) >= 0 {
			return fmt.Errorf("name %q of an extended attribute is empty or has a zero byte", x.Name)
		}
		if i > 0 && xs[i-1].Name >= x.Name {
			return errors.New("extended attributes are not in order of name")
		}
	}
	return nil
}

func validateExtra(fs []ExtraField) error {
	for i, f := range fs {
		if f.Key < wire.FirstOptional || f.Key == keyInode || f.Key == keyCTime || f.Key > math.MaxInt64 {
			return fmt.Errorf("extra field has key %d", f.Key)
		}
		if i > 0 && fs[i-1].Key >= f.Key {
			return errors.New("extra fields are not in order of key")
		}
		r := wire.NewReader(f.Value)
		r.Within(extraDepth)
		r.Skip()
		if err := r.Done(); err != nil {
			return fmt.Errorf("extra field %d: %w", f.Key, err)
		}
	}
	return nil
}

// validName reports whether s can name an entry of a directory.
func validName(s string) bool {
	return s != "" && len(s) <= MaxName && s != "." && s != ".." &&
		strings.IndexByte(s, '/') < 0 && strings.IndexByte(s, 0) < 0
}
