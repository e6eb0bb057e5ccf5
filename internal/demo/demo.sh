#!/bin/bash
# Makes a small game world, backs it up, plays on, backs up again, and brings
# the world back as it was at the first moment.
#
#	demo.sh STORE    the program to show; works in a folder of its own and removes it
set -euo pipefail

store=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
world() { "$work/world-tool" "$@"; }
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ store %s\n' "$*"; "$store" "$@"; }
seconds() { awk -v a="$1" -v b="$(date +%s%N)" 'BEGIN { printf "%.2f s", (b - a) / 1e9 }'; }
size() { du -sh --apparent-size "$1" | cut -f1; }

go build -o "$work/world-tool" ./internal/corpus/cmd/world
export XDG_CACHE_HOME=$work/cache XDG_CONFIG_HOME=$work/config
unset STORE_REPO STORE_PASSWORD STORE_CONFIG STORE_KEY_FILE
cd "$work"

say "A small game world: player profiles, world regions, a ledger, logs"
world -seed 7 -scale 4 make game
printf '%s in %s files\n' "$(size game)" "$(find game -type f | wc -l)"

say "A repository in a folder, with a generated password in a file that only we can read"
export STORE_REPO=$work/repository
run init --generate-password "$work/password"
export STORE_PASSWORD_FILE=$work/password

say "The first backup"
start=$(date +%s%N)
run backup -v "$work/game"
printf 'took %s; the repository has %s\n' "$(seconds "$start")" "$(size repository)"
moment=$(date --utc +%Y-%m-%dT%H:%M:%S.%NZ)
cp -a game game-as-it-was
echo "The moment to come back to: $moment"

say "The world plays on, and is backed up again"
for seed in 1 2 3; do world -seed "$seed" play game; done
start=$(date +%s%N)
run backup -v "$work/game"
printf 'took %s; the repository has %s\n' "$(seconds "$start")" "$(size repository)"
run snapshots

say "Something went wrong: bring back the world of $moment"
start=$(date +%s%N)
run restore -v --at "$moment" --target "$work/restored"
printf 'took %s\n' "$(seconds "$start")"

say "Is it the same, names, bytes, times, owners, modes?"
world compare game-as-it-was restored
