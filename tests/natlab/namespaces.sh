# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# namespaces.sh: machines of the laboratory, one network namespace each. Sourced, never run; needs processes.sh.
#
# A namespace has no name outside this process: a sleeping child holds it open, and all devices are inside. So two
# laboratories cannot meet, and nothing is left when this process ends, however it ends: its children die with it,
# and the kernel removes a namespace in which nobody is.

# shellcheck disable=SC2154  # $scratch and $child are of processes.sh.

declare -A NAMESPACE=() # machine: the process that holds it
AS_OWNER=()             # How a command becomes root of the machines: root is.

# has_left NAMESPACE LOG: whether $child is in one of its own; false when it ended, with its reason in LOG
has_left() {
  local own there
  own=$(readlink "/proc/$$/ns/$1")
  for _ in {1..250}; do
    there=$(readlink "/proc/$child/ns/$1" 2>/dev/null) || true
    if [ -n "$there" ] && [ "$there" != "$own" ]; then return 0; fi
    if [ -s "$2" ]; then break; fi
    sleep 0.02
  done
  echo "natlab: no namespace: $(tail -n 1 "$2")" >&2
  return 1
}

make_user_namespace() { # for an ordinary user, before the first machine
  start_child "$scratch/user.namespace" unshare --user --map-root-user sleep infinity
  has_left user "$scratch/user.namespace" || return 1
  AS_OWNER=(nsenter "--user=/proc/$child/ns/user" --preserve-credentials)
}

make_machine() { # make_machine NAME
  start_child "$scratch/$1.namespace" "${AS_OWNER[@]}" unshare --net sleep infinity
  has_left net "$scratch/$1.namespace" || return 1
  NAMESPACE[$1]=$child
  on "$1" ip link set lo up
}

has_machine() { [ -n "${NAMESPACE[$1]-}" ]; }
namespace_of() { echo "/proc/${NAMESPACE[$1]}/ns/net"; }

on() { # on MACHINE COMMAND...: runs it there, to its end
  local machine=$1
  shift
  "${AS_OWNER[@]}" nsenter "--net=/proc/${NAMESPACE[$machine]}/ns/net" "$@"
}

start_on() { # start_on MACHINE LOG COMMAND...: in the background; sets $child
  local machine=$1 log=$2
  shift 2
  start_child "$log" "${AS_OWNER[@]}" nsenter "--net=/proc/${NAMESPACE[$machine]}/ns/net" "$@"
}

run_on() { # run_on MACHINE SECONDS LOG COMMAND...: to its end, at most so long
  local machine=$1 limit=$2 log=$3
  shift 3
  run_child "$limit" "$log" "${AS_OWNER[@]}" nsenter "--net=/proc/${NAMESPACE[$machine]}/ns/net" "$@"
}

connect() { # connect MACHINE DEVICE MACHINE DEVICE: a cable between two
  on "$1" ip link add "$2" type veth peer name "$4" netns "${NAMESPACE[$3]}" || return 1
  on "$1" ip link set "$2" up
  on "$3" ip link set "$4" up
}

give() { # give MACHINE DEVICE ADDRESS/LENGTH...: IPv4 or IPv6
  local machine=$1 device=$2 address
  shift 2
  for address; do
    case $address in
      *:*) on "$machine" ip -6 addr add "$address" dev "$device" nodad ;;
      *) on "$machine" ip addr add "$address" dev "$device" ;;
    esac
  done
}

routes_packets() { # routes_packets MACHINE: it is a router, which tells nobody of better ways
  # shellcheck disable=SC2016  # The inner shell expands it.
  on "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    for file in /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 >"$file"; done'
}
