#!/bin/bash
# Sees to it that the Debian packages which the tests need are installed: as
# root it installs the missing ones, as anybody else it names them and fails.
set -euo pipefail

packages=(
    gcc libc6-dev                         # the race detector links against libc
    age b3sum zstd python3-cryptography   # the second reader of the format
    rsync attr acl                        # comparing trees with all metadata
    strace                                # the order of fsync and rename
    restic                                # the peer in benchmarks
    postgresql-15                         # a real cluster directory to back up
    sqlite3                               # the probe of its databases
    util-linux libcap2-bin                # unshare, mount and capabilities: full disks, other users
)

if ! command -v dpkg-query >/dev/null; then
    # Not Debian: the commands count, wherever they come from.
    missing=()
    for tool in gcc age b3sum zstd python3 rsync getfattr getfacl restic sqlite3 strace unshare capsh; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) && exit 0
    echo "deps: these programs are missing: ${missing[*]}" >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
done
((${#missing[@]} == 0)) && exit 0

if ((EUID != 0)); then
    echo "deps: these packages are missing: ${missing[*]}" >&2
    echo "deps: install them with: apt-get update && apt-get install ${missing[*]}" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -q </dev/null
apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null
