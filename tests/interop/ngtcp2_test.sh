#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# ngtcp2_test.sh BIN_DIR [PATTERN]: qpeer-hq against ngtcp2's hq-interop client and server, both ways.
#
# A cell is one run of a client against a server; it is green when the client succeeds (or, where it must
# refuse, fails), every file arrives with the right SHA-256, and, where a cell is about something special,
# ngtcp2's log shows that it happened.
# PATTERN is a regular expression over the names of the cells. The last line is
#   interop: G green, R red of N
# Exit status: 0 all green, 1 something red, 2 wrong usage, 77 ngtcp2 cannot be had here.
# QPEER_INTEROP_LOGS=DIR keeps what every program said.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/processes.sh
. "$here/../../scripts/lib/processes.sh"

[ $# = 1 ] || [ $# = 2 ] || { echo "usage: tests/interop/ngtcp2_test.sh BIN_DIR [PATTERN]" >&2; exit 2; }
hq=$(realpath -m -- "$1")/qpeer-hq
pattern=${2-}
[ -x "$hq" ] || { echo "ngtcp2_test.sh: $hq is missing" >&2; exit 2; }
pair=$("$here/ngtcp2_peer.sh") || exit $?

begin_processes interop
www=$scratch/www
logs=${QPEER_INTEROP_LOGS:-$scratch/logs}
certificates=$scratch/certificates
mkdir -p "$www" "$logs"
"$here/certificates.sh" "$certificates"
"$here/certificates.sh" "$certificates/other"

# --- programs -----------------------------------------------------------------------------------
# Each of the four below sets the array `command`; its arguments are flags of the program. $host, $port,
# $files, $kind (of certificate), $authorities and $out (folder) are the cell's.
literal() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac; }

ngtcp2_server() {
  command=("$pair/bin/h09server" --no-quic-dump --no-http-dump --mime-types-file=/dev/null -d "$www" "$@"
    "$host" "$port" "$certificates/$kind.key" "$certificates/$kind.crt")
}
qpeer_server() {
  command=("$hq" serve --www "$www" --cert "$certificates/$kind.crt" --key "$certificates/$kind.key"
    --address "$host" --port "$port" "$@")
}
urls() { # urls NAME FILE...: into the array `urls`
  local name=$1
  shift
  urls=("${@/#/https://$name:$port/}")
}
ngtcp2_client() {
  urls localhost $files
  command=("$pair/bin/h09client" --no-quic-dump --no-http-dump --exit-on-all-streams-close "--download=$out" "$@"
    "$host" "$port" "${urls[@]}")
}
qpeer_client() {
  urls "$(literal "$host")" $files
  command=("$hq" get -o "$out" --ca "$certificates/$authorities" "$@" "${urls[@]}")
}

# --- cells --------------------------------------------------------------------------------------
green=0
red=0
hopeless= # the directions whose handshake is red: their other cells are red without a try

# serve LOG COMMAND-MAKER ARGUMENT...: starts a server on a free port; sets $port and $server
serve() {
  local log=$1 child
  shift
  for _ in 1 2 3; do
    free_udp_port
    "$@"
    start_child "$log" "${command[@]}"
    server=$child
    if wait_udp_port "$server" "$port"; then return 0; fi
    # Somebody else took the port in between; but one that runs and does not bind is at fault itself.
    if ! kill -0 "$server" 2>/dev/null; then stop_child "$server" || true; continue; fi
    stop_child "$server" || true
    return 1
  done
  return 1
}

arrived() { # all of $files, equal
  # shellcheck disable=SC2086
  (cd "$www" && sha256sum -- $files) | (cd "$out" && sha256sum --check --quiet --strict -) >"$log.sums" 2>&1
}

verdict() { # verdict: empty when the cell is green, else why it is red
  local status=0
  serve "$log.server" "${server_side[@]}" || { echo "the server did not start"; return; }
  "${client_side[@]}"
  run_child "$limit" "$log.client" "${command[@]}" || status=$?
  # Its log is complete, and its exit clean, only when it has ended.
  stop_child "$server" || true
  if [ $status = 124 ]; then echo "no end within $limit s"; return; fi
  if [ $status != $expected ]; then echo "the client's exit status is $status and not $expected"; return; fi
  if [ $expected = 0 ] && ! arrived; then echo "what arrived differs: $(head -n 1 "$log.sums")"; return; fi
  if [ -n "$proof" ] && ! grep -q -E -- "$proof" "$log.$ngtcp2"; then echo "no /$proof/ in ngtcp2's log"; fi
}

cell() { # cell NAME: with the settings below
  local log=$logs/$1 out=$scratch/out started elapsed why
  if [[ ! $1 =~ $pattern ]]; then return 0; fi
  rm -rf "$out"
  mkdir -p "$out"
  started=${EPOCHREALTIME/./}
  if [[ $hopeless == *"${1%%:*}"* ]]; then
    echo "not tried, for the handshake fails" >"$scratch/why"
  else
    verdict >"$scratch/why" # Not $(...): its children would be those of a subshell.
  fi
  why=$(<"$scratch/why")
  elapsed=$(((${EPOCHREALTIME/./} - started) / 1000))
  if [ -z "$why" ]; then
    green=$((green + 1))
    printf '%-34s green %6d ms\n' "$1" "$elapsed"
    [ -n "${QPEER_INTEROP_LOGS-}" ] || rm -f "$log".*
  else
    red=$((red + 1))
    if [[ $1 == *:handshake ]]; then hopeless+=" ${1%%:*}"; fi
    printf '%-34s RED   %6d ms: %s\n' "$1" "$elapsed" "$why"
    tail -n 5 "$log.client" "$log.server" 2>/dev/null | cut -c 1-200 | sed 's/^/    /' || true
  fi
}

