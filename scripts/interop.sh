#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# interop.sh: qpeer against other QUIC stacks, as client and as server, over a bad line.
set -euo pipefail
export LC_ALL=C
usage() {
  cat <<'HELP'
usage: scripts/interop.sh [--all] [--jobs N] [--dashes] [--case NAME]... [--bin DIR] [--list] [PEER...]
Runs qpeer-hq as client and as server against other QUIC stacks, with a relay in between that delays, loses,
corrupts and rebinds, and that watches: a cell is green when every file arrives with the right SHA-256 and
what its case asks for was seen. The last line is "interop: G green, R red of N".
Peers are installed when they are missing, from Debian's packages and npm, into the user's cache folder.
  --all         all peers, and the cases in full size; writes docs/interop.md. With PEER or --case only
                those cells are run, and the page keeps the others as they are
  --jobs N      so many peers at a time (default: 1)
  --dashes      tries also what a peer is known not to do; not with --all
  --case NAME   only this case (may be repeated)
  --bin DIR     the folder of qpeer-hq and qpeer-relay (default: build/release/bin)
  --list        print the names of peers and cases
  PEER...       only these (default: ngtcp2)
QPEER_INTEROP_LOGS=DIR keeps what every program said, and what the relay saw of each datagram. Exit status: 0 all green, 1 something red, 2 wrong
usage, 77 no peer can be had here.
HELP
}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tests=$root/tests/interop
# shellcheck source=scripts/lib/common.sh
. "$root/scripts/lib/common.sh"
# shellcheck source=scripts/lib/processes.sh
. "$root/scripts/lib/processes.sh"
# shellcheck source=tests/interop/peers/peers.sh
. "$tests/peers/peers.sh"
# shellcheck source=tests/interop/peers/cases.sh
. "$tests/peers/cases.sh"

misuse() {
  echo "interop.sh: $*" >&2
  exit 2
}
is_one_of() { case " ${2//$'\n'/ } " in *" $1 "*) true ;; *) false ;; esac; }

all= dashes= jobs=1 bin=$root/build/release/bin wanted=() cases=()
while [ $# -gt 0 ]; do
  case $1 in
    --all) all=1 ;;
    --dashes) dashes=1 ;;
    --jobs)
      [[ ${2-} =~ ^[1-9]$ ]] || misuse "--jobs wants a number from 1 to 9"
      jobs=$2
      shift ;;
    --case)
      is_one_of "${2-}" "$CASES" || misuse "no case '${2-}' (see --list)"
      cases+=("$2")
      shift ;;
    --bin)
      bin=$(realpath -m -- "${2:?}")
      shift ;;
    --list)
      echo "peers: $PEERS"
      echo "cases:" $CASES
      exit ;;
    -h | --help) usage; exit ;;
    -*) misuse "unknown option '$1' (see --help)" ;;
    *)
      is_one_of "$1" "$PEERS" || misuse "no peer '$1' (see --list)"
      wanted+=("$1") ;;
  esac
  shift
done
for program in qpeer-hq qpeer-relay; do
  [ -x "$bin/$program" ] || misuse "$bin/$program is missing: build it, or give --bin"
