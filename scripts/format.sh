#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# format.sh [--check] [FILE...]: clang-format in place, or only tell what is not formatted.
# Without files: every .hpp and .cpp of the project.
set -euo pipefail
check=
files=()
for arg; do
  case $arg in
    --check) check=1 ;;
    -h | --help) echo "usage: scripts/format.sh [--check] [FILE...]"; exit 0 ;;
    -*) echo "format.sh: unknown flag '$arg'" >&2; exit 2 ;;
    *) files+=("$(realpath -- "$arg")") ;;
  esac
done
cd "$(dirname "$0")/.."
command -v clang-format-19 >/dev/null || { echo "clang-format-19 is missing: run scripts/setup.sh" >&2; exit 1; }
if [ ${#files[@]} = 0 ]; then
  mapfile -t files < <(find transport crypto cache p2p tests bench fuzz docs -name '*.[ch]pp' 2>/dev/null | sort)
fi
if [ -n "$check" ]; then
  # Two lines a file are enough to find it.
  bad=$(printf '%s\0' "${files[@]}" | xargs -0 -r -P2 -n16 clang-format-19 --dry-run 2>&1 |
    sed -n -E 's/^([^: ]+):([0-9]+):[0-9]+: warning: code should be clang-formatted.*/\1:\2/p' |
    awk -F: '!seen[$1]++ { print $1 ": not formatted, first at line " $2 }')
  if [ -n "$bad" ]; then
    echo "$bad"
    echo "run scripts/format.sh"
    exit 1
  fi
  echo "${#files[@]} files are formatted"
else
  printf '%s\0' "${files[@]}" | xargs -0 -r -P2 -n16 clang-format-19 -i
fi
