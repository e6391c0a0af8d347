# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# common.sh: what several scripts need. Sourced, never run.

quietly() { # quietly COMMAND...: show the end of its output (QUIETLY_LINES lines) only when it fails
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  if [ $status != 0 ]; then tail -n "${QUIETLY_LINES:-15}" "$log" >&2; fi
  rm -f "$log"
  return $status
}

at_least() { # at_least VERSION MINIMUM
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

cache_folder() { # where qpeer keeps what it made once: $XDG_CACHE_HOME/qpeer
  echo "${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/qpeer"
}

seconds_since() { # seconds_since START: of bash's SECONDS
  echo $((SECONDS - $1))
}
