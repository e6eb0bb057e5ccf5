package source

import (
	"io"

	"golang.org/x/sys/unix"

	"savepoint/repo/tree"
)

// File is an open regular file, read from its beginning to the size it had when it was opened. One goroutine may use it
// at a time, except for ReadAt.
//
//	for {
//		seg, err := f.Next() // io.EOF: done
//		if !seg.Hole { … read f until io.EOF … }
//	}
//	torn, err := f.Changed()
type File struct {
	env   *env
	fd    int
	dir   *Dir // for messages; nil in a root
	name  string
	meta  Meta
	fixed uint32

	pos   int64 // of the next byte that Read returns
	end   int64 // of the segment that Next returned
	hole  bool  // it is a hole; pos is its end then
	short bool  // the file ended before its size at open
	gaps  gaps  // whether it is asked for holes
	cache dropper
}

// OpenFile opens the content of the file called name, whose metadata Stat returned in m. If it is another object by
// now the error is [ErrReplaced]. It never follows a symbolic link and never waits for a fifo. The caller closes it; d
// may be closed before.
func (d *Dir) OpenFile(name string, m Meta) (*File, error) {
	fd, err := openAt(d.fd, name, unix.O_NOFOLLOW)
	if err != nil {
		return nil, openError(d.join(name), err)
	}
	return newFile(fd, d.env, d, name, m)
}

// newFile takes fd over and makes sure that it is the file that m describes.
func newFile(fd int, e *env, d *Dir, name string, m Meta) (*File, error) {
	f := &File{env: e, fd: fd, dir: d, name: name}
	is, err := statFD(fd)
	if err == nil && (is.Type != tree.File || is.Inode != m.Inode || is.Dev != m.Dev) {
		err = ErrReplaced
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, newError("open", f.Path(), err)
	}
	f.meta = is
	if is.Size >= e.sequential {
		f.cache = newDropper(fd, int64(is.Size), e.residency)
		_ = unix.Fadvise(fd, 0, 0, unix.FADV_SEQUENTIAL) // advice: what refuses it reads as well
	}
	return f, nil
}

// Path returns the absolute path of the file, for messages.
func (f *File) Path() string {
	if f.dir == nil {
		return f.name
	}
	return f.dir.join(f.name)
}

// Meta returns what the file was when it was opened; its Size is the end of what is read.
func (f *File) Meta() Meta { return f.meta }

// Entry returns the file's entry, as it was when it was opened, under the name it is to have (none in a root). The
// error is as in [Dir.Entry]; the entry is never nil.
func (f *File) Entry(name string) (*tree.Entry, error) {
	e, err := f.env.entry(name, f.meta, attrs{fd: f.fd})
	e.Splitter = f.fixed
	if err != nil {
		return e, newError("read attributes", f.Path(), err)
	}
	return e, nil
}

// SetSplitter says, before the first Next, that the file is cut at multiples of fixed bytes, and so that it is
// rewritten in place: holes then begin and end at such multiples, and growth counts as a change. 0 takes it back.
func (f *File) SetSplitter(fixed uint32) { f.fixed = fixed }

// Read reads on in the data segment that Next returned; io.EOF is its end. A file that ends early, cut off meanwhile,
// ends all its segments: fewer bytes came than Meta says, and Changed will report it.
func (f *File) Read(p []byte) (int, error) {
	if f.pos >= f.end || f.short {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	p = p[:min(int64(len(p)), f.end-f.pos)]
	f.cache.before(f.pos, int64(len(p)))
	n, err := f.pread(p, f.pos)
	f.pos += int64(n)
	f.cache.after(f.pos)
	if err == nil && n == 0 {
		f.short = true
		return 0, io.EOF
	}
	return n, err
}

// ReadAt reads len(p) bytes at off, or up to the size at open and io.EOF. It moves nothing and drops nothing from the
// page cache; any number of goroutines may call it.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, newError("read", f.Path(), unix.EINVAL)
	}
	want := min(int64(len(p)), max(int64(f.meta.Size)-off, 0))
	done := 0
	for int64(done) < want {
		n, err := f.pread(p[done:want], off+int64(done))
		if err != nil {
			return done, err
		}
		if n == 0 {
			break
		}
		done += n
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

func (f *File) pread(p []byte, off int64) (int, error) {
	n, err := retry(func() (int, error) { return unix.Pread(f.fd, p, off) })
	if err != nil {
		return 0, newError("read", f.Path(), err)
	}
	return n, nil
}

// Changed reports, after all was read, whether what was read may be no state that the file ever had:
//
//   - it became shorter, for a time or for good, than it was when it was opened;
//   - its mtime or ctime changed, while its size did not. Where only ctime did, somebody changed metadata (a rename over
//     the file does it too), or wrote and then reset mtime; these cannot be told apart, and reading again costs less
//     than a wrong file;
//   - it grew, and has a fixed splitter: databases and images are rewritten as they grow.
//
// Other files that grew may have been appended to only: what was read, up to the size at open, is then a state that the file
// had. See [File.Grown].
func (f *File) Changed() (torn bool, err error) {
	is, err := statFD(f.fd)
	if err != nil {
		return false, newError("stat", f.Path(), err)
	}
	switch {
	case f.short || is.Size < f.meta.Size:
		return true, nil
	case is.Size > f.meta.Size:
		return f.fixed != 0, nil
	}
	return is.MTime != f.meta.MTime || is.CTime != f.meta.CTime, nil
}

// Grown reports whether the file is longer than it was when it was opened. Only reading it again tells whether it was appended
// to, or rewritten too.
func (f *File) Grown() (bool, error) {
	is, err := statFD(f.fd)
	if err != nil {
		return false, newError("stat", f.Path(), err)
	}
	return is.Size > f.meta.Size, nil
}

// Rewind makes Next begin at the first segment again, up to the same size.
func (f *File) Rewind() {
	f.pos, f.end, f.hole, f.short = 0, 0, false, false
	f.cache.finish()
	if f.meta.Size >= f.env.sequential {
		f.cache = newDropper(f.fd, int64(f.meta.Size), f.env.residency)
	}
}

// Close closes the file and drops from the page cache what reading brought there, for large files.
func (f *File) Close() error {
	f.cache.finish()
	if err := unix.Close(f.fd); err != nil && err != unix.EINTR {
		return newError("close", f.Path(), err)
	}
	return nil
}
