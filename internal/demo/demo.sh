#!/bin/bash
# Makes a small game world, backs it up, plays on, backs up again, brings the world back as it was at the first moment, and proves
# with a drill that it could; then damages a copy of the repository, and shows who sees that.
#
#	demo.sh STORE    the program to show; works in a folder of its own and removes it
set -euo pipefail

store=$(realpath "$1")
work=$(mktemp -d /tmp/demo-XXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$store" "$work/bin/store"
PATH=$work/bin:$PATH
world() { "$work/world-tool" "$@"; }
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '\033[36m$ store %s\033[0m\n' "$*"; store "$@"; }
seconds() { awk -v a="$1" -v b="$(date +%s%N)" 'BEGIN { printf "%.2f s", (b - a) / 1e9 }'; }
size() { du -sh --apparent-size "$1" | cut -f1; }

# expect CODE ARGUMENT...: runs store, and says with what it ended.
expect() {
	local want=$1 code=0
	shift
	run "$@" || code=$?
	printf 'exit %s\n' "$code"
	[[ $code == "$want" ]] || { printf 'it should have been %s\n' "$want"; exit 1; }
}

# flip FILE: turns over every bit of the byte in the middle.
flip() {
	local at byte
	at=$(($(stat -c %s "$1") / 2))
	byte=$(od -An -tu1 -j "$at" -N1 "$1")
	printf "\\x$(printf %x $((byte ^ 255)))" | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}

go build -o "$work/world-tool" ./internal/corpus/cmd/world
export XDG_CACHE_HOME=$work/cache XDG_CONFIG_HOME=$work/config TZ=UTC
unset STORE_REPO STORE_PASSWORD STORE_CONFIG STORE_KEY_FILE STORE_CACHE_DIR
cd "$work"

say "A small game world: player profiles, world regions, a ledger, logs"
world -seed 7 -scale 4 make game
printf '%s in %s files\n' "$(size game)" "$(find game -type f | wc -l)"

say "A repository in a folder, a password in a file that only we can read, and a dataset with a name"
mkdir config config/savepoint
cat > config/savepoint/store.yaml << end
repository: $work/repository
password_file: $work/password
datasets:
  world: {class: state, paths: [$work/game]}
end
run init --generate-password password

say "The first backup"
start=$(date +%s%N)
run backup --dataset world -v
printf 'took %s; the repository has %s\n' "$(seconds "$start")" "$(size repository)"
moment=$(date --utc +%Y-%m-%dT%H:%M:%S.%NZ)
cp -a game game-as-it-was
echo "The moment to come back to: $moment"

say "The world plays on, and is backed up again"
for seed in 1 2 3; do world -seed "$seed" play game; done
start=$(date +%s%N)
run backup --dataset world
printf 'took %s; the repository has %s\n' "$(seconds "$start")" "$(size repository)"
run snapshots

say "Something went wrong: bring back the world of $moment"
start=$(date +%s%N)
run restore --at "$moment" --target restored
printf 'took %s\n' "$(seconds "$start")"

say "Is it the same, names, bytes, times, owners, modes?"
world compare game-as-it-was restored

say "Everyone takes backups. Does this one restore, how fast, and how much would be lost?"
expect 0 drill --dataset world --rto 1m --rpo 1h

say "One flipped byte in a copy of the repository. Who sees it?"
cp -a repository copy
export STORE_REPO=$work/copy
run adopt
flip "$(find copy/data -type f -size +1M | sort | head -n1)"
expect 4 verify --read-data
expect 4 drill --dataset world

say "When was it last proven that a restore works?"
unset STORE_REPO
run health
