#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# plot.sh: a picture of a connection, from its qlog.
set -euo pipefail
usage() {
  cat <<'HELP'
usage: scripts/plot.sh FILE.qlog [OUT.svg]
Draws what FILE says happened over time, as OUT.svg (FILE with .svg in place of its suffix; - is the standard
output): bytes sent, acknowledged, received, sent again and lost; congestion window and bytes in flight; round
trip times; rates and losses. FILE is qlog of any QUIC stack, as JSON or as JSON text sequences (.sqlog), of the
drafts 01 and later. Needs Python 3 and nothing else.
  --help   this text
Exit: 0, 1 when FILE cannot be read or has no packets in it, 2 when called wrongly.
HELP
}
for argument; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    -?*) echo "plot.sh: unknown flag '$argument'" >&2; usage >&2; exit 2 ;;
  esac
done
if [ $# -lt 1 ] || [ $# -gt 2 ]; then usage >&2; exit 2; fi
out=${2-}
if [ -z "$out" ]; then
  case $1 in
    *.qlog | *.sqlog | *.json) out=${1%.*}.svg ;;
    *) out=$1.svg ;;
  esac
fi
exec python3 "$(dirname "$0")/lib/plot.py" "$1" "$out"
