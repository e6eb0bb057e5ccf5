package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// beneath reports whether inner is outer or lies in it, whatever symbolic links and bind mounts lead there. What of inner does
// not exist yet is judged by the folder that it will be made in.
func beneath(inner, outer string) (bool, error) {
	top, err := os.Stat(outer)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	real, err := realPath(inner)
	if err != nil {
		return false, err
	}
	for {
		info, err := os.Stat(real)
		if err != nil {
			return false, err
		}
		if os.SameFile(info, top) {
			return true, nil
		}
		up := filepath.Dir(real)
		if up == real {
			return false, nil
		}
		real = up
	}
}

// realPath resolves symbolic links in the part of path that exists and returns that part.
func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for {
		real, err := filepath.EvalSymlinks(abs)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return real, err
		}
		abs = filepath.Dir(abs)
	}
}
