#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# demo.sh [--trust MODE] [FILE]: the story of a network, each peer a process on this machine, each step
# checked: nodes join through one contact and prove that they can be reached, one that cannot goes on as a
# client, messages, requests and a file cross, a stranger is turned away, the contact dies for good, all the
# others come back from their caches alone, and a transfer survives the loss of its address. Sets up and
# builds what is missing first.
set -euo pipefail
export LC_ALL=C
usage() {
  cat <<'HELP'
usage: scripts/demo.sh [--trust MODE] [FILE]
Builds qpeer, starts five nodes, a sixth that nobody can reach, and two clients, tells their story and
ends with a table of who reached whom, how, and how fast. One step needs network namespaces, which root and most
ordinary users may make; where it cannot be shown, it says why. FILE (default: 32 MiB of random bytes) is what
a client sends to a node. MODE is pinned (default), encrypt, ca or system: the peers have keys of their
own, so that under the last two nobody believes them, and the demo fails and says why.
Exit status: 0 all of that held, 1 something did not, 2 wrong usage.
HELP
}
die() {
  echo "demo: $1" >&2
  exit "${2:-1}"
}
file='' trust=pinned
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --trust=*) trust=${1#*=} ;;
    --trust)
      [ $# -ge 2 ] || die "--trust needs a MODE (see --help)" 2
      trust=$2
      shift ;;
    -?*) die "unknown flag '$1' (see --help)" 2 ;;
    *)
      [ -z "$file" ] || die "one file at a time (see --help)" 2
      if [ ! -f "$1" ] || [ ! -r "$1" ]; then die "there is no file '$1' that can be read" 2; fi
      file=$(realpath -- "$1") ;;
  esac
  shift
done
case $trust in
  pinned | encrypt | ca | system) ;;
  *) die "'$trust' is no mode of trust: pinned, encrypt, ca or system (see --help)" 2 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/common.sh
. scripts/lib/common.sh
# shellcheck source=scripts/lib/processes.sh
. scripts/lib/processes.sh
# shellcheck source=tests/natlab/namespaces.sh
. tests/natlab/namespaces.sh
# shellcheck source=scripts/lib/vanishing_address.sh
. scripts/lib/vanishing_address.sh

readonly MADE_SIZE=$((32 << 20))
readonly WAIT=${QPEER_DEMO_WAIT:-20} # Seconds for anything to happen.
readonly NODES=(one two three four five)
readonly CLIENTS=(alice bob)
begin_processes demo
# The build of those who work on qpeer, if there is one; else one as anybody makes it, who is not to be stopped by
# a compiler's warning.
folder=build/demo
if [ -e build/release/CMakeCache.txt ]; then folder=build/release; fi
qpeer=${QPEER:-$folder/bin/qpeer}
declare -A pid port_of id log # Of each peer.
round=1

step() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }
good() { printf '        %s\n' "$*"; }

build() {
  [ -z "${QPEER-}" ] || return 0
  local built=build/demo.log
  mkdir -p build
  if run_child 3600 "$built" bash -c "cmake -G Ninja -S . -B $folder && cmake --build $folder --target qpeer_cli"; then
    return 0
  fi
  grep -E -m 10 'error|FAILED|Error' "$built" >&2 || tail -n 10 "$built" >&2
  die "the build failed (all of it: $built)"
}

# --- what peers tell, one JSON object a line ----------------------------------------------------
json() { # json KEY: its value in each line on standard input, without quotes
  sed -n -E 's/.*"'"$1"'": ?("([^"]*)"|([^",}]*)).*/\2\3/p'
}
events() { # events NAME EVENT [PATTERN]: those lines of the peer's log
  grep -F "{\"event\":\"$2\"" "${log[$1]}" 2>/dev/null | grep -E -- "${3-.}" || true
}
name_of() { # name_of ID
  local name
  for name in "${!id[@]}"; do
    if [ "${id[$name]}" = "$1" ]; then echo "$name"; return; fi
  done
  echo "${1:0:8}..."
}
# await NAME EVENT PATTERN WHAT: until the log has it; else dies with WHAT and what the peer said last
await() {
  local ticks
  for ((ticks = WAIT * 20; ticks > 0; --ticks)); do
    [ -z "$(events "$1" "$2" "$3")" ] || return 0
    kill -0 "${pid[$1]}" 2>/dev/null || break
    sleep 0.05
  done
  local why
  why=$(events "$1" not_joined | json text | tail -n 1)
  if [ -z "$why" ]; then why=$(tail -n 1 "${log[$1]}"); fi
  die "$4${why:+ ($why)}"
}
links_of() { events "$1" link_up '"role":"node"' | json peer | sort -u | wc -l; } # links_of NAME: how many nodes it met

