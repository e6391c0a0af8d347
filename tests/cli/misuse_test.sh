#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# misuse_test.sh BIN_DIR: every program and command has --help (status 0, nothing on standard error);
# every mistake is one line on standard error and status 2.
set -euo pipefail
bin=$1
failures=0
fail() {
  echo "$1"
  failures=$((failures + 1))
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

help_of() { # help_of PROGRAM WORD...
  local out
  if ! out=$("$@" --help 2>"$scratch/errors"); then fail "$* --help: status not 0"; fi
  [[ $out == usage:* ]] || fail "$* --help: no usage"
  [ ! -s "$scratch/errors" ] || fail "$* --help: standard error is not empty"
}
misuse() { # misuse PROGRAM WORD...
  local status=0
  "$@" >"$scratch/out" 2>"$scratch/errors" </dev/null || status=$?
  [ $status = 2 ] || fail "$*: status $status, should be 2"
  [ "$(wc -l <"$scratch/errors")" = 1 ] || fail "$*: not one line on standard error"
  [ ! -s "$scratch/out" ] || fail "$*: standard output is not empty"
}

programs=(qpeer "qpeer node" "qpeer client" "qpeer send" "qpeer get" "qpeer request" "qpeer ping"
  "qpeer doctor" "qpeer id" "qpeer cache" "qpeer cache show" "qpeer cache prune" "qpeer cache export" "qpeer cache import"
  "qpeer ca" "qpeer ca init" "qpeer ca issue" qpeer-hq "qpeer-hq get" "qpeer-hq serve" qpeer-relay)
if [ -x "$bin/qpeer-perf" ]; then programs+=(qpeer-perf "qpeer-perf server" "qpeer-perf client"); fi
for program in "${programs[@]}"; do
  read -r -a words <<<"$bin/$program"
  help_of "${words[@]}"
  misuse "${words[@]}" --no-such-flag
done
[ "$("$bin/qpeer" --version)" != "" ] || fail "qpeer --version says nothing"

misuse "$bin/qpeer"
misuse "$bin/qpeer" fly
id=$("$bin/qpeer" id 2>/dev/null)
misuse "$bin/qpeer" doctor --contact
misuse "$bin/qpeer" doctor --contact nonsense:port
misuse "$bin/qpeer" doctor --stun nonsense:port
misuse "$bin/qpeer" doctor --stun "$id@127.0.0.1"
misuse "$bin/qpeer" doctor too many words
misuse "$bin/qpeer" doctor --stun a --stun b --stun c --stun d --stun e --stun f --stun g --stun h --stun i
misuse "$bin/qpeer" node --store
misuse "$bin/qpeer" node --listen nonsense:port
misuse "$bin/qpeer" node --advertise nonsense:port
misuse "$bin/qpeer" node --retry sometimes
misuse "$bin/qpeer" node --mtu 500
misuse "$bin/qpeer" node --cc vegas
misuse "$bin/qpeer-hq" serve --cc vegas
misuse "$bin/qpeer" node --max-size much
misuse "$bin/qpeer" node --trust me
misuse "$bin/qpeer" node --trust ca
misuse "$bin/qpeer" node --ca file
misuse "$bin/qpeer" node --cert file
misuse "$bin/qpeer" node --key a --cert b --cert-key c
misuse "$bin/qpeer" node --allow me
misuse "$bin/qpeer" node --store x --allow-store me
misuse "$bin/qpeer" node --allow-anyone
misuse "$bin/qpeer" node --allow-store "$id"
misuse "$bin/qpeer" node --store x --quota much
misuse "$bin/qpeer" node --store x --peer-quota much
misuse "$bin/qpeer" node --store x --max-files 0
misuse "$bin/qpeer" node --contact localhost
misuse "$bin/qpeer" node --contact me@localhost
misuse "$bin/qpeer" node --dial-back-timeout soon
misuse "$bin/qpeer" node surplus
misuse "$bin/qpeer" client
misuse "$bin/qpeer" client --contact localhost
misuse "$bin/qpeer" client surplus --contact "$id@localhost"
misuse "$bin/qpeer" send
misuse "$bin/qpeer" send file
misuse "$bin/qpeer" send file --to
misuse "$bin/qpeer" send file --to localhost
misuse "$bin/qpeer" send file --to "$id@localhost" --to "$id@localhost"
misuse "$bin/qpeer" send .hidden --to "$id@localhost"
misuse "$bin/qpeer" get
misuse "$bin/qpeer" get name
misuse "$bin/qpeer" get name --from localhost
misuse "$bin/qpeer" get ../name --from "$id@localhost"
misuse "$bin/qpeer" request
misuse "$bin/qpeer" request text
misuse "$bin/qpeer" request text --to localhost:99999
misuse "$bin/qpeer" ping
misuse "$bin/qpeer" ping localhost
misuse "$bin/qpeer" ping "$id@localhost" --count 0
misuse "$bin/qpeer" ping "$id@localhost" --cipher rot13
misuse "$bin/qpeer" cache
misuse "$bin/qpeer" cache burn
misuse "$bin/qpeer" cache show
misuse "$bin/qpeer" cache prune --cache file
misuse "$bin/qpeer" cache prune --cache file --failures 0
misuse "$bin/qpeer" cache prune --cache file --older-than long
misuse "$bin/qpeer" cache prune --cache file --id me
misuse "$bin/qpeer" cache import --cache file
misuse "$bin/qpeer" id surplus
misuse "$bin/qpeer" id --of localhost
misuse "$bin/qpeer" id --of "$id@localhost" --key file
misuse "$bin/qpeer" id --of "$id@localhost" --of "$id@localhost"
ticket=qpeerticket1aebagaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaakiba3aaaaqbcf6qeeraaeg3qaaaaaaaaaaaaaaaaaabag5qgc7775xg6zdffz2gk43ulsi32za
[ "$("$bin/qpeer" id --of "$ticket" | tail -n 1)" = node.test:65535 ] || fail "a ticket has no address"
for wrong in "${ticket:0:60}" "${ticket/1ae/1aa}" "${ticket/1ae/1ea}" "${ticket/r/s}" "$ticket:4477"; do
  misuse "$bin/qpeer" id --of "$wrong"
  misuse "$bin/qpeer" node --contact "$wrong"
  misuse "$bin/qpeer" client --contact "$wrong"
  misuse "$bin/qpeer" request text --to "$wrong"
  misuse "$bin/qpeer" send file --to "$wrong"
  misuse "$bin/qpeer" get name --from "$wrong"
  misuse "$bin/qpeer" ping "$wrong"
done
misuse "$bin/qpeer" ca
misuse "$bin/qpeer" ca burn
misuse "$bin/qpeer" ca init
misuse "$bin/qpeer" ca init "$scratch/ca" --days 0
misuse "$bin/qpeer" ca issue
misuse "$bin/qpeer" ca issue "$scratch/ca"
misuse "$bin/qpeer" ca issue "$scratch/ca" --name "a b"
misuse "$bin/qpeer" ca issue "$scratch/ca" --name ../x
misuse "$bin/qpeer" ca issue "$scratch/ca" --name a --days 40000
misuse "$bin/qpeer-hq" get
misuse "$bin/qpeer-hq" get http://localhost/
misuse "$bin/qpeer-hq" get https://
misuse "$bin/qpeer-hq" get --version v3 https://localhost/
misuse "$bin/qpeer-hq" serve --www .
misuse "$bin/qpeer-relay"
misuse "$bin/qpeer-relay" --listen 127.0.0.1:0
misuse "$bin/qpeer-relay" --listen localhost:0 --to 127.0.0.1:1
misuse "$bin/qpeer-relay" --listen 127.0.0.1:0 --to 127.0.0.1:1 --loss 101
misuse "$bin/qpeer-relay" --listen 127.0.0.1:0 --to 127.0.0.1:1 --lose-to-server 3-1
misuse "$bin/qpeer-relay" --listen 127.0.0.1:0 --to 127.0.0.1:1 --rebind name

[ $failures = 0 ] && echo "misuse is told in one line, with status 2"
exit $((failures > 0))
