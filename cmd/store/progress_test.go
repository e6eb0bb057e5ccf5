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

// TestProgressIsFull draws a whole bar when all is done, be it little, says what is still done, and leaves nothing behind.
func TestProgressIsFull(t *testing.T) {
	controller, terminal := openPTY(t, unix.Winsize{Row: 24, Col: 100})
	a := &app{err: newErrWriter(terminal), now: time.Now}
	p := a.newProgress("backup")
	p.last = "storing what is left"
	p.ofEntries.Store(2)
	p.entries.Store(2)
	p.update()
	if err := controller.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	drawn := ""
	read := func(until string) {
		for b := make([]byte, 1); !strings.Contains(drawn, until); drawn += string(b) {
			if _, err := controller.Read(b); err != nil {
				t.Fatalf("%v; drawn was %q", err, drawn)
			}
		}
	}
	read("2 of 2 entries, 0 B, storing what is left\r\n")
	if !strings.Contains(drawn, "[=====================>]  2 of 2") {
		t.Errorf("the bar is not whole: %q", drawn)
	}
	p.end()
	fmt.Fprintln(a.err, "the summary")
	read("the summary\r\n")
	if !strings.HasSuffix(drawn, "\x1b[1A\x1b[Jthe summary\r\n") {
		t.Errorf("the bar is still there: %q", drawn)
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
