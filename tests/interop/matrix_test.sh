#!/usr/bin/env bash
# matrix_test.sh BIN_DIR: the cases of scripts/interop.sh against ngtcp2, in their small size.
set -euo pipefail
[ $# = 1 ] || { echo "usage: tests/interop/matrix_test.sh BIN_DIR" >&2; exit 2; }
cases=()
for case in handshake transfer longrtt chacha20 multiplexing retry resumption zerortt blackhole keyupdate ecn \
  amplificationlimit handshakeloss transferloss handshakecorruption transfercorruption ipv6; do
  cases+=(--case $case)
done
exec "$(dirname "${BASH_SOURCE[0]}")/../../scripts/interop.sh" --bin "$1" "${cases[@]}" ngtcp2
