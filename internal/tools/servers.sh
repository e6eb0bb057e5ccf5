#!/bin/bash
# Sees to it that the servers which the tests of S3 run against, and MinIO's client, are in .tools (or in STORE_TOOLS),
# in the versions that internal/miniotest/servers.txt pins. What is there is used again; an interrupted build leaves
# nothing behind that looks like a program.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
pinned=$here/../miniotest/servers.txt
tools=${STORE_TOOLS:-$here/../../.tools}
mkdir -p "$tools"
tools=$(cd "$tools" && pwd)

build=
trap '[[ -z $build ]] || rm -rf "$build"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A program of another module is built outside of ours, and -mod has no meaning there.
flags=()
for flag in ${GOFLAGS:-}; do
    [[ $flag == -mod=* || $flag == -modfile=* ]] || flags+=("$flag")
done

while read -r name package version; do
    program=$tools/$name@$version
    [[ -f $program && -x $program ]] && continue
    echo "servers: building $name $version into $tools (some minutes, once)"
    [[ -n $build ]] || build=$(mktemp -d "$tools/.build.XXXXXX")
    started=$SECONDS
    if ! (cd "$build" && GOFLAGS=${flags[*]:-} GOWORK=off GOBIN=$build CGO_ENABLED=0 \
        go install -trimpath -ldflags '-s -w' "$package@$version") </dev/null; then
        echo "servers: $name $version could not be built (go install $package@$version, see above)" >&2
        echo "servers: the tests of S3 need it; 'make quick' does without" >&2
        exit 1
    fi
    mv "$build/$name" "$program"
    echo "servers: $name took $((SECONDS - started)) s"
done <"$pinned"
