package index

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"
)

// formatVersion is raised when older indexes cannot be used any more: they are built again.
const formatVersion = 1

const sealName = "SEAL"

// seal is written beside the files of a database that is closed, and read before it is opened. Badger ends the process
// when it opens files that are cut off or garbled, so it is given only what is as it was left. The blocks inside
// tables carry checksums that are verified when they are read.
type seal struct {
	Version  int        `json:"version"`
	Repo     string     `json:"repo"`
	ID       string     `json:"id"`    // random, of a base
	Built    int64      `json:"built"` // of a base: when, in nanoseconds since 1970
	Base     string     `json:"base"`  // of a delta: ID of the base that its ordinals continue
	Entries  int64      `json:"entries"`
	Packs    int64      `json:"packs"`
	Segments int64      `json:"segments"`
	Next     uint32     `json:"next"` // the first ordinal that is free
	Files    []fileSeal `json:"files"`
}

// fileSeal holds the checksum of a file's bytes from From to its end.
type fileSeal struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	From int64  `json:"from"`
	Sum  uint32 `json:"sum"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// tableTail is how many bytes before its index are sealed of a table. Badger reads the last block, of 4 KiB unless a
// piece makes it longer, on opening.
const tableTail = 4 * pieceLen

// writeSeal seals the files of dir and makes them durable.
func writeSeal(dir string, s seal) error {
	names, err := fileNames(dir)
	if err != nil {
		return err
	}
	s.Files = nil
	for _, name := range names {
		f, err := sealFile(dir, name, -1)
		if err != nil {
			return err
		}
		s.Files = append(s.Files, f)
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	sum := blake3.Sum256(b)
	b = append(append(b, '\n'), hex.EncodeToString(sum[:])...)
	return writeDurable(filepath.Join(dir, sealName), b)
}

// openSeal returns the seal of dir, after it has verified all files. An error that is not the file system's is
// ErrDamaged; without a seal it is fs.ErrNotExist.
func openSeal(dir string) (*seal, error) {
	s, err := readSeal(dir)
	if err != nil {
		return nil, err
	}
	return s, s.verify(dir)
}

// readSeal returns the seal of dir without a look at the other files.
func readSeal(dir string) (*seal, error) {
	b, err := os.ReadFile(filepath.Join(dir, sealName))
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENOTDIR) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	n := len(b) - 65
	if n < 0 || b[n] != '\n' {
		return nil, fmt.Errorf("seal of %d bytes: %w", len(b), ErrDamaged)
	}
	sum := blake3.Sum256(b[:n])
	if hex.EncodeToString(sum[:]) != string(b[n+1:]) {
		return nil, fmt.Errorf("seal does not match its sum: %w", ErrDamaged)
	}
	s := new(seal)
	if err := json.Unmarshal(b[:n], s); err != nil {
		return nil, fmt.Errorf("seal: %w: %w", ErrDamaged, err)
	}
	return s, nil
}

func (s *seal) verify(dir string) error {
	if s.Version != formatVersion {
		return fmt.Errorf("version %d, not %d: %w", s.Version, formatVersion, ErrDamaged)
	}
	names, err := fileNames(dir)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(names, s.Files, func(name string, f fileSeal) bool { return name == f.Name }) {
		return fmt.Errorf("files are missing, or there are others: %w", ErrDamaged)
	}
	for _, want := range s.Files {
		got, err := sealFile(dir, want.Name, want.Size)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s is not as it was left: %w", want.Name, ErrDamaged)
		}
	}
	return nil
}

// fileNames lists all that is in dir but the seal, in order.
func fileNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Name() != sealName {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// sealFile makes the seal of a file, which must be size bytes long unless that is negative.
func sealFile(dir, name string, size int64) (fileSeal, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return fileSeal{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fileSeal{}, err
	}
	if !fi.Mode().IsRegular() || size >= 0 && fi.Size() != size {
		return fileSeal{}, fmt.Errorf("%s is not a file of %d bytes: %w", name, size, ErrDamaged)
	}
	out := fileSeal{Name: name, Size: fi.Size()}
	if strings.HasSuffix(name, ".sst") && !strings.HasPrefix(filepath.Base(dir), deltaPrefix) {
		out.From = max(0, tableIndex(f, out.Size)-tableTail)
	}
	b := make([]byte, out.Size-out.From)
	if _, err := f.ReadAt(b, out.From); err != nil {
		return fileSeal{}, fmt.Errorf("read %s: %w", name, err)
	}
	out.Sum = crc32.Checksum(b, castagnoli)
	return out, nil
}

// tableIndex returns where the index of a table begins: it is followed by its length, a checksum and the checksum's
// length. It returns 0 for what cannot be a table.
func tableIndex(f *os.File, size int64) int64 {
	at := size
	for range 2 {
		var b [4]byte
		if at -= 4; at < 0 {
			return 0
		}
		if _, err := f.ReadAt(b[:], at); err != nil {
			return 0
		}
		at -= int64(binary.BigEndian.Uint32(b[:]))
	}
	return max(0, at)
}

// removeSeal takes the seal off before a database is written to.
func removeSeal(dir string) error {
	if err := os.Remove(filepath.Join(dir, sealName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(dir)
}

// writeDurable replaces a file: it has the old bytes or the new ones, whatever happens.
func writeDurable(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if serr := f.Sync(); err == nil {
		err = serr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
