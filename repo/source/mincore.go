package source

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mincore fills pages with one byte for each page of m, whose low bit says that it is in memory. x/sys has no wrapper.
func mincore(m, pages []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(m))), uintptr(len(m)),
		uintptr(unsafe.Pointer(unsafe.SliceData(pages))))
	if errno != 0 {
		return errno
	}
	return nil
}
