package main

import (
	"path/filepath"

	"github.com/spf13/pflag"
)

// globals are the flags that every command has.
type globals struct {
	repo, config                           string
	passwordFile, passwordCommand, keyFile string
	cacheDir                               string
	noCache, json, quiet                   bool
	verbose                                int
	logFormat                              string
}

func (g *globals) register(f *pflag.FlagSet) {
	f.StringVarP(&g.repo, "repo", "r", "", "repository: a path or file:///path (env STORE_REPO, configuration)")
	f.StringVar(&g.config, "config", "", "configuration file (env STORE_CONFIG; else ~/.config/savepoint/store.yaml, /etc/savepoint/store.yaml)")
	f.StringVar(&g.passwordFile, "password-file", "", "file that holds the password; only its owner may read it (env STORE_PASSWORD_FILE)")
	f.StringVar(&g.passwordCommand, "password-command", "", "shell command that prints the password (env STORE_PASSWORD_COMMAND)")
	f.StringVar(&g.keyFile, "key-file", "", "machine key file (env STORE_KEY_FILE); only its owner may read it")
	f.StringVar(&g.cacheDir, "cache-dir", "", "folder for what may be forgotten (env STORE_CACHE_DIR, default ~/.cache/savepoint)")
	f.BoolVar(&g.noCache, "no-cache", false, "keep nothing on this host; two backups of one source are then not told apart")
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
func (a *app) again() []string {
	args := []string{"--repo", a.repoText()}
	secret := a.g
	if secret.passwordFile+secret.passwordCommand+secret.keyFile == "" { // files that the environment names can be shown
		secret.passwordFile, secret.keyFile = a.getenv("STORE_PASSWORD_FILE"), a.getenv("STORE_KEY_FILE")
	}
	for _, f := range []struct {
		flag, value string
		isPath      bool
	}{
		{"--config", first(a.g.config, a.getenv("STORE_CONFIG")), true},
		{"--password-file", secret.passwordFile, true},
		{"--password-command", secret.passwordCommand, false},
		{"--key-file", secret.keyFile, true},
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
