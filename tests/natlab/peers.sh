# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# peers.sh: qpeer's programs and STUN servers on the machines of the laboratory. Sourced, never run; needs topology.sh and $qpeer.
# shellcheck disable=SC2034,SC2154  # What it sets, $qpeer of who sources this, and what processes.sh sets.

declare -A ID=() PROGRAM=() # of the peer on each machine
began=0                     # in microseconds

start_clock() { began=${EPOCHREALTIME/[^0-9]/}; }
read_clock() { # sets $took: seconds since start_clock
  local microseconds=$((${EPOCHREALTIME/[^0-9]/} - began))
  printf -v took '%d.%02d' $((microseconds / 1000000)) $((microseconds % 1000000 / 10000))
}

# appears FILE PATTERN SECONDS: until a line there matches; sets $took, by the clock, or to nothing
appears() {
  local ticks=$(($3 * 25))
  for ((; ticks > 0; --ticks)); do
    if grep -q -E -- "$2" "$1" 2>/dev/null; then
      read_clock
      return 0
    fi
    sleep 0.04
  done
  took=
  return 1
}

# start_node MACHINE OPTION...: a node that listens on port 4477; its lines go to $scratch/MACHINE.log
start_node() {
  local machine=$1 log=$scratch/$1.log clock=$began
  shift
  start_on "$machine" "$log" "$qpeer" node --json --key "$scratch/$machine.key" "$@"
  PROGRAM[$machine]=$child
  if ! appears "$log" '"event":"listening"' 20; then
    echo "natlab: the node on $machine does not listen: $(tail -n 1 "$log")" >&2
    return 1
  fi
  ID[$machine]=$(sed -n 's/.*"event":"listening".*"id":"\([a-z2-7]*\)".*/\1/p' "$log" | head -n 1)
  began=$clock
}

# start_network: nodes on h1 and h2, linked to each other; h3 is a stranger to both. Sets $contact and $contact6
start_network() {
  make_internet 3
  start_node h1 --no-port-mapping
  contact=${ID[h1]}@11.1.0.2:4477
  contact6="${ID[h1]}@[2a00:1::2]:4477"
  start_clock
  start_node h2 --no-port-mapping --contact "$contact"
  appears "$scratch/h2.log" '"event":"reachability_verdict".*"reachable":true' 20 ||
    { echo "natlab: the public nodes do not link" >&2; return 1; }
}

# asks MACHINE PEER SECONDS: whether its request is answered in time; sets $took, of this request, or to nothing
asks() {
  local clock=$began answered=
  start_clock
  if run_on "$1" $(($3 + 5)) "$scratch/ask.log" "$qpeer" request 'echo hello' --to "$2" --timeout "$3" &&
    grep -q hello "$scratch/ask.log"; then answered=1; fi
  read_clock
  began=$clock
  if [ -z "$answered" ]; then took=; fi
  [ -n "$answered" ]
}

# answers_by PEER SECONDS: until a stranger's request is answered; sets $took, by the clock, or to nothing
answers_by() {
  local end=$((SECONDS + $2))
  while [ $SECONDS -lt $end ]; do
    if asks h3 "$1" 1; then
      read_clock
      return 0
    fi
  done
  took=
  return 1
}

# event_field MACHINE EVENT FIELD: of the newest such event
event_field() {
  sed -n 's/.*"event":"'"$2"'".*"'"$3"'":"\([^"]*\)".*/\1/p' "$scratch/$1.log" | tail -n 1
}

# start_stun_server MACHINE ADDRESS...: coturn, at port 3478. With two addresses it answers from the other one, too: RFC 5780
start_stun_server() {
  local machine=$1 file=$scratch/stun-$1 address words=()
  shift
  for address; do words+=(-L "$address"); done
  start_on "$machine" "$file.log" "${TURNSERVER[@]}" -n --stun-only --no-cli --no-tls --no-dtls --no-tcp "${words[@]}" \
    --userdb "$file.users" --log-file stdout --pidfile "$file.pid"
  for _ in {1..200}; do
    if on "$machine" grep -q -i ':0D96' /proc/net/udp; then return 0; fi
    sleep 0.05
  done
  echo "natlab: turnserver does not run: $(tail -n 1 "$file.log")" >&2
  return 1
}
