#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# boxes_test.sh: the routers of the laboratory do what their kinds say, before anything is measured behind them; and
# nothing of a laboratory is left when it is killed. Exit status 77: there can be none here; the reason is told.
set -euo pipefail
# shellcheck source=tests/natlab/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
begin_lab
failed=0
fail() {
  echo "FAILED: $*"
  failed=1
}

check_box() { # check_box NAME OUTSIDE: the claims about it
  local words=() machine
  for machine in a a2 h1 h2; do words+=("$machine=$(namespace_of "$machine")"); done
  python3 "$natlab/boxes.py" "$1" "$2" "${words[@]}" || fail "$1: $? claims do not hold"
}

make_internet 2
make_site a none 2
for kind in $ROUTER_KINDS 6/firewall 6/open; do
  set_site a "$kind"
  case $kind in
    none | firewall) check_box "$kind" 13.1.0.2 ;;
    *) check_box "$kind" "${OUTSIDE[a]}" ;;
  esac
done

set_site a full-cone
readdress a 12.101.0
echo "after readdress:"
check_box full-cone "${OUTSIDE[a]}"
for kind in port-restricted address-restricted; do
  set_site a $kind
  set_mapping_timeout a 2
  check_box "$kind timeout" ""
done

add_mobile a port-restricted
go_mobile a
echo "by the second uplink:"
check_box port-restricted 14.1.0.2
go_home a
SITE_TIMEOUT[a]=$MAPPING_SECONDS
set_site a port-restricted
echo "by the first again:"
check_box port-restricted "${OUTSIDE[a]}"

# A laboratory that is killed outright: none of its processes, and so none of its namespaces, lives on.
cat >"$scratch/victim.sh" <<VICTIM
. "$natlab/lab.sh"
begin_lab
make_internet 1
echo "\${NAMESPACE[net]} \${NAMESPACE[h1]} \$scratch"
start_child "\$scratch/idle" sleep infinity
wait
VICTIM
for signal in TERM KILL; do
  start_child "$scratch/victim" bash "$scratch/victim.sh"
  victim=$child
  for _ in {1..200}; do
    if [ -s "$scratch/victim" ]; then break; fi
    sleep 0.05
  done
  read -r one other folder <"$scratch/victim"
  kill "-$signal" "$victim"
  stop_child "$victim" 2>/dev/null || true
  sleep 0.2
  for process in $one $other; do
    if readlink "/proc/$process/ns/net" >/dev/null; then fail "after SIG$signal a namespace is still held"; fi
  done
  if [ $signal = TERM ] && [ -e "$folder" ]; then fail "after SIGTERM there is still $folder"; fi
  rm -rf "$folder"
done
[ $failed = 0 ] && echo "the routers do what their kinds say"
exit $failed
