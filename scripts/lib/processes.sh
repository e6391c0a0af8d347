# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# processes.sh: child processes that never outlive the script, a scratch folder that goes with it, free
# UDP ports. Sourced, never run; the script calls begin_processes once, early.
#
# Everything runs in the background and is waited for, because bash runs a trap only between foreground
# commands. Children also die with the script when it is killed outright (setpriv, of util-linux).

CHILDREN=() # process ids
scratch=    # the folder

begin_processes() { # begin_processes NAME: makes $scratch, arms the traps; a subshell may have its own
  CHILDREN=()
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/qpeer-$1.XXXXXX")
  trap end_processes EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

end_processes() {
  trap '' HUP INT TERM
  local child
  for child in "${CHILDREN[@]}"; do kill "$child" 2>/dev/null || true; done
  for child in "${CHILDREN[@]}"; do stop_child "$child" || true; done
  if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
}

# start_child LOG COMMAND...: in the background, both outputs into LOG; sets $child
start_child() {
  local log=$1
  shift
  : >"$log" # There at once, for whoever looks into it.
  setpriv --pdeathsig KILL "$@" >"$log" 2>&1 </dev/null &
  child=$!
  CHILDREN+=("$child")
}

# stop_child PID [SECONDS]: ends one child, by force if it does not go in time (6 s; a node takes
# at most three to say goodbye). Returns its status.
stop_child() {
  kill "$1" 2>/dev/null || true
  await_child "$@"
}

# await_child PID [SECONDS]: the same for one that is to go by itself
await_child() {
  local pid=$1 status=0 ticks=$((${2-6} * 20))
  for ((; ticks > 0; --ticks)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || status=$?
  forget_child "$pid"
  return $status
}

forget_child() { # forget_child PID: that ended
  local other left=()
  for other in "${CHILDREN[@]}"; do
    if [ "$other" != "$1" ]; then left+=("$other"); fi
  done
  CHILDREN=("${left[@]}")
}

# run_child SECONDS LOG COMMAND...: runs it to its end, both outputs into LOG; 124 when it took too long
run_child() {
  local limit=$1 log=$2 child status=0
  shift 2
  start_child "$log" timeout --kill-after=2 "$limit" setpriv --pdeathsig KILL "$@"
  wait "$child" || status=$?
  stop_child "$child" 2>/dev/null || true
  return $status
}

# socket_of_udp_port PORT: the inodes of the sockets bound to that UDP port, from the kernel's tables
sockets_of_udp_port() {
  local hex
  printf -v hex ':%04X' "$1"
  cat /proc/net/udp /proc/net/udp6 2>/dev/null | awk -v port="$hex" 'substr($2, length($2) - 4) == port { print $10 }'
}

free_udp_port() { # sets $port: below the range from which the kernel picks, so that it cannot take it
  for _ in {1..200}; do
    port=$((20000 + RANDOM % 10000))
    if [ -z "$(sockets_of_udp_port "$port")" ]; then return 0; fi
  done
  return 1
}

# wait_udp_port PID PORT: until PID itself is bound to PORT; false when it ended, or after ten seconds
wait_udp_port() {
  local pid=$1 port=$2 socket
  for _ in {1..200}; do
    for socket in $(sockets_of_udp_port "$port"); do
      if [ -n "$(find "/proc/$pid/fd" -lname "socket:\[$socket\]" 2>/dev/null)" ]; then return 0; fi
    done
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.05
  done
  return 1
}
