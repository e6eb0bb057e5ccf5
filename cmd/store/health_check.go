package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"savepoint/verify/health/send"
)

// The least and the most that --refresh may be: a look costs requests, and what is older than a day is no health.
const (
	leastRefresh = time.Second
	mostRefresh  = 24 * time.Hour
)

// exports reports whether metrics go anywhere but to a server of this program.
func (o healthOptions) exports() bool {
	return o.textfile != "" || o.push != "" || o.format == formatPrometheus
}

// silent reports whether nothing is printed for people or programs but metrics.
func (o healthOptions) silent() bool {
	return o.format == formatPrometheus || o.format == "" && (o.textfile != "" || o.push != "" || o.ping != "")
}

// check refuses what cannot be meant.
func (o healthOptions) check(json bool, getenv func(string) string) error {
	if o.format != "" && !slices.Contains(formats, o.format) {
		return usagef("--format %q: %s or %s", o.format, strings.Join(formats[:len(formats)-1], ", "), formats[len(formats)-1])
	}
	if json && o.format != "" && o.format != formatJSON {
		return usagef("--json and --format contradict each other")
	}
	if o.allHosts && o.host != "" {
		return usagef("--all-hosts and --host contradict each other")
	}
	if o.allHosts && o.dataset != "" && (o.exports() || o.listen != "") {
		return usagef("--all-hosts and --dataset contradict each other: the series of the repository are of all datasets")
	}
	if err := o.checkTogether(json); err != nil {
		return err
	}
	if o.textfile != "" && filepath.Ext(o.textfile) != ".prom" {
		return hinted(usagef("--textfile %s: node_exporter reads only files whose names end with .prom", printable(o.textfile)), "Nothing was written. Name it so: --textfile %s",
			shellQuote(strings.TrimSuffix(o.textfile, filepath.Ext(o.textfile))+".prom"))
	}
	if fi, err := os.Lstat(o.textfile); o.textfile != "" && err == nil && !fi.Mode().IsRegular() { // a link would be replaced, not what it points to
		return usagef("--textfile %q is no regular file", o.textfile)
	}
	return o.checkTargets(getenv)
}

// checkTogether refuses outputs that exclude each other.
func (o healthOptions) checkTogether(json bool) error {
	sends := o.textfile != "" || o.push != "" || o.ping != ""
	switch {
	case o.listen != "" && (sends || json || o.format != ""):
		return usagef("--listen serves until a signal: it goes with no other output")
	case o.refreshed && o.listen == "":
		return usagef("--refresh is for --listen")
	case o.listen != "" && (o.refresh < leastRefresh || o.refresh > mostRefresh):
		return usagef("--refresh %s: from %s to %s", o.refresh, leastRefresh, mostRefresh)
	case o.format == formatNagios && sends:
		return usagef("--format nagios goes with no other output: its exit code would be about that too")
	}
	return nil
}

// checkTargets refuses addresses that cannot be meant, and ones that would give a secret away.
func (o healthOptions) checkTargets(getenv func(string) string) error {
	for _, t := range []struct{ flag, text string }{{"--push", o.push}, {"--ping", o.ping}} {
		if t.text == "" {
			continue
		}
		target, err := send.Parse(t.text)
		switch {
		case err == send.ErrUser && t.flag == "--push":
			return hinted(usagef("--push: the URL has a user or a password in it, which everybody on this host can read"), "Nothing was done. Set STORE_PUSH_USER and STORE_PUSH_PASSWORD, or STORE_PUSH_TOKEN.")
		case err != nil:
			return usagef("%s: %w", t.flag, err)
		}
		if t.flag == "--ping" {
			continue
		}
		c := credentials(getenv)
		switch {
		case c.Token != "" && c.User+c.Password != "":
			return usagef("STORE_PUSH_TOKEN contradicts STORE_PUSH_USER and STORE_PUSH_PASSWORD")
		case c.Token+c.User+c.Password != "" && target.Open():
			return usagef("--push %s: a password or token would cross the network in the clear; use https://", target)
		}
	}
	if _, err := listenAddress(o.listen); o.listen != "" && err != nil {
		return err
	}
	return nil
}

// credentials returns those for a push, which come from the environment alone.
func credentials(getenv func(string) string) send.Credentials {
	return send.Credentials{User: getenv("STORE_PUSH_USER"), Password: getenv("STORE_PUSH_PASSWORD"), Token: getenv("STORE_PUSH_TOKEN")}
}

// listenAddress reads PORT, :PORT or HOST:PORT. Without a host, nobody but this host is meant.
func listenAddress(text string) (string, error) {
	address := text
	if !strings.Contains(text, ":") {
		address = ":" + text
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil || port == "" {
		return "", usagef("--listen %q: a port, or host:port", text)
	}
	return net.JoinHostPort(first(host, "127.0.0.1"), port), nil
}
