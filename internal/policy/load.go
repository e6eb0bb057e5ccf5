package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// maxSize bounds a configuration file, in bytes.
const maxSize = 1 << 20

// othersWrite are the mode bits by which others than the owner may write.
const othersWrite fs.FileMode = 0o022

// Load reads and checks a configuration. What is wrong in the file is an
// *Error with its place. A file that its group or the world can write is
// refused, since they could have the next backup leave out what they like.
func Load(path string) (*File, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	f, err := decode(data)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.Path = path
		}
		return nil, err
	}
	f.Path = path
	return f, nil
}

// read returns the contents of a regular file that only its owner can write.
// It looks at the file it has open, not at whatever stands under its name.
func read(path string) ([]byte, error) {
	// Without O_NONBLOCK, opening a named pipe would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read configuration: %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&othersWrite != 0 {
		return nil, fmt.Errorf("configuration %s can be written by others (mode %04o); run: chmod go-w %s", path, mode, quote(path))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err) // which names the file
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("configuration %s is larger than 1 MiB", path)
	}
	return data, nil
}
