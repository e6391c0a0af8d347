# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# vanishing_address.sh: a transfer in the middle of which the address of the peer that fetches vanishes. Sourced, never
# run; needs processes.sh and namespaces.sh.
#
#   near 198.51.100.18 ---- first line ---- .17 far 203.0.113.1    each is a network namespace: the machine's own
#        198.51.100.34 ---- second line --- .33                    network is not touched

# shellcheck disable=SC2034,SC2154  # $obstacle is for who sources this; $scratch and $child are of processes.sh.

readonly LINE_RATE=150mbit # So that the transfer takes long enough for something to happen in the middle.
readonly FIRST_LINE=198.51.100.18 SECOND_LINE=198.51.100.34
PATH=$PATH:/usr/sbin:/sbin # Where an ordinary user does not look for ip and tc.

# make_two_lines: the namespaces 'far' and 'near', and what is between them. Fails where that cannot be, and sets $obstacle
make_two_lines() {
  local program said=$scratch/two-lines.log
  for program in ip tc unshare nsenter; do
    if ! command -v "$program" >/dev/null; then
      obstacle="'$program' is missing"
      return 1
    fi
  done
  if ! { own_namespaces && make_machine far && make_machine near && connect_two_lines; } 2>"$said"; then
    obstacle="no network namespaces with slow lines here: $(tail -n 1 "$said")"
    return 1
  fi
}
own_namespaces() { [ "$(id -u)" = 0 ] || make_user_namespace; }

connect_two_lines() {
  give far lo 203.0.113.1/32 || return 1
  connect_line line1 198.51.100.17/28 $FIRST_LINE/28 || return 1
  connect_line line2 198.51.100.33/28 $SECOND_LINE/28 || return 1
  on near ip route add default via 198.51.100.17
}
connect_line() { # connect_line DEVICE ADDRESS ADDRESS: of 'far' and of 'near'
  connect far "$1" near "$1" && give far "$1" "$2" && give near "$1" "$3" &&
    on far tc qdisc add dev "$1" root tbf rate $LINE_RATE burst 100k latency 20ms
}

# come_by DEVICE: the bytes that 'near' has received there
come_by() { on near cat /proc/net/dev | awk -v device="$1:" '$1 == device { print $2 }'; }

# address_vanishes QPEER FILE OPTION...: fetches FILE from 'far', and takes the first address of 'near' away in the middle.
# What happened is one line on standard output; when it is not as it must be, the reason is one on the error output.
address_vanishes() {
  local qpeer=$1 file=$2 log=$scratch/far.log got=$scratch/got-by-two-lines size ticks contact node fetching before after status=0
  shift 2
  size=$(stat -L -c %s -- "$file")
  mkdir "$scratch/far" "$scratch/near"
  cp -- "$file" "$scratch/far/file"
  start_on far "$log" "$qpeer" node --json --listen 203.0.113.1:4477 --store "$scratch/far" --allow-anyone \
    --no-port-mapping "$@"
  node=$child
  for ((ticks = 200; ticks > 0; --ticks)); do
    contact=$(sed -n 's/.*"event":"listening".*"contact":"\([^"]*\)".*/\1/p' "$log")
    [ -z "$contact" ] || break
    sleep 0.05
  done
  start_on near "$got" "$qpeer" get file -o "$scratch/near/file" --from "$contact" --json --timeout 5 "$@"
  fetching=$child
  for ((ticks = 200; ticks > 0; --ticks)); do
    before=$(come_by line1)
    [ "$before" -lt $((size / 4)) ] || break
    sleep 0.05
  done
  on near ip addr del $FIRST_LINE/28 dev line1
  on near ip route replace default via 198.51.100.33
  await_child "$fetching" 20 || status=$?
  stop_child "$node" || true
  before=$(come_by line1) after=$(come_by line2)
  if [ $status != 0 ]; then echo "the transfer did not go on: $(tail -n 1 "$got")" >&2; return 1; fi
  cmp -s "$file" "$scratch/near/file" || { echo "what came is not what was sent" >&2; return 1; }
  if [ "$before" -lt $((size / 8)) ] || [ "$after" -lt $((size / 8)) ]; then
    echo "the address did not vanish in the middle: $before bytes came before, $after after" >&2
    return 1
  fi
  if [ "$(grep -c '"event":"link_up"' "$log")" != 1 ]; then echo "it took more than one connection" >&2; return 1; fi
  echo "$FIRST_LINE vanished after $((before >> 20)) MiB; the other $((after >> 20)) MiB came to $SECOND_LINE, by the same connection"
}
