#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# peers_test.sh BIN_DIR: nodes and clients as processes: who joins, who is refused and says why, what they
# answer, and what their caches keep.
set -euo pipefail
qpeer=$(realpath -- "$1")/qpeer
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin_test peers
# --- two nodes ----------------------------------------------------------------------------------
start_node first --key first.key --say "first says hello"
first=$peer first_pid=$node
start_node second --contact "$first" --cache second.cache --say "second says hello"
second=$peer second_pid=$node
await second.log "joined through $first"
await second.log "verdict on us at ${second#*@}: reachable"
await first.log "verdict on ${second%@*} at ${second#*@}: reachable"
await first.log "message from ${second%@*}: second says hello"
await second.log "message from ${first%@*}: first says hello"

# --- requests -----------------------------------------------------------------------------------
expect 0 "$qpeer" request "echo good morning" --to "$first"
[ "$(<out)" = "good morning" ] || fail "the echo is $(<out)"
expect 0 "$qpeer" request peers --to "$first"
says "node $second dialled back"
expect 0 "$qpeer" request id --to "$second" --json
says "\"text\":\"$second\""
expect 1 "$qpeer" request sesame --to "$first"
says "the peer refused it"
expect 1 "$qpeer" send out --to "$first"
says "this node stores no files"
printf 'echo one\n\necho two' >asked
start_child asked.log bash -c 'exec "$@" <asked' - "$qpeer" client --contact "$first" --quiet
wait "$child" || fail "a client whose input ends has status $?"
[ "$(xargs <asked.log)" = "one two" ] || fail "a client prints $(<asked.log)"
start_child asked.log bash -c 'exec "$@" <asked' - "$qpeer" client --contact "$first" --json
wait "$child" || fail "a client whose input ends has status $?"
says '"event":"reply"' asked.log
says '"text":"two"' asked.log

# --- tickets ------------------------------------------------------------------------------------
ticket_of() { sed -n 's/^ticket \(qpeerticket1[a-z2-7]*\)$/\1/p' "$1"; } # ticket_of LOG
ticket=$(ticket_of first.log)
expect 0 "$qpeer" id --of "$ticket"
[ "$(xargs <out)" = "${first%@*} ${first#*@}" ] || fail "the ticket of a node at one address says $(<out)"
expect 0 "$qpeer" request "echo by ticket" --to "$ticket"
says "by ticket"
expect 0 "$qpeer" ping "  ${ticket^^}" --count 1 --quiet
expect 2 "$qpeer" request "echo by ticket" --to "${ticket::-1}"
says "the ticket was cut off"
wrong=${ticket::-1}
if [ "${ticket: -1}" = a ]; then wrong+=b; else wrong+=a; fi
expect 2 "$qpeer" request "echo by ticket" --to "$wrong"
says "the ticket is mistyped: its checksum does not match"
start_node third --contact "$ticket"
await third.log "joined through $first"
stop_child "$node" 10 || fail "the third node did not end well"
# A node at any address names those of this machine, and after one that is dead the next is dialled.
free_udp_port
start_child dead.log "$qpeer" node --listen 0.0.0.0:0 --no-port-mapping --advertise "127.0.0.1:$port" --json
dead=$child
await dead.log '"event":"listening"'
ticket=$(sed -n 's/^{"event":"listening".*"ticket":"\(qpeerticket1[a-z2-7]*\)".*/\1/p' dead.log)
says "{\"event\":\"ticket\",\"ticket\":\"$ticket\"}" dead.log
expect 0 "$qpeer" id --of "$ticket" --json
says "\"addresses\":[\"127.0.0.1:$port\""
if [ "$("$qpeer" id --of "$ticket" | wc -l)" -gt 2 ]; then # There is a network here.
  expect 0 "$qpeer" request "echo at last" --to "$ticket"
  says "at last"
fi
stop_child "$dead" 10 || fail "the node with a dead address did not end well"

