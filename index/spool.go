package index

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"savepoint/repo/record"
)

// spool keeps packs on disk in order of ordinal until they are written to the base.
type spool struct {
	file *os.File
	w    *bufio.Writer
	buf  []byte
}

// newSpool makes one whose file in dir has no name.
func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, ".tmp-packs-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return &spool{file: f, w: bufio.NewWriterSize(f, 64<<10)}, nil
}

func (s *spool) close() error { return s.file.Close() }

func (s *spool) add(ordinal uint32, p *record.SegmentPackInfo) error {
	s.buf = append(s.buf[:0], make([]byte, 8)...)
	s.buf = appendPack(s.buf, p)
	binary.BigEndian.PutUint32(s.buf, ordinal)
	binary.BigEndian.PutUint32(s.buf[4:], uint32(len(s.buf)-8))
	if _, err := s.w.Write(s.buf); err != nil {
		return fmt.Errorf("keep packs for the index: %w", err)
	}
	return nil
}

// each calls fn with the ordinal and the value of each pack, which is valid until it returns.
func (s *spool) each(fn func(ordinal uint32, value []byte) error) error {
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("keep packs for the index: %w", err)
	}
	r := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, 1<<62), 64<<10)
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("read packs for the index: %w", err)
		}
		n := int(binary.BigEndian.Uint32(head[4:]))
		if cap(s.buf) < n {
			s.buf = make([]byte, n)
		}
		s.buf = s.buf[:n]
		if _, err := io.ReadFull(r, s.buf); err != nil {
			return fmt.Errorf("read packs for the index: %w", err)
		}
		if err := fn(binary.BigEndian.Uint32(head[:]), s.buf); err != nil {
			return err
		}
	}
}
