#!/usr/bin/env bash
# demo.sh [FILE]: two nodes and a client, each a process of its own on this machine; the client sends FILE
# (or 256 MiB made on the spot) to a node. It succeeds only when the sender's, the receiver's and an
# independent SHA-256 are the same. Sets up and builds what is missing first.
set -euo pipefail
export LC_ALL=C
usage() {
  cat <<'HELP'
usage: scripts/demo.sh [FILE]
Builds qpeer, starts two nodes, sends FILE (default: 256 MiB of random bytes) from a client to the first,
compares the checksums, and tells cipher, handshake time, rate and round-trip times.
Exit status: 0 all of that held, 1 something did not, 2 wrong usage.
HELP
}
die() {
  echo "demo: $1" >&2
  exit "${2:-1}"
}
file=
for argument; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    -?*) die "unknown flag '$argument' (see --help)" 2 ;;
    *)
      [ -z "$file" ] || die "one file at a time (see --help)" 2
      if [ ! -f "$argument" ] || [ ! -r "$argument" ]; then die "there is no file '$argument' that can be read" 2; fi
      file=$(realpath -- "$argument") ;;
  esac
done
[ $# = 0 ] || [ -n "$file" ] || die "there is no file '' that can be read" 2
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/common.sh
. scripts/lib/common.sh
# shellcheck source=scripts/lib/processes.sh
. scripts/lib/processes.sh

readonly MADE_SIZE=$((256 << 20))
begin_processes demo
qpeer=build/release/bin/qpeer

# --- set up and build ---------------------------------------------------------------------------
step() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }

build() {
  local log=build/demo.log
  mkdir -p build
  if run_child 3600 "$log" bash -c 'cmake --preset release && cmake --build --preset release --target qpeer_cli'; then
    return 0
  fi
  grep -E -m 10 'error|FAILED|Error' "$log" >&2 || tail -n 10 "$log" >&2
  die "the build failed (all of it: $log)"
}

# --- programs -----------------------------------------------------------------------------------
# start_node NAME: sets $address to where it listens; its files go to $scratch/NAME
start_node() {
  local name=$1 log=$scratch/$1.log
  mkdir "$scratch/$name"
  start_child "$log" "$qpeer" node --listen 127.0.0.1:0 --store "$scratch/$name" --key "$scratch/$name.key"
  for _ in {1..200}; do
    address=$(sed -n 's/^.*listening on \([^ ]*:[0-9]*\).*$/\1/p' "$log" | head -n 1)
    if [ -n "$address" ]; then return 0; fi
    kill -0 "$child" 2>/dev/null || break
    sleep 0.05
  done
  tail -n 5 "$log" >&2
  die "the node '$name' did not start"
}

json() { # json FILE KEY: the value of a key of a flat object, without quotes
  sed -n -E 's/.*"'"$2"'": *("([^"]*)"|([^",}]*)).*/\2\3/p' "$1" | head -n 1
}

human() { # human BYTES: 268435456 -> 256.0 MiB
  awk -v n="$1" 'BEGIN {
    split("Ki Mi Gi Ti", prefix, " ")
    for (i = 0; n >= 1024 && i < 4; ++i) n /= 1024
    printf(i ? "%.1f %sB" : "%d B", n, prefix[i])
  }'
}

sha256_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

need_space() { # need_space BYTES: in the temporary folder
  local free
  free=$(($(df -Pk "$scratch" | awk 'NR == 2 { print $4 }') * 1024))
  [ "$free" -ge "$1" ] ||
    die "$(human "$1") are needed in ${TMPDIR:-/tmp}, of which $(human "$free") are free"
}

# checked SECONDS WHAT LOG COMMAND...: dies, with what was said, when the command fails
checked() {
  local limit=$1 what=$2 log=$3 status=0
  shift 3
  run_child "$limit" "$log" "$@" || status=$?
  if [ $status = 0 ]; then return 0; fi
  tail -q -n 5 "$log" "$scratch"/{first,second}.log >&2
  if [ $status = 124 ]; then what="$what: no end within $limit s"; fi
  die "$what"
}

main() {
  local made='' size limit name status
  local -A node pid # Address and process of each.
  step "setting up"
  run_child 3600 "$scratch/setup.log" scripts/setup.sh || { cat "$scratch/setup.log" >&2; die "the set-up failed"; }
  step "building (at first for a minute or two; log: build/demo.log)"
  build
  "$qpeer" --help >/dev/null 2>&1 || die "$qpeer does not start"

  if [ -z "$file" ]; then
    file=$scratch/random
    made=" of random bytes, made for this"
    need_space $((2 * MADE_SIZE))
    head -c "$MADE_SIZE" /dev/urandom >"$file"
  else
    need_space "$(stat -L -c %s -- "$file")"
  fi
  size=$(stat -L -c %s -- "$file")

  step "starting two nodes"
  for name in first second; do
    start_node "$name"
    node[$name]=$address pid[$name]=$child
  done
  step "a client sends $(human "$size")$made to the first"
  limit=$((60 + size / 1000000)) # At least a megabyte a second.
  checked "$limit" "the file was not sent" "$scratch/send.log" \
    "$qpeer" send "$file" --to "${node[first]}" --name file --json
  for name in first second; do
    checked 20 "the $name node does not answer" "$scratch/ping-$name.log" \
      "$qpeer" ping "${node[$name]}" --count 5 --interval 0.05 --quiet
  done
  for name in first second; do
    status=0
    stop_child "${pid[$name]}" || status=$?
    [ $status = 0 ] || die "the $name node ended with status $status"
  done
  report
}

# report: what was measured, and whether the checksums agree
report() {
  local sent=$scratch/send.log stored sender receiver independent
  stored=$scratch/first/$(json "$sent" stored_as)
  sender=$(json "$sent" sha256)
  receiver=$(sed -n 's/^stored .* sha256=//p' "$scratch/first.log")
  independent=$(sha256_of "$stored")
  line() { printf '  %-11s %s\n' "$1" "$2"; }
  line cipher "$(json "$sent" cipher), $(json "$sent" group)"
  line handshake "$(json "$sent" handshake_ms) ms"
  line rate "$(json "$sent" gbit_per_second) Gbit/s ($(json "$sent" seconds) s)"
  line "round trip" "$(round_trip first) ms to the first node, $(round_trip second) ms to the second (of five, average)"
  line sender "$sender"
  line receiver "$receiver"
  line sha256sum "$independent"
  [[ $sender =~ ^[0-9a-f]{64}$ ]] || die "the sender told no checksum"
  if [ "$sender" != "$receiver" ] || [ "$sender" != "$independent" ] || [ "$sender" != "$(sha256_of "$file")" ]; then
    die "the checksums DIFFER"
  fi
  echo "demo: sender, receiver and sha256sum agree"
}

round_trip() { sed -n -E 's/.* avg ([0-9.]+) .*/\1/p' "$scratch/ping-$1.log"; }

main
