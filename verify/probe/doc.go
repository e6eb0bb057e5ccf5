// Package probe runs what looks at restored data: a program of the user, or one of the probes that are built in, isolated from all that the
// data came from.
//
//	drill ─▶ Run ─▶ this program again, as first process of new namespaces ─▶ the probe ─▶ what it forks
//	  ▲              │ order on one pipe, which is open as long as it may live     │ output, exit status
//	  └──────────────┴──────────────────── answer on another ◀────────────────────┘
//
// Full isolation is a set of namespaces of the kernel: a network that has a loopback and nothing else; processes that see only each other,
// and die with the first of them; mounts of which nothing can be written but the restored folder and one for temporary files, no device can
// be reached but /dev/null and its like, and the sockets that other services listen on are covered. Root keeps the rights to files and users
// and loses all others. Without isolation there is none of this: only what the probe forked is found and killed, as it becomes the child of
// the helper (a subreaper) when its parent ends.
//
// A probe that takes from the host what others need is killed: limits.go.
//
// A probe is believed when it ends with 0 and the last line of its standard output is "checked N", N at least 1. Two other lines mean
// something: "started", when a service that it started takes orders, and "canary TIME", a time that the restored data carries.
//
// A program that calls Run is called again by it, as a helper: its main function, or TestMain, begins with IsHelper and Help.
package probe