# --- peers --------------------------------------------------------------------------------------
# common_flags NAME: sets $flags
common_flags() {
  flags=(--json --key "$scratch/$1.key" --cache "$scratch/$1.cache" --trust "$trust" --timeout 5)
  if [ "$trust" = ca ]; then flags+=(--ca "$scratch/ca/ca.pem"); fi
  log[$1]=$scratch/$1.$round.log
}
start_node() { # start_node NAME FLAG...
  local name=$1 flags
  shift
  common_flags "$name"
  start_child "${log[$name]}" "$qpeer" node --listen "127.0.0.1:${port_of[$name]}" --store "$scratch/$name" \
    --allow-anyone --say "hello from $name" --dial-back-timeout 2 "${flags[@]}" "$@"
  pid[$name]=$child
  await "$name" listening . "the node '$name' did not start"
}
start_client() { # start_client NAME FLAG...: its requests are the lines of $scratch/NAME.in
  local name=$1 flags
  shift
  common_flags "$name"
  [ -p "$scratch/$name.in" ] || mkfifo "$scratch/$name.in"
  # shellcheck disable=SC2016
  start_child "${log[$name]}" bash -c 'in=$1; shift; exec "$@" <>"$in"' - "$scratch/$name.in" \
    "$qpeer" client "${flags[@]}" "$@"
  pid[$name]=$child
}
stop_all() { # stop_all NAME...: at once, and well
  local name
  for name; do kill -TERM "${pid[$name]}"; done
  for name; do
    await_child "${pid[$name]}" "$WAIT" || die "'$name' did not end well (status $?)"
  done
}
ask() { # ask CLIENT TEXT ANSWER
  echo "$2" >"$scratch/$1.in"
  await "$1" reply "\"text\":\"$3\"" "'$1' asked '$2' and got no good answer"
}
checked() { # checked WHAT LOG COMMAND...: dies, with what was said, when the command fails
  local what=$1 out=$2 status=0
  shift 2
  run_child $((WAIT * 4)) "$out" "$@" || status=$?
  [ $status = 0 ] || die "$what: $(tail -n 1 "$out")"
}
sha256_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

# --- the story ----------------------------------------------------------------------------------
nodes_join() {
  local name
  step "the node 'one' begins a network (trust: $trust)"
  start_node one
  contact=$(events one listening | json ticket)
  good "$contact"
  step "four more join through it alone, and prove that they can be reached"
  for name in "${NODES[@]:1}"; do
    start_node "$name" --contact "$contact"
    await "$name" bootstrapped . "the node '$name' did not join"
    await "$name" reachability_verdict '"reachable":true' "nobody found that '$name' can be reached"
    good "$name joined in $(events "$name" bootstrapped | json took_ms | head -n 1) ms; verdict: reachable"
  done
}

hidden_node() { # hidden_node FLAG...
  start_node hidden --advertise "127.0.0.1:$closed" "$@"
  await hidden reachability_verdict '"reachable":false' "nobody found that 'hidden' cannot be reached"
  await hidden now_client . "'hidden' did not go on as a client"
  await hidden link_up '"how":"as client"' "'hidden' was not welcome as a client"
  good "verdict: $(events hidden reachability_verdict '"reachable":false' | json verdict | head -n 1); now a client"
}

