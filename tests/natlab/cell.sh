#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# cell.sh NAME QPEER OUTCOME: one run of one cell, in a laboratory of its own; what was seen goes into OUTCOME.
# Environment: FULL=1 for the long times; QPEER_NATLAB_LOGS=DIR keeps what the programs said.
set -euo pipefail
[ $# = 3 ] || { echo "usage: tests/natlab/cell.sh NAME QPEER OUTCOME" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/natlab/lab.sh
. "$here/lab.sh"
# shellcheck source=tests/natlab/gateway.sh
. "$here/gateway.sh"
# shellcheck source=tests/natlab/peers.sh
. "$here/peers.sh"
# shellcheck source=tests/natlab/cells.sh
. "$here/cells.sh"
# shellcheck disable=SC2034  # Of the cells.
qpeer=$2 outcome=$3
read -r -a run < <(cell_field "$1" 2)
[ ${#run[@]} -gt 0 ] || { echo "cell.sh: no cell '$1'" >&2; exit 2; }
begin_lab
end_cell() {
  if [ -n "${QPEER_NATLAB_LOGS-}" ]; then cp "$scratch"/*.log "$QPEER_NATLAB_LOGS/" || true; fi
  end_processes
}
trap end_cell EXIT
: >"$outcome"
"${run[@]}"
echo end >>"$outcome" # Without this line the run counts as failed.