# --- who is not believed, or not reached --------------------------------------------------------
other=$("$qpeer" id 2>/dev/null)
expect 1 "$qpeer" request id --to "$other@${first#*@}"
says "another peer answered"
expect 1 "$qpeer" client --contact "$other@${first#*@}"
says "no link"
start_node strict --allow "$other"
expect 1 "$qpeer" request id --to "$peer" --timeout 3
says "it does not trust our certificate"
await strict.log "it is not allowed"
stop_child "$node" 10 || fail "the strict node did not end well"
free_udp_port
start_node hidden --contact "$first" --advertise "127.0.0.1:$port" --key hidden.key
await hidden.log "verdict on us at 127.0.0.1:$port: the dial-back was refused, says ${first%@*}"
await hidden.log "going on as a client"
await hidden.log "link up: node $first, as client"
stop_child "$node" 10 || fail "a node that went on as a client did not end well"
start_child hidden.log "$qpeer" node --listen 127.0.0.1:0 --contact "$first" --advertise "127.0.0.1:$port" --node-only
wait "$child" && fail "--node-only ended with status 0"

# --- caches -------------------------------------------------------------------------------------
stop_child "$second_pid" 10 || fail "the second node did not end well"
expect 0 "$qpeer" cache show --cache second.cache
says "$first  last reached 20"
says "1 nodes, best first"
expect 0 "$qpeer" cache show --cache second.cache --json
says "\"id\":\"${first%@*}\",\"address\":\"${first#*@}\""
expect 0 "$qpeer" request "echo by cache" --cache second.cache
says "by cache"
expect 0 "$qpeer" cache export --cache second.cache
cp out exported
expect 0 "$qpeer" cache prune --cache second.cache --failures 1
says "removed 0, 1 are left"
expect 0 "$qpeer" cache prune --cache second.cache --id "${first%@*}"
says "removed 1, 0 are left"
expect 1 "$qpeer" request "echo by cache" --cache second.cache
says "there is nobody to ask"
expect 0 "$qpeer" cache import exported --cache second.cache
says "read 1 nodes, 1 of them new or newer; the cache has 1"
expect 0 "$qpeer" cache import exported --cache second.cache --json
says '"read":1,"taken":0,"nodes":1'
echo rubbish >rubbish
expect 1 "$qpeer" cache import rubbish --cache second.cache
says "rubbish: line 1: "
expect 1 "$qpeer" cache show --cache missing.cache
says "missing.cache: there is no such file"
# What is no cache belongs to another program, whichever command names it and through whatever link.
echo "Dear Sir or Madam" >letter
ln -s letter link
ls >before
for command in "node --listen 127.0.0.1:0" "client" "request id" "send out" "get out -o got" "cache show" \
  "cache prune --failures 1" "cache export" "cache import exported"; do
  read -r -a words <<<"$command"
  expect 1 "$qpeer" "${words[@]}" --cache link
  says "link: not a cache of qpeer; it is left as it is"
done
[ "$(<letter)" = "Dear Sir or Madam" ] || fail "a file that is no cache is now: $(<letter)"
ls | diff before - || fail "a file that is no cache was renamed, or got company"
start_node again --cache second.cache --json
await again.log '"event":"bootstrapped"'
kill -INT "$node"
await_child "$node" 10 || fail "SIGINT does not end a node with status 0"

# --- one key, several processes -----------------------------------------------------------------
start_node keyed --key shared.key --contact "$first"
keyed=$peer keyed_pid=$node
await keyed.log "joined through $first"
for word in one two; do
  expect 0 "$qpeer" request "echo $word" --key shared.key --to "$first"
done
start_child copy.log "$qpeer" node --listen 127.0.0.1:0 --key shared.key --contact "$first" --json
await copy.log '"event":"key_in_use"'
says "\"peer\":\"${keyed%@*}\",\"ours\":true,\"address\":\"${first#*@}\",\"by\":\"${first%@*}\"" copy.log
says "another node uses our key: $first refuses us" copy.log
await first.log "uses the key of ${keyed%@*}: it is refused"
stop_child "$child" 10 || fail "a node whose key is in use did not end well"
if grep -q "link down" keyed.log; then
  fail "others of its key took a node's link down"
  cat keyed.log
fi
stop_child "$keyed_pid" 10 || fail "the node with the shared key did not end well"
stop_child "$first_pid" 10 || fail "the first node did not end well"

end_test
