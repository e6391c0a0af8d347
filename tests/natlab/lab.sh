# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# lab.sh: the laboratory of real kernels, as one file to source. begin_lab comes first.
natlab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$natlab/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/private_apt.sh
. "$natlab/../../scripts/lib/private_apt.sh"
# shellcheck source=scripts/lib/processes.sh
. "$natlab/../../scripts/lib/processes.sh"
# shellcheck source=tests/natlab/tools.sh
. "$natlab/tools.sh"
# shellcheck source=tests/natlab/namespaces.sh
. "$natlab/namespaces.sh"
# shellcheck source=tests/natlab/router.sh
. "$natlab/router.sh"
# shellcheck source=tests/natlab/topology.sh
. "$natlab/topology.sh"

# What a laboratory that was killed outright had in its folder is all that the kernel does not remove.
remove_stale() {
  local folder owner
  for folder in "${TMPDIR:-/tmp}"/qpeer-natlab.*; do
    owner=$(cat "$folder/owner" 2>/dev/null) || continue
    if [ ! -e "/proc/$owner" ]; then rm -rf "$folder"; fi
  done
}

begin_lab() { # makes $scratch; ends with status 77 where there can be no laboratory
  export LC_ALL=C
  require_kernel
  remove_stale
  begin_processes natlab
  echo $$ >"$scratch/owner"
  prepare_tools
}
