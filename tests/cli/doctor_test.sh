#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# doctor_test.sh BIN_DIR: 'qpeer doctor' asks nodes, says what it found, and its status says it too.
set -euo pipefail
qpeer=$(realpath -- "$1")/qpeer
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin_test doctor
doctor() { # doctor STATUS OPTION...: asks no router
  local wanted=$1
  shift
  expect "$wanted" "$qpeer" doctor --no-port-mapping "$@"
}

# --- nodes that answer --------------------------------------------------------------------------
start_node one
first=$peer
first_address=$address
start_node two
doctor 0 --contact "$first" --contact "$peer"
says "2 of 2 servers answered"
says "$first_address answered in "
says ", which is this machine alone"
says "there is no NAT"
says "whether strangers get through is not known"
says "a peer here can be a node, unless a firewall keeps strangers out"
says "-> name first a node that is linked to one that this host has not written to"
says "GSO "
says "the clock "
doctor 0 --contact "$first" --stun "$address" --json
[ "$(wc -l <out)" = 1 ] || fail "--json is not one line"
says '{"event":"report","outlook":"node","servers":[{"address":"'"$first_address"'","outcome":"answered","seen":"127.0.0.1:'
says '"ipv4":{"asked":2,"answered":2,"own":"127.0.0.1:'
says '"mapping":"none","filtering":"unknown","hairpin":null}'
says '"ipv6":{"asked":0,'
says '"gateway":null,"double_nat":false'
says '"socket":{"gso":'
says '"clock":{"unix_s":'
says '{"topic":"outlook","text":"a peer here can be a node, unless a firewall keeps strangers out","advice":""}]}'

# --- nobody answers -----------------------------------------------------------------------------
begin=$(date +%s%N)
doctor 1 --stun 127.0.0.1:9 --json
took=$((($(date +%s%N) - begin) / 1000000))
says '"outlook":"no UDP"'
says "none of 1 server answers"
[ $took -lt 6000 ] || fail "it took $took ms: 3 s, and as much again for a busy machine"
doctor 0 --stun 127.0.0.1:9 --contact "$peer"
says "1 of 2 servers answered"
says "127.0.0.1:9 silent"
doctor 1 --stun no.such.host.invalid
says "no.such.host.invalid:3478"
says "none of the names has an address"

# --- nobody is asked ----------------------------------------------------------------------------
doctor 3
says "not tried, since there is nobody to ask"
says "a peer here can be a client, if UDP gets through"

end_test