# What the cells vary; each direction takes what it needs.
defaults() {
  files=small host=127.0.0.1 kind=p256 limit=15 expected=0 authorities=ca.crt proof=
  theirs_client=() theirs_server=() ours_client=() ours_server=()
}

download() { # download NAME: our client, ngtcp2's server
  local server_side=(ngtcp2_server "${theirs_server[@]}") client_side=(qpeer_client "${ours_client[@]}") ngtcp2=server
  if [ -z "$proof" ]; then server_side+=(--quiet); fi
  cell "client:$1"
}
upload() { # upload NAME: ngtcp2's client, our server
  local server_side=(qpeer_server "${ours_server[@]}") client_side=(ngtcp2_client "${theirs_client[@]}") ngtcp2=client
  if [ -z "$proof" ]; then client_side+=(--quiet); fi
  cell "server:$1"
}
both() {
  download "$1"
  upload "$1"
}

only_cipher() { echo "--ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+$1"; }
only_group() { echo "--groups=-GROUP-ALL:+GROUP-$1"; }

head -c 1000 /dev/urandom >"$www/small"
head -c 10000000 /dev/urandom >"$www/big"
: >"$www/empty"
for name in f{1..8}; do head -c 250000 /dev/urandom >"$www/$name"; done
many=$(echo m{1..250})
for name in $many; do head -c 2000 /dev/urandom >"$www/$name"; done

# The pair against itself: if this fails, no other cell says anything.
defaults
files=big
server_side=(ngtcp2_server --quiet) client_side=(ngtcp2_client --quiet) ngtcp2=client
pattern='' cell "ngtcp2 against itself"
[ $red = 0 ] || { echo "interop: ngtcp2 does not work here"; exit 1; }
green=0

defaults; proof='Negotiated ALPN is hq-interop'; both handshake
defaults; files=big; limit=60; both 10MB
defaults; files="empty f1 f2 f3 f4 f5 f6 f7 f8 small"; both files
defaults; files=$many; limit=60; both 250-files
defaults; files=f1
theirs_server=("$(only_cipher CHACHA20-POLY1305)")
theirs_client=("$(only_cipher CHACHA20-POLY1305)"); proof='cipher suite is CHACHA20-POLY1305'; both chacha20
defaults; files=f1
theirs_server=("$(only_cipher AES-256-GCM)") theirs_client=("$(only_cipher AES-256-GCM)")
proof='cipher suite is AES-256-GCM'; both aes256
defaults; ours_client=(--cipher chacha20); proof='cipher suite is CHACHA20-POLY1305'; download chacha20-offered
defaults; theirs_server=(-V) ours_server=(--retry)
proof='(Sending Retry packet|pkt rx .* type=Retry)'; both retry
defaults; files=big; limit=60
theirs_server=(-t 0.05 -r 0.05) theirs_client=(-t 0.05 -r 0.05); both loss
defaults; files=f1; ours_client=(--version v2) theirs_client=(--version=v2)
proof='the negotiated version is 0x6b3343cf'; both v2
defaults; ours_client=(--version v2) theirs_client=(--version=v2) theirs_server=(-V) ours_server=(--retry)
proof='(Sending Retry packet|pkt rx .* type=Retry)'; both v2-retry
defaults; theirs_client=(--version=0x1a2a3a4a --preferred-versions=v1); proof='pkt rx .* type=VN'; upload version-negotiation
# A group of which no key share was sent: HelloRetryRequest.
defaults; theirs_server=("$(only_group SECP384R1)"); proof='group is SECP384R1'; download hello-retry
defaults; theirs_client=("$(only_group SECP384R1)"); proof='group is SECP384R1'; upload p384
defaults; theirs_client=(--key-update=10ms --delay-stream=100ms); files=f1
proof='pkt rx .* type=1RTT k=1'; upload key-update
theirs_client+=(--version=v2); upload v2-key-update
defaults; kind=rsa; both rsa
defaults; kind=ed25519; both ed25519
defaults; files=big; ours_client=(--mtu 1452) ours_server=(--mtu 1452); both mtu-1452
# Certificates that must not be believed: of another authority, and for another name.
defaults; expected=1; authorities=other/ca.crt; proof='error_code=CRYPTO_ERROR'; download wrong-authority
defaults; expected=1; host=127.0.0.2; proof='error_code=CRYPTO_ERROR'; download wrong-name
if grep -q ' lo$' /proc/net/if_inet6 2>/dev/null; then defaults; host=::1; files=f1; both ipv6; fi

echo "interop: $green green, $red red of $((green + red))"
[ $red = 0 ] && [ $green -gt 0 ]
