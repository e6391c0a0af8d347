# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# lib.sh: what the tests of the command line have in common. Sourced, never run, by a test that has
# set $qpeer; the test calls begin_test once, and end_test at its end.
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/processes.sh"

begin_test() { # begin_test NAME: works in a folder of its own
  export LC_ALL=C
  begin_processes "$1"
  cd "$scratch" || exit 1
  failures=0
}
end_test() { # the status says whether all held
  echo "$failures failed"
  exit "$((failures != 0))"
}
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}
expect() { # expect STATUS COMMAND...: both outputs into out
  local wanted=$1 status=0
  shift
  run_child 60 out "$@" || status=$?
  [ "$status" = "$wanted" ] || { fail "$*: status $status, should be $wanted"; cat out; }
}
says() { # says TEXT [LOG]
  grep -q -F -- "$1" "${2-out}" || { fail "not said: $1"; cat "${2-out}"; }
}
await() { # await LOG TEXT: until it is said
  for _ in {1..400}; do
    if grep -q -F -- "$2" "$1"; then return 0; fi
    sleep 0.05
  done
  fail "never said in $1: $2"
  cat "$1"
}
start_node() { # start_node NAME OPTION...: into NAME.log; sets $peer (ID@ADDRESS), $address and $node
  local name=$1
  shift
  start_child "$name.log" "$qpeer" node --listen 127.0.0.1:0 "$@"
  node=$child
  await "$name.log" "listening"
  peer=$(sed -n 's/^listening on [^ ]*, as \([^ ]*\)$/\1/p' "$name.log")
  address=${peer#*@}
}
