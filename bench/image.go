package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// imageSize is the length of the image file in bytes; it is sparse, so it takes what is used.
	imageSize = 60 << 30
	// touched is how much of it is written once before anything is measured.
	touched = 12 << 30
)

// touchBlocks writes a file and removes it: who first writes a block of a sparse image pays for its allocation outside, and that would
// always be the tool that goes first.
func touchBlocks(ctx context.Context, path string) error {
	err := runQuiet(command(ctx, "", "dd", "if=/dev/zero", "of="+path, "bs=4M", fmt.Sprintf("count=%d", touched/(4<<20)), "conv=fsync", "status=none"))
	return errors.Join(err, os.Remove(path))
}

// mountImage makes an ext4 with a journal in a file beneath dir and mounts it. It needs root and a loop device. The
// function it returns unmounts it and removes the file.
//
// A new file system is the same for all tools, whatever happened on the disk before. On an ext4 without a journal, which
// some virtual machines have, the kernel passes over inodes that were freed within the last minutes, one by one:
// removing one restored tree makes the next restore many times slower.
func mountImage(ctx context.Context, dir string) (mounted string, unmount func() error, err error) {
	image := filepath.Join(dir, "image")
	mounted = filepath.Join(dir, "mounted")
	if err := os.Mkdir(mounted, 0o755); err != nil {
		return "", nil, err
	}
	f, err := os.OpenFile(image, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", nil, err
	}
	if err := errors.Join(f.Truncate(imageSize), f.Close()); err != nil {
		return "", nil, err
	}
	if err := runQuiet(command(ctx, "", "mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)); err != nil {
		return "", nil, err
	}
	if err := runQuiet(command(ctx, "", "mount", "-o", "loop", image, mounted)); err != nil {
		return "", nil, fmt.Errorf("mount the image (this needs root and loop devices; without -image any folder will do): %w", err)
	}
	if err := touchBlocks(ctx, filepath.Join(mounted, "blocks")); err != nil {
		return "", nil, err
	}
	return mounted, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return errors.Join(runQuiet(command(ctx, "", "umount", mounted)), os.Remove(image), os.Remove(mounted))
	}, nil
}
