#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# qpeer_test.sh BIN_DIR: nodes and senders as processes: what is sent is stored whole, once, under its
# name; what breaks leaves nothing; failures say what failed where, with status 1.
set -euo pipefail
qpeer=$(realpath -- "$1")/qpeer
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin_test cli
stored() { cmp -s "$1" "$2" || fail "$2 is not $1"; }
only() { # only FOLDER NAME...: nothing else is in there, not even hidden
  local folder=$1
  shift
  [ "$(cd "$folder" && find . -mindepth 1 -printf '%f\n' | sort)" = "$(printf '%s\n' "$@" | sort)" ] ||
    { fail "$folder holds other than: $*"; ls -la "$folder"; }
}

head -c 3000000 /dev/urandom >data
: >empty
echo small >"name with spaces"
sum=$(sha256sum data | cut -d ' ' -f 1)

# --- what works ---------------------------------------------------------------------------------
start_node store --store store --allow-anyone --key node.key
expect 0 "$qpeer" send data --to "$peer"
says "sha256     $sum (the node stored the same)"
says "stored data 3000000 sha256=$sum" store.log
expect 0 "$qpeer" send data --to "$peer" --json
says "\"stored_as\":\"data.1\""
expect 0 "$qpeer" send empty --to "$peer" --quiet
[ ! -s out ] || fail "--quiet is not quiet"
expect 0 "$qpeer" send "name with spaces" --to "$peer"
expect 0 "$qpeer" send data --to "$peer" --name other --cipher chacha20 --mtu 1400
says TLS_CHACHA20_POLY1305_SHA256
stored data store/data
stored data store/data.1
stored data store/other
stored empty store/empty
stored "name with spaces" "store/name with spaces"
only store data data.1 empty "name with spaces" other
expect 0 "$qpeer" ping "$peer" --count 3 --interval 0
says "3 pings to $address"

# --- and back -----------------------------------------------------------------------------------
mkdir back
expect 0 "$qpeer" get data -o back/data --from "$peer"
says "sha256     $sum (the node read the same)"
stored data back/data
expect 0 "$qpeer" get empty -o back/data --from "$peer" --quiet
stored empty back/data
expect 1 "$qpeer" get missing -o back/missing --from "$peer"
says "the node refused it: there is no such file"
expect 1 "$qpeer" get data -o nowhere/data --from "$peer"
says "cannot write nowhere/data"
mkfifo back/pipe
expect 1 "$qpeer" get data -o back/pipe --from "$peer"
says "cannot write back/pipe: cannot name pipe: Not a regular file"
test -p back/pipe && rm back/pipe
only back data
expect 0 "$qpeer" request files --to "$peer"
says "name with spaces"

# --- who it is ----------------------------------------------------------------------------------
[ "$(stat -c %a node.key)" = 600 ] || fail "the key is not private"
id=$("$qpeer" id --key node.key)
[ "$peer" = "$id@$address" ] || fail "the node says that it is $peer, not $id"
expect 0 "$qpeer" send data --to "$peer" --name pinned
expect 0 "$qpeer" send data --to "$address" --trust encrypt --name loud
[[ $id =~ ^[a-z2-7]{56}$ ]] || fail "an id is not of 56 characters: $id"
expect 0 "$qpeer" id --key node.key --json
says "{\"id\":\"$id\",\"key\":\"node.key\"}"
other=$("$qpeer" id 2>other.log)
says "this key is not kept" other.log
expect 1 "$qpeer" send data --to "$other@$address"
says "another peer answered: $id"
expect 2 "$qpeer" send data --to "${id:1}a@$address"
says "its checksum does not match"
expect 2 "$qpeer" send data --to "$address"
says "lacks the peer's id, which --trust pinned needs"
chmod 640 node.key
expect 1 "$qpeer" id --key node.key
says "node.key: others than its owner may use this key"
chmod 600 node.key

# --- what does not ------------------------------------------------------------------------------
expect 1 "$qpeer" send missing --to "$peer"
says "missing: No such file"
expect 1 "$qpeer" send . --to "$peer" --name folder
says "not a file"
expect 1 "$qpeer" send data --to "$other@127.0.0.1:9" --timeout 0.2
says "cannot reach $other@127.0.0.1:9"
expect 1 "$qpeer" send data --to "$other@no.such.host.invalid"
expect 1 "$qpeer" node --store data
says "cannot store in data"
expect 1 "$qpeer" node --store store --listen "$address"
says "Address already in use"
stop_child "$node" || fail "the node did not end well"
only store data data.1 empty "name with spaces" other pinned loud

start_node limited --store limited --allow-anyone --max-size 1M --retry always
expect 1 "$qpeer" send data --to "$peer"
says "the node refused it: the file is too large"
says "too large" limited.log
expect 0 "$qpeer" send empty --to "$peer"
only limited empty
stop_child "$node" || fail "the node did not end well"

# --- what breaks --------------------------------------------------------------------------------
truncate -s 20G huge # Far too much to be done before the kill.
start_node broken --store broken --allow-anyone --quota 100GiB --peer-quota 100GiB
start_child sender.log "$qpeer" send huge --to "$peer"
for _ in {1..100}; do
  if compgen -G "broken/.qpeer-part-*" >/dev/null; then break; fi
  sleep 0.02
done
compgen -G "broken/.qpeer-part-*" >/dev/null || fail "the transfer did not begin"
kill -INT "$child"
wait "$child" || [ $? = 130 ] || fail "the status of an interrupted sender is not 130"
for _ in {1..100}; do
  if [ -z "$(ls -A broken)" ]; then break; fi
  sleep 0.02
done
[ -z "$(ls -A broken)" ] || fail "an interrupted sender leaves something at the node"

# A node that is killed leaves a part, which the next one removes.
start_child sender.log "$qpeer" send huge --to "$peer" --timeout 1
sender=$child
for _ in {1..100}; do
  if compgen -G "broken/.qpeer-part-*" >/dev/null; then break; fi
  sleep 0.02
done
kill -KILL "$node"
stop_child "$node" || true
kill -KILL "$sender"
stop_child "$sender" || true
compgen -G "broken/.qpeer-part-*" >/dev/null || fail "a killed node left nothing: the next check says nothing"
start_node broken --store broken --allow-anyone --quota 100GiB --peer-quota 100GiB
only broken
stop_child "$node" || fail "the node did not end well"

# --- a full disk, where we may make one ---------------------------------------------------------
if mkdir full && mount -t tmpfs -o size=1m none full 2>/dev/null; then
  start_node full --store full --allow-anyone
  expect 1 "$qpeer" send data --to "$peer"
  says "the node refused it: cannot write: No space left on device"
  only full
  stop_child "$node" || fail "the node did not end well"
  umount full
else
  echo "skipped: a full disk"
fi

# --- once ---------------------------------------------------------------------------------------
start_node once --store once --allow-anyone --once
expect 0 "$qpeer" send data --to "$peer" --quiet
wait "$node" || fail "--once does not end with status 0"
stored data once/data

end_test
