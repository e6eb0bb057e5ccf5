#!/bin/bash
# Runs every fuzz target of the module for a time: fuzz.sh DURATION [PACKAGE...]
set -euo pipefail

duration=${1:?usage: fuzz.sh DURATION [PACKAGE...]}
shift
(($# > 0)) || set -- ./...

# `go test -list` prints the targets of a package and then "ok  	PACKAGE  	TIME".
listing=$(go test -list '^Fuzz' "$@")
targets=$(awk '/^Fuzz/ { names[n++] = $1 }
    $1 == "ok" { for (i = 0; i < n; i++) print $2, names[i]; n = 0 }' <<<"$listing")
[[ -n $targets ]] || { echo "fuzz: no targets in $*" >&2; exit 1; }

while read -r package name; do
    echo "== $package $name ($duration)"
    go test -run '^$' -fuzz "^$name\$" -fuzzminimizetime 1s -fuzztime "$duration" "$package" </dev/null
done <<<"$targets"
