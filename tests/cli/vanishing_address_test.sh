#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# vanishing_address_test.sh BIN_DIR: the step of the demo that needs network namespaces: it goes on as root and as an
# ordinary user, and where it cannot be shown, it says why.
set -euo pipefail
export LC_ALL=C
qpeer=$(realpath -- "$1")/qpeer
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fail() {
  echo "FAILED: $1" >&2
  exit 1
}

# The step alone, as another process, so that it may belong to another user.
# shellcheck disable=SC2016  # The inner shell expands it.
step='set -euo pipefail
cd "$1"
. scripts/lib/processes.sh
. tests/natlab/namespaces.sh
. scripts/lib/vanishing_address.sh
begin_processes vanishing
[ -z "${3-}" ] || PATH=$3
if ! make_two_lines; then echo "left out: $obstacle"; exit 77; fi
head -c 16777216 /dev/urandom >"$scratch/long"
address_vanishes "$2" "$scratch/long"'

goes_on() { # goes_on COMMAND...: in front of the step
  local said status=0
  said=$("$@" bash -c "$step" - "$root" "$qpeer") || status=$?
  echo "$said"
  if [ $status = 77 ]; then
    [[ $said == "left out: "* ]] || fail "no reason why it is left out"
    ! "$@" unshare "${may[@]}" ip link add a type veth peer name b 2>/dev/null || fail "it is left out without need"
  elif [ $status != 0 ] || [[ $said != "198.51.100.18 vanished after "*" by the same connection" ]]; then
    fail "the transfer did not go on"
  fi
}

may=(--user --map-root-user --net)
if [ "$(id -u)" = 0 ]; then
  may=(--net)
  goes_on env
  may=(--user --map-root-user --net)
  # Where the checkout is out of that user's reach there is nothing to try.
  nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  if "${nobody[@]}" test -x "$qpeer"; then goes_on "${nobody[@]}" env TMPDIR=/tmp; fi
else
  goes_on env
fi

# Without ip.
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
for program in bash id rm mktemp tail; do ln -s "$(command -v $program)" "$empty/"; done
status=0
said=$(bash -c "$step" - "$root" "$qpeer" "$empty" 2>&1) || status=$?
[ "$status: $said" = "77: left out: 'ip' is missing" ] || fail "without ip: status $status: $said"
echo "all of it held"
