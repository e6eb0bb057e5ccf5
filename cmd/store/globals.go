package main

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"savepoint/internal/bytesize"
)

// globals are the flags that every command has.
type globals struct {
	repo, config                           string
	passwordFile, passwordCommand, keyFile string
	identity                               string
	cacheDir                               string
	noCache, json, quiet                   bool
	verbose                                int
	logFormat                              string
	retryFor, limitUpload, limitDownload   string
}

func (g *globals) register(f *pflag.FlagSet) {
	f.StringVarP(&g.repo, "repo", "r", "", "repository: a path, file:///path or s3://bucket/prefix?endpoint=host:port (env STORE_REPO, configuration)")
	f.StringVar(&g.config, "config", "", "configuration file (env STORE_CONFIG; else ~/.config/savepoint/store.yaml, /etc/savepoint/store.yaml)")
	f.StringVar(&g.passwordFile, "password-file", "", "file that holds the password; only its owner may read it (env STORE_PASSWORD_FILE)")
	f.StringVar(&g.passwordCommand, "password-command", "", "shell command that prints the password (env STORE_PASSWORD_COMMAND)")
	f.StringVar(&g.keyFile, "key-file", "", "machine key file (env STORE_KEY_FILE); only its owner may read it")
	f.StringVar(&g.identity, "identity", "", "identity file: secret keys of age, an SSH private key without a passphrase, or a recovery kit (env STORE_IDENTITY); only its owner may read it")
	f.StringVar(&g.cacheDir, "cache-dir", "", "folder for what may be forgotten (env STORE_CACHE_DIR, default ~/.cache/savepoint, /var/cache/savepoint without HOME)")
	f.BoolVar(&g.noCache, "no-cache", false, "keep nothing on this host; two backups of one source are then not told apart")
	f.StringVar(&g.retryFor, "retry-for", "", "how long each request to a bucket that fails is repeated: a `DURATION` such as 90s or 1h; 0: not at all (env STORE_RETRY_FOR, default 15m)")
	f.StringVar(&g.limitUpload, "limit-upload", "", "most `BYTES` a second that are sent, such as 50MiB; 0: no limit (env STORE_LIMIT_UPLOAD)")
	f.StringVar(&g.limitDownload, "limit-download", "", "most `BYTES` a second that are received, the average over some seconds (env STORE_LIMIT_DOWNLOAD)")
	f.BoolVar(&g.json, "json", false, "one JSON document on stdout; errors as JSON on stderr")
	f.CountVarP(&g.verbose, "verbose", "v", "say more; twice: even more")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "no progress and no summary on a terminal")
	f.StringVar(&g.logFormat, "log-format", "text", "format of messages on stderr: text or json")
}

// check refuses values that cannot be meant.
func (g *globals) check(f *pflag.FlagSet) error {
	if g.logFormat != "text" && g.logFormat != "json" {
		return usagef("--log-format %q: text or json", g.logFormat)
	}
	if g.quiet && g.verbose > 0 {
		return usagef("--quiet and --verbose contradict each other")
	}
	var err error
	f.Visit(func(flag *pflag.Flag) {
		if flag.Value.Type() == "string" && flag.Value.String() == "" {
			err = usagef("--%s is empty", flag.Name)
		}
	})
	return err
}

// defaultRetryFor is how long a request to a bucket is repeated: a server's update, a switch's restart.
const defaultRetryFor = 15 * time.Minute

// retryFor returns how long a request that fails is repeated; 0 is not at all.
func (a *app) retryFor() (time.Duration, error) {
	text, by := a.setting(a.g.retryFor, "retry-for")
	if text == "" {
		return defaultRetryFor, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, usagef("%s %q: a duration such as 90s, 15m or 1h, or 0", by, text)
	}
	return d, nil
}

// leastRate is the lowest limit, in bytes a second: a pack takes half an hour with it.
const leastRate = 16 << 10

// limits returns how many bytes a second may be sent and received; 0 is no limit.
func (a *app) limits() (up, down int64, err error) {
	if up, err = a.rate(a.g.limitUpload, "limit-upload"); err != nil {
		return 0, 0, err
	}
	down, err = a.rate(a.g.limitDownload, "limit-download")
	return up, down, err
}

func (a *app) rate(flag, name string) (int64, error) {
	text, by := a.setting(flag, name)
	if text == "" {
		return 0, nil
	}
	n, err := bytesize.Parse(strings.TrimSuffix(text, "/s"))
	if err != nil {
		return 0, usagef("%s %q: bytes a second, such as 50MiB or 800kB", by, text)
	}
	if n != 0 && n < leastRate {
		return 0, usagef("%s %q: at least 16KiB a second, or 0 for no limit", by, text)
	}
	return n, nil
}

// checkSettings refuses durations and rates that cannot be meant, also where a command needs none.
func (a *app) checkSettings() error {
	if _, err := a.retryFor(); err != nil {
		return err
	}
	_, _, err := a.limits()
	return err
}

// setting returns the value of a flag, else that of its variable, and which of the two it is.
func (a *app) setting(flag, name string) (text, by string) {
	if flag != "" {
		return flag, "--" + name
	}
	env := "STORE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	return a.getenv(env), env
}

// cacheFolder returns the folder of what may be forgotten, or "" when there shall be none.
func (a *app) cacheFolder() string {
	if a.g.noCache {
		return ""
	}
	if dir := first(a.g.cacheDir, a.getenv("STORE_CACHE_DIR")); dir != "" {
		return dir
	}
	if dir := a.getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "savepoint")
	}
	if home := a.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".cache", "savepoint")
	}
	return "/var/cache/savepoint"
}

// again returns the global flags that a shown command needs to reach the same repository: those given, and always --repo.
func (a *app) again() []string { return a.againWith(false) }

// againWith is again, without any secret where the command names a recovery kit to take it from.
func (a *app) againWith(kit bool) []string {
	args := []string{"--repo", a.repoText()}
	secret := a.g
	if secret.passwordFile+secret.passwordCommand+secret.keyFile+secret.identity == "" { // files that the environment names can be shown
		secret.passwordFile, secret.keyFile, secret.identity = a.getenv("STORE_PASSWORD_FILE"), a.getenv("STORE_KEY_FILE"), a.getenv("STORE_IDENTITY")
	}
	if kit {
		secret.passwordFile, secret.passwordCommand, secret.keyFile, secret.identity = "", "", "", ""
	}
	for _, f := range []struct {
		flag, value string
		isPath      bool
	}{
		{"--config", first(a.g.config, a.getenv("STORE_CONFIG")), true},
		{"--password-file", secret.passwordFile, true},
		{"--password-command", secret.passwordCommand, false},
		{"--key-file", secret.keyFile, true},
		{"--identity", secret.identity, true},
		{"--cache-dir", a.g.cacheDir, true},
	} {
		if f.value == "" {
			continue
		}
		if abs, err := filepath.Abs(f.value); err == nil && f.isPath {
			f.value = abs
		}
		args = append(args, f.flag, f.value)
	}
	if a.g.noCache {
		args = append(args, "--no-cache")
	}
	return args
}
