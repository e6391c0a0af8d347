#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# strangers_test.sh BIN_DIR: what peers can do to a node as a process: fill its output, its store and its
# time, and follow links out of the store.
set -euo pipefail
qpeer=$(realpath -- "$1")/qpeer
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin_test strangers
refused() { # refused WHY COMMAND...: with status 1, and nothing was written meanwhile
  local why=$1
  shift
  expect 1 "$@"
  says "the node refused it: $why"
  if compgen -G "store/.qpeer-part-*" >/dev/null; then fail "a refused file left something"; fi
}
head -c 10000 /dev/urandom >data
: >empty

# --- an output that is not read ----------------------------------------------------------------
mkfifo lines
exec 8<>lines # Keeps it open, and reads nothing.
free_udp_port
"$qpeer" id --key mute.key >id
mute=$(<id)@127.0.0.1:$port
start_child mute.log bash -c 'exec "$@" >lines 2>lines' - "$qpeer" node --listen "127.0.0.1:$port" --key mute.key
wait_udp_port "$child" "$port" || fail "the node does not listen"
long=$(head -c 3900 /dev/zero | tr '\0' x)
for number in {1..40}; do
  run_child 20 out "$qpeer" request "echo $number $long" --to "$mute" --timeout 3 ||
    { fail "a node whose output is not read does not answer request $number"; break; }
done
kill -TERM "$child"
await_child "$child" 10 || fail "a node whose output is not read does not end well"
exec 8<&-

# --- who may store ------------------------------------------------------------------------------
one=$("$qpeer" id --key one.key)
"$qpeer" id --key other.key >id
start_node closed --store store
refused "this node takes no files from you" "$qpeer" send data --to "$peer" --key one.key
echo hello >store/given
expect 0 "$qpeer" get given -o got --from "$peer"
stop_child "$node" 10 || fail "the node did not end well"
start_node open --store store --allow-store "$one"
expect 0 "$qpeer" send data --to "$peer" --key one.key --name mine
refused "this node takes no files from you" "$qpeer" send data --to "$peer" --key other.key
stop_child "$node" 10 || fail "the node did not end well"
start_node private --store store --allow "$one"
expect 0 "$qpeer" send empty --to "$peer" --key one.key
expect 1 "$qpeer" request id --to "$peer" --key other.key --timeout 3
stop_child "$node" 10 || fail "the node did not end well"
rm -r store

# --- how much -----------------------------------------------------------------------------------
start_node quota --store store --allow-anyone --quota 48KiB --peer-quota 20KiB
expect 0 "$qpeer" send data --to "$peer" --key one.key
refused "there is no room for it; the share of one peer is 20.0 KiB" "$qpeer" send data --to "$peer" --key one.key
expect 0 "$qpeer" send empty --to "$peer" --key one.key
expect 0 "$qpeer" send data --to "$peer" --key other.key
expect 0 "$qpeer" send data --to "$peer"
refused "there is no room for it; all files together may take 48.0 KiB" "$qpeer" send empty --to "$peer"
stop_child "$node" 10 || fail "the node did not end well"
start_node quota --store store --allow-anyone --max-files 4
refused "there is no room for it; there may be 4 files" "$qpeer" send empty --to "$peer"
stop_child "$node" 10 || fail "the node did not end well"

# --- links --------------------------------------------------------------------------------------
echo secret >secret
mkdir below
echo secret >below/secret
ln -s ../secret store/link
ln -s ../below store/below
ln -s data store/alias
start_node links --store store
for name in link below alias; do
  refused "there is no such file" "$qpeer" get "$name" -o got --from "$peer"
done
expect 0 "$qpeer" request files --to "$peer"
if grep -E 'link|below|alias' out; then fail "a link is named as a file"; fi
stop_child "$node" 10 || fail "the node did not end well"

end_test
