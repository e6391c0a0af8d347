#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# natsim.sh: nodes behind NATs in the simulator, many seeds a cell; its table is a part of docs/connectivity.md.
set -euo pipefail
export LC_ALL=C
usage() {
  cat <<'HELP'
usage: scripts/natsim.sh [--quick] [--runs N] [--program FILE] [CELL...]
Runs the cells of tests/scenario/nat with many seeds each, in virtual time. Needs no rights and no network.
  --quick         20 seeds a cell
  --runs N        so many (default: 200)
  --program FILE  the program (default: build/release/bin/qpeer-natsim)
  CELL...         only these cells (the names: qpeer-natsim --list)
When all cells are run with 200 seeds or more, the page docs/connectivity.md is written, between the lines
"simulator begins" and "simulator ends". The table goes to the standard output in any case.
Exit status: 0 all hold, 1 some fall short, 2 wrong usage.
HELP
}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
misuse() {
  echo "natsim.sh: $1 (see --help)" >&2
  exit 2
}
runs=200 program=$root/build/release/bin/qpeer-natsim page=$root/docs/connectivity.md cells=()
while [ $# -gt 0 ]; do
  case $1 in
    --quick) runs=20 ;;
    --runs)
      [[ ${2-} =~ ^[1-9][0-9]*$ ]] || misuse "--runs wants a number"
      runs=$2
      shift ;;
    --program)
      program=$(realpath -m -- "${2:?}")
      shift ;;
    -h | --help)
      usage
      exit ;;
    -*) misuse "unknown option '$1'" ;;
    *) cells+=("$1") ;;
  esac
  shift
done
[ -x "$program" ] || misuse "$program is missing: build qpeer-natsim, or give --program"

status=0
table=$("$program" --runs "$runs" "${cells[@]}") || status=$?
[ $status -le 1 ] || exit $status
echo "$table"
if [ ${#cells[@]} = 0 ] && [ "$runs" -ge 200 ]; then
  commit=$(git -C "$root" describe --always --dirty --abbrev=10 2>/dev/null || echo "no commit")
  {
    cat <<HEADER
## In the simulator

Made by \`scripts/natsim.sh\` on $(date -u +%F), with $commit, $runs seeds for each cell, fewer where a run is long; do not edit.
50 ms from any peer to another and back; 2 % of the datagrams are lost each way, unless the cell says otherwise. Two times are
the median and the 99th percentile, from the beginning until the outcome, of the runs that came to it; other figures are the
worst of all runs.

HEADER
    echo "$table"
  } | python3 "$root/scripts/lib/between_marks.py" "$page" simulator
fi
exit $status