everybody_talks() {
  local name
  step "two clients join, and ask"
  for name in "${CLIENTS[@]}"; do
    start_client "$name" --contact "$contact"
    await "$name" bootstrapped . "the client '$name' did not join"
    ask "$name" "echo good morning, says $name" "good morning, says $name"
    good "$name asked on a bidirectional stream, and was answered in $(events "$name" reply | json took_ms) ms"
  done
  step "nodes greet each other on unidirectional streams"
  for name in "${NODES[@]}"; do
    await "$name" message '"text":"hello from ' "'$name' got no message"
    good "$name heard: $(events "$name" message | json text | sort -u | paste -sd, | sed 's/,/, /g')"
  done
}

file_crosses() {
  local sent=$scratch/sent.log flags stored sum other
  step "a file of $(stat -L -c %s -- "$file") bytes crosses to 'three'"
  common_flags sender
  checked "the file was not sent" "$sent" "$qpeer" send "$file" --name file \
    --to "$(events three listening | json contact)" "${flags[@]}"
  stored=$scratch/three/$(json stored_as <"$sent")
  await three stored . "'three' does not tell that it stored the file"
  checked "the file was not fetched" "$scratch/got.log" "$qpeer" get file -o "$scratch/back" \
    --from "$(events three listening | json contact)" "${flags[@]}"
  sum=$(sha256_of "$file")
  for other in "$(json sha256 <"$sent")" "$(events three stored | json sha256)" "$(sha256_of "$stored")" \
    "$(sha256_of "$scratch/back")"; do
    [ "$other" = "$sum" ] || die "the checksums DIFFER"
  done
  good "$(json cipher <"$sent"), $(json gbit_per_second <"$sent") Gbit/s there, $(json gbit_per_second <"$scratch/got.log") back"
  good "SHA-256 of sender, receiver, sha256sum and fetched back: $sum"
}

strangers() {
  local status=0 flags name
  step "a node that believes only our own authority turns a stranger away"
  for name in guard member; do
    checked "no certificate" "$scratch/ca.log" "$qpeer" ca issue "$scratch/ca" --name 127.0.0.1 --out "$scratch/$name"
  done
  log[guard]=$scratch/guard.log
  start_child "${log[guard]}" "$qpeer" node --json --listen 127.0.0.1:0 --trust ca --ca "$scratch/ca/ca.pem" \
    --cert "$scratch/guard.pem" --cert-key "$scratch/guard.key"
  pid[guard]=$child
  await guard listening . "the guarded node did not start"
  flags=(--to "$(events guard listening | json contact)" --trust ca --ca "$scratch/ca/ca.pem" --timeout 3)
  checked "the guarded node does not answer a member" "$scratch/member.log" \
    "$qpeer" request "echo member" "${flags[@]}" --cert "$scratch/member.pem" --cert-key "$scratch/member.key"
  good "a member is answered: $(<"$scratch/member.log")"
  run_child "$WAIT" "$scratch/stranger.log" "$qpeer" request "echo stranger" "${flags[@]}" || status=$?
  [ $status = 1 ] || die "the stranger was not turned away (status $status)"
  good "the stranger is told: $(sed 's/^[^@]*@[^ ]* //' "$scratch/stranger.log" | tail -n 1)"
  stop_child "${pid[guard]}" 10 || die "the guarded node did not end well"
}

everybody_knows_another() { # Besides the first contact: what they will come back through.
  local name ticks
  for name in "${NODES[@]:1}" "${CLIENTS[@]}" hidden; do
    for ((ticks = WAIT * 20; ticks > 0; --ticks)); do
      [ "$(links_of "$name")" -lt 2 ] || break
      sleep 0.05
    done
    [ "$(links_of "$name")" -ge 2 ] || die "'$name' met nobody but its first contact"
  done
}

