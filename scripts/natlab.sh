#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# natlab.sh: peers behind the kernel's NATs and firewalls. Its last line is "natlab: H hold, F fall short of N".
set -euo pipefail
export LC_ALL=C
usage() {
  cat <<'HELP'
usage: scripts/natlab.sh [--quick | --full | --claims] [--runs N] [--jobs N] [--qpeer FILE] [--list] [CELL...]
Runs the cells of tests/natlab/cells.sh, each run in network namespaces of its own: an internet, public hosts, a site behind a
router of the cell's kind. Nothing of the machine is changed, and nothing is left. Needs root. The programs that are
missing (nft, conntrack, miniupnpd, turnserver) are unpacked from Debian's packages into the user's cache folder.
  --quick       3 runs of each cell (the default)
  --full        20 runs of each cell, and the long times
  --claims      one run of those cells that are claimed to hold: what continuous integration runs
  --runs N      so many runs of each cell
  --jobs N      so many runs at a time (default: 4; they wait most of the time)
  --qpeer FILE  the program (default: build/release/bin/qpeer)
  --list        the cells, with what is needed, and no more
  CELL...       only these cells
When all cells are run, docs/connectivity.md is written; otherwise build/natlab/connectivity.md. QPEER_NATLAB_LOGS=DIR keeps what the
programs said.
Exit status: 0 all hold, 1 some fall short, 2 wrong usage, 77 it cannot be run here; the reason is told.
HELP
}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/natlab/lab.sh
. "$root/tests/natlab/lab.sh"
# shellcheck source=tests/natlab/cells.sh
. "$root/tests/natlab/cells.sh"
misuse() {
  echo "natlab.sh: $1 (see --help)" >&2
  exit 2
}
number() { [[ ${2-} =~ ^[1-9][0-9]*$ ]] || misuse "$1 wants a number"; }

runs='' jobs=4 qpeer=$root/build/release/bin/qpeer elsewhere='' only_claims='' wanted=()
export FULL=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) runs=3 FULL= ;;
    --full) runs=20 FULL=1 ;;
    --claims) only_claims=1 ;;
    --runs)
      number "$@"
      runs=$2
      shift ;;
    --jobs)
      number "$@"
      jobs=$2
      shift ;;
    --qpeer)
      qpeer=$(realpath -m -- "${2:?}")
      elsewhere=' and a program built elsewhere'
      shift ;;
    --list)
      cell_lines | awk -F ' *[|] *' '{ print $1 ": " $3 ": " $4 ($5 == "claims" ? "" : " [not claimed: " $5 "]") }'
      exit ;;
    -h | --help)
      usage
      exit ;;
    -*) misuse "unknown option '$1'" ;;
    *)
      [ -n "$(cell_field "$1" 2)" ] || misuse "no cell '$1'"
      wanted+=("$1") ;;
  esac
  shift
done
runs=${runs:-$([ -n "$only_claims" ] && echo 1 || echo 3)}
[ -x "$qpeer" ] || misuse "$qpeer is missing: build it, or give --qpeer"

begin_lab
table=$scratch/table outcomes=$root/build/natlab page=$root/docs/connectivity.md
cell_lines >"$table"
if [ -n "$only_claims" ]; then cell_lines | grep -E '[|] claims$' >"$table"; fi
if [ ${#wanted[@]} -gt 0 ]; then
  for cell in "${wanted[@]}"; do grep -E "^$cell +[|]" "$table" || misuse "'$cell' is none of the claims"; done >"$table.wanted"
  mv "$table.wanted" "$table"
fi
if [ -n "$only_claims" ] || [ ${#wanted[@]} -gt 0 ]; then page=$outcomes/connectivity.md; fi
mkdir -p "$outcomes"

one_run() { # one_run CELL NUMBER: in the background
  local name=$1.$2
  rm -f "$outcomes/$name"
  start_child "$outcomes/$name.log" env "TMPDIR=$scratch" timeout --kill-after=10 600 \
    setpriv --pdeathsig KILL bash "$natlab/cell.sh" "$1" "$qpeer" "$outcomes/$name"
}
started=$SECONDS
for number in $(seq "$runs"); do
  while read -r cell _; do
    while [ "$(jobs -r | wc -l)" -ge "$jobs" ]; do sleep 0.1; done
    one_run "$cell" "$number"
  done <"$table"
done
wait
echo "natlab: $(wc -l <"$table") cells, $runs runs each, in $(seconds_since "$started") s" >&2

commit=$(git -C "$root" describe --always --dirty --abbrev=10 2>/dev/null || echo "no commit")
status=0
python3 "$natlab/report.py" "$table" "$outcomes" "$runs" "$page" \
  "## In network namespaces" "" \
  "Made by \`scripts/natlab.sh$([ -z "$FULL" ] || echo ' --full')\` on $(date -u +%F), with $commit$elsewhere on Linux $(uname -r), $runs runs of each cell; do not edit. The routers are the" \
  "kernel's own NAT, Debian's miniupnpd, and coturn as STUN server; lines have no delay and lose nothing. Where a time is given it is the worst of all runs." || status=$?
exit $status
