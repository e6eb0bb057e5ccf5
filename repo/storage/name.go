package storage

import (
	"errors"
	"fmt"
	"strings"
)

// maxName is the length of the longest name in bytes. Bucket keys may have 1,024;
// the rest is left to a prefix within the bucket.
const maxName = 512

// ValidName reports whether CheckName accepts the name.
func ValidName(name string) bool { return CheckName(name) == nil }

// CheckName says what is wrong with a name, or returns nil. A name is one or more
// elements of the characters A-Z, a-z, 0-9, dot, underscore and hyphen, joined by
// slashes, at most 512 bytes in all. No element is "." or "..". Every implementation
// refuses other names.
func CheckName(name string) error {
	if name == "" {
		return errors.New("object name is empty")
	}
	if len(name) > maxName {
		return fmt.Errorf("object name has %d bytes, %d are allowed", len(name), maxName)
	}
	for element := range strings.SplitSeq(name, "/") {
		switch element {
		case "":
			return fmt.Errorf("object name %q has an empty element", name)
		case ".", "..":
			return fmt.Errorf("object name %q has the element %q", name, element)
		}
		for i := range len(element) {
			if !nameByte(element[i]) {
				return fmt.Errorf("object name %q has the byte %q", name, element[i])
			}
		}
	}
	return nil
}

func nameByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '-'
}
