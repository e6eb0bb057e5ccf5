package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// systemFile is the configuration of the whole host.
const systemFile = "/etc/savepoint/store.yaml"

// Find returns the path of the configuration file: flag (the value of
// --config), else env (that of STORE_CONFIG), else the first that exists of
// $XDG_CONFIG_HOME/savepoint/store.yaml (by default in ~/.config) and
// /etc/savepoint/store.yaml. It returns "" if there is none, which is no
// error. A file that is named explicitly need not exist; Load will say so.
func Find(flag, env string, getenv func(string) string) (path string, err error) {
	return find(flag, env, getenv, systemFile)
}

func find(flag, env string, getenv func(string) string, system string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if env != "" {
		return env, nil
	}
	for _, path := range []string{userFile(getenv), system} {
		if path == "" {
			continue
		}
		_, err := os.Stat(path)
		switch {
		case err == nil:
			return path, nil
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		default:
			// Falling through to another file would run under a policy that
			// the user did not mean.
			return "", fmt.Errorf("find the configuration: %w", err)
		}
	}
	return "", nil
}

// userFile returns where the user's own configuration would be, or "" where
// neither XDG_CONFIG_HOME nor HOME says. A relative one is ignored, as the
// specification of these folders asks.
func userFile(getenv func(string) string) string {
	dir := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "savepoint", "store.yaml")
}
