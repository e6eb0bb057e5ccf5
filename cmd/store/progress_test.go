package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestProgressWithoutSize draws a bar on a terminal that was never told its size, and on one that was.
func TestProgressWithoutSize(t *testing.T) {
	for _, size := range []unix.Winsize{{}, {Row: 24, Col: 100}} {
		t.Run(fmt.Sprintf("%d columns", size.Col), func(t *testing.T) {
			controller, terminal := openPTY(t, size)
			a := &app{err: newErrWriter(terminal), now: time.Now}
			p := a.newProgress("backup")
			p.entries.Add(1234)
			p.update()
			if err := controller.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(controller)
			for drawn := ""; !strings.Contains(drawn, "1,234 entries"); {
				b, err := r.ReadByte()
				if err != nil {
					t.Fatalf("%v; drawn was %q", err, drawn)
				}
				drawn += string(b)
			}
			p.end()
		})
	}
}

// openPTY returns both ends of a new terminal.
func openPTY(t *testing.T, size unix.Winsize) (controller, terminal *os.File) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	controller = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { _ = controller.Close() }) // nothing is kept in it
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() }) // likewise
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &size); err != nil {
		t.Fatal(err)
	}
	return controller, terminal
}