done
[ -z "$all" ] || [ -z "$dashes" ] || misuse "--dashes is not for the page of --all"
whole= # All that the page shows is run.
if [ -n "$all" ] && [ ${#wanted[@]} = 0 ] && [ ${#cases[@]} = 0 ]; then whole=1; fi
if [ ${#wanted[@]} = 0 ]; then
  if [ -n "$all" ]; then read -r -a wanted <<<"$PEERS"; else wanted=(ngtcp2); fi
fi
# shellcheck disable=SC2206
[ ${#cases[@]} -gt 0 ] || cases=($CASES)

begin_processes interop
www=$scratch/www certificates=$scratch/certificates tally=$scratch/tally
logs=${QPEER_INTEROP_LOGS:-$scratch/logs}
results=$root/build/interop # One file a cell: colour, what was run and when, cause.
if [ -n "$whole" ]; then rm -rf "$results"; fi
mkdir -p "$www" "$logs" "$results"
# --- files ----------------------------------------------------------------------------------------
long_names=()
make_files() {
  local i size name
  for size in 1k 5k 10k 100k 200k 300k 500k 1m 2m 3m 5m 10m; do
    head -c "$(sed 's/k/000/; s/m/000000/' <<<"$size")" /dev/urandom >"$www/f$size"
  done
  for i in {1..1999}; do printf '%-32d' "$i" >"$www/m$i"; done
  for i in {1..50}; do head -c 1000 /dev/urandom >"$www/k$i"; done
  for i in {1..40}; do
    printf -v name 'n%0189d' "$i"
    printf '%-32d' "$i" >"$www/$name"
    long_names+=("$name")
  done
  "$tests/certificates.sh" "$certificates"
}

# --- one cell -------------------------------------------------------------------------------------
# start_on_port LOG FUNCTION: FUNCTION sets `command` for $host and $port; sets $child
start_on_port() {
  for _ in 1 2 3; do
    free_udp_port
    "$2"
    start_child "$1" "${command[@]}"
    if wait_udp_port "$child" "$port"; then return 0; fi
    stop_child "$child" || true
  done
  return 1
}
relay() { # With an Ethernet's MTU: on a loopback that lets 64 KB pass, two datagrams are a window.
  command=("$bin/qpeer-relay" --listen "$(literal "$host"):$port" --to "$(literal "$host"):$behind" "${line[@]}" --mtu 1452 ${QPEER_INTEROP_LOGS:+--trace})
}

# run_client NAME LOG FILE...: one process that fetches these
run_client() {
  local name=$1 to=$2 files=("${@:3}") status=0
  "client_$name"
  run_child "$limit" "$to" "${command[@]}" || status=$?
  if [ $status = 124 ]; then echo "the client had not ended after $limit s"; fi
  if [ $status != 0 ] && [ $status != 124 ]; then echo "the client's exit status is $status"; fi
}

# run_clients NAME: as many processes as the case and the client need
run_clients() {
  local name=$1 at=0 running pid file begin=$SECONDS
  local -a all_files=("${files[@]}")
  if [ "$name" = qpeer ] || [ "$steps$parallel" = 1 ]; then
    run_client "$name" "$log.client" "${files[@]}"
  elif [ -n "$parallel" ]; then
    for ((at = 0; at < ${#all_files[@]}; at += parallel)); do
      running=()
      for file in "${all_files[@]:at:parallel}"; do
        local files=("$file")
        "client_$name"
        start_child "$log.client-$file" timeout --kill-after=2 "$limit" setpriv --pdeathsig KILL "${command[@]}"
        running+=("$child")
      done
      for pid in "${running[@]}"; do
        wait "$pid" || true
        stop_child "$pid" || true
      done
      if [ $((SECONDS - begin)) -gt "$limit" ]; then
        echo "the clients had not ended after $limit s"
        break
      fi
    done
    tail -n +1 "$log".client-* >"$log.client"
    rm -f "$log".client-*
  else # The second step finds in $state what the first remembered.
    run_client "$name" "$log.client-1" "${all_files[0]}"
    run_client "$name" "$log.client" "${all_files[@]:1}"
  fi
}

arrived() { # all files, equal
  (cd "$www" && sha256sum -- "${files[@]}") | (cd "$out" && sha256sum --check --quiet --strict -) >"$log.sums" 2>&1
}

# verdict SERVER CLIENT: nothing when the cell is green, else why it is red
verdict() {
  local behind server_pid relay_pid name value
  local flags=("${server_flags[@]}")
  if ! start_on_port "$log.server" "server_$1"; then echo "the server did not start"; return; fi
  server_pid=$child behind=$port
  if ! start_on_port "$log.relay" relay; then echo "the relay did not start"; return; fi
  relay_pid=$child flags=("${client_flags[@]}")
  run_clients "$2"
  sleep 0.2 # The last words are still under way.
  stop_child "$relay_pid" || true
  stop_child "$server_pid" || true
  while read -r name value; do saw[$name]=$value; done < <(grep -E '^[a-z0-9_]+ [0-9]+$' "$log.relay")
  ln -sf "$log.$ours" "$log.ours"
  if ! arrived; then echo "what arrived differs: $(head -n 1 "$log.sums")"; fi
  "check_$case"
}

# cell PEER ROLE-OF-THE-PEER: of the case $case
cell() {
  local peer=$1 role=$2 log=$logs/$case.$2.$1 out=$scratch/out state=$scratch/state started why ours child remark=
  local -A saw=()
  local server_flags client_flags certificate key authorities=$certificates/ca.crt helpers=()
  rm -rf "$out" "$state"
  mkdir -p "$out" "$state"
  defaults
  "case_$case"
  peer_flags "$role" "$peer" "$case"
  certificate=$certificates/$kind.crt key=$certificates/$kind.key
  if [ -n "$dashes" ]; then cannot=; fi
  if [ "$host" = ::1 ] && ! grep -q ' lo$' /proc/net/if_inet6 2>/dev/null; then cannot="this machine has no IPv6"; fi
  if [ -n "$cannot" ]; then
    tell "-" 0 "$cannot"
    return
  fi
  started=${EPOCHREALTIME/./}
  if [ "$role" = server ]; then
    server_flags=("${theirs[@]}") client_flags=("${ours_client[@]}") ours=client
    verdict "$peer" qpeer >"$scratch/why"
  else
    server_flags=("${ours_server[@]}") client_flags=("${theirs[@]}") ours=server
    verdict qpeer "$peer" >"$scratch/why"
  fi
  for child in "${helpers[@]}"; do stop_child "$child" || true; done
  if [ -s "$scratch/why" ]; then explain "$role" "$peer" "$case" >>"$scratch/why"; fi
  why=$(paste -s -d '\t' "$scratch/why" | sed 's/\t/; /g')
  if [ -z "$why" ]; then tell green $(((${EPOCHREALTIME/./} - started) / 1000)) "$remark"
  else tell RED $(((${EPOCHREALTIME/./} - started) / 1000)) "$why"; fi
}

tell() { # tell COLOUR MILLISECONDS CAUSE
  local more=
  echo "$1" >>"$tally"
  if [ "$1" = RED ]; then
    more=$(tail -q -n 3 "$log.client" "$log.server" 2>/dev/null | cut -c 1-160 | sed 's/^/    /') || true
    more=$'\n'$more
  fi
  printf '%-6s %-8s %-20s %-5s %6d ms  %s\n' "$role" "$peer" "$case" "$1" "$2" "$3$more"
  if [ -n "$all" ]; then printf '%s\t%s\t%s\n' "$1" "$what" "$3" >"$results/$peer.$role.$case"; fi
}

# cells PEER: all of them; in a subshell, which has a scratch folder and children of its own
cells() {
  local peer=$1 case
  begin_processes "interop-$peer"
  for case in "${cases[@]}"; do
    kill -0 $$ || return # Nobody waits any more.
    cell "$peer" server
    is_server_only "$peer" || cell "$peer" client
  done
}

version_of_qpeer() {
  local version
  version=$(sed -n 's/^#define QPEER_VERSION_[A-Z]* \([0-9]*\)$/\1/p' "$root/transport/qpeer/version.hpp" | paste -sd.)
  echo "qpeer $version$(git -C "$root" describe --always --dirty=+ --abbrev=10 2>/dev/null | sed 's/^/ at /')"
}

# --- all of it ------------------------------------------------------------------------------------
installed=()
for peer in "${wanted[@]}"; do
  status=0
  install_peer "$peer" || status=$?
  case $status in
    0)
      installed+=("$peer")
      version_of "$peer" >"$results/$peer.version" ;;
    77) echo "interop.sh: $peer is left out" >&2 ;;
    *) exit 1 ;;
  esac
done
[ ${#installed[@]} -gt 0 ] || { echo "interop.sh: no peer can be had here" >&2; exit 77; }
make_files
what="$(version_of_qpeer), $(date -u +%F)"
: >"$tally"
echo "role and name of the peer, case:"
await_cells() { # of one peer
  local ended
  wait -n -p ended || exit 1
  forget_child "$ended"
}
for peer in "${installed[@]}"; do
  [ ${#CHILDREN[@]} -lt "$jobs" ] || await_cells
  cells "$peer" &
  CHILDREN+=($!)
done
while [ ${#CHILDREN[@]} -gt 0 ]; do await_cells; done
green=$(grep -c green "$tally") || true
red=$(grep -c RED "$tally") || true
if [ -n "$all" ]; then "$tests/page.sh" "$results" >"$root/docs/interop.md"; fi
echo "interop: $green green, $red red of $((green + red))"
[ "$red" = 0 ] && [ "$green" -gt 0 ]