restart_from_caches() {
  local name others=("${NODES[@]:1}" "${CLIENTS[@]}" hidden)
  everybody_knows_another
  step "the first contact is killed for good; all the others stop"
  kill -KILL "${pid[one]}"
  stop_child "${pid[one]}" 2>/dev/null || true
  stop_all "${others[@]}"
  step "they start again with no contact, and rejoin from their caches alone"
  round=2
  for name in "${NODES[@]:1}"; do start_node "$name"; done
  for name in "${CLIENTS[@]}"; do start_client "$name"; done
  hidden_node
  for name in "${NODES[@]:1}" "${CLIENTS[@]}"; do
    await "$name" bootstrapped . "'$name' did not come back"
    good "$name came back through $(name_of "$(events "$name" bootstrapped | json peer | head -n 1)") in $(events "$name" bootstrapped | json took_ms | head -n 1) ms"
  done
  for name in "${NODES[@]:1}"; do
    await "$name" message '"text":"hello from ' "'$name' got no message after the restart"
  done
  ask alice "echo still here" "still here"
}

returns_early() { # A node chosen at random may be one that gave no ticket yet: then once more.
  local try
  step "bob stops, and comes back while the nodes go on: its first request leaves with the handshake (0-RTT)"
  for try in 3 4 5; do
    stop_all bob
    round=$try
    start_client bob
    await bob bootstrapped . "'bob' did not come back"
    [ -z "$(events bob bootstrapped '"early_bytes":[1-9]')" ] || break
  done
  [ -n "$(events bob bootstrapped '"early_bytes":[1-9]')" ] || die "nothing of bob's request arrived in the first flight"
  good "$(events bob bootstrapped | json early_bytes) bytes of bob's request arrived in the first flight; back in $(events bob bootstrapped | json took_ms) ms"
  await bob link_up '"role":"node"' "'bob' has no link"
}

address_goes() { # In namespaces: this machine's own network stays as it is.
  local obstacle
  step "the address of a peer vanishes in the middle of a transfer, which goes on from another address"
  if ! make_two_lines; then
    good "left out: $obstacle"
    return 0
  fi
  head -c "$MADE_SIZE" /dev/urandom >"$scratch/long"
  address_vanishes "$qpeer" "$scratch/long" --trust "$trust" >"$scratch/said" 2>&1 || die "$(tail -n 1 "$scratch/said")"
  good "$(<"$scratch/said")"
}

table() {
  local name line rows=0
  echo
  printf '  %-8s %-8s %-13s %12s %12s\n' who whom how handshake "round trip"
  for name in "${NODES[@]:1}" hidden "${CLIENTS[@]}"; do
    while read -r line; do
      rows=$((rows + 1))
      printf '  %-8s %-8s %-13s %9s ms %9s ms\n' "$name" "$(name_of "$(json peer <<<"$line")")" \
        "$(json how <<<"$line")" "$(json handshake_ms <<<"$line")" "$(json rtt_ms <<<"$line")"
    done < <(events "$name" link_up '"role":"node"' | awk -F'"peer":"' '!seen[substr($2, 1, 56)]++')
  done
  echo
  [ $rows -ge 7 ] || die "only $rows links after the restart"
}

main() {
  local name closed contact flags
  if [ -z "${QPEER-}" ]; then
    step "setting up"
    run_child 3600 "$scratch/setup.log" scripts/setup.sh || { cat "$scratch/setup.log" >&2; die "the set-up failed"; }
    step "building (at first for some minutes; log: build/demo.log)"
    build
  fi
  "$qpeer" --help >/dev/null 2>&1 || die "$qpeer does not start"
  SECONDS=0
  if [ -z "$file" ]; then
    file=$scratch/random
    head -c "$MADE_SIZE" /dev/urandom >"$file"
  fi
  for name in "${NODES[@]}" hidden; do
    free_udp_port || die "there is no free port"
    port_of[$name]=$port
  done
  free_udp_port || die "there is no free port"
  closed=$port
  for name in "${NODES[@]}" "${CLIENTS[@]}" hidden; do
    id[$name]=$("$qpeer" id --key "$scratch/$name.key")
  done
  checked "no authority" "$scratch/ca.log" "$qpeer" ca init "$scratch/ca"

  nodes_join
  step "'hidden' says node, but the port that it advertises is closed"
  hidden_node --contact "$contact"
  everybody_talks
  file_crosses
  strangers
  restart_from_caches
  returns_early
  address_goes
  stop_all "${NODES[@]:1}" "${CLIENTS[@]}" hidden
  table
  echo "demo: all of it held, in $SECONDS s"
}

main
