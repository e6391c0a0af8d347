#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# lint.sh [--all | --changed | FILE...]: clang-tidy with the project's .clang-tidy. Findings exit 1.
# --changed (the default): sources that differ from the last commit's parent, the working tree's
# changes included; --all: every library source. The compiler's flags come from build/lint, which is only
# configured, never built: without precompiled headers each source shows what it includes.
set -euo pipefail
usage="usage: scripts/lint.sh [--all | --changed | FILE...]"
mode=changed
files=()
for arg; do
  case $arg in
    --all) mode=all ;;
    --changed) mode=changed ;;
    -h | --help) echo "$usage"; exit 0 ;;
    -*) echo "lint.sh: unknown flag '$arg'" >&2; echo "$usage" >&2; exit 2 ;;
    *) mode=files; files+=("$(realpath -- "$arg")") ;;
  esac
done
cd "$(dirname "$0")/.."
command -v clang-tidy-19 >/dev/null || { echo "clang-tidy-19 is missing: run scripts/setup.sh" >&2; exit 1; }
cmake --preset clang -B build/lint -DQPEER_PCH=OFF -DQPEER_TESTS=OFF -DQPEER_BENCH=OFF >/dev/null

trees=(transport crypto cache p2p)
case $mode in
  all) mapfile -t files < <(find "${trees[@]}" -name '*.cpp' 2>/dev/null | sort) ;;
  changed)
    if git rev-parse -q --verify HEAD~1 >/dev/null 2>&1; then
      mapfile -t files < <(git diff --name-only --diff-filter=d HEAD~1 -- "${trees[@]}" | grep '\.cpp$' || true)
    fi ;;
esac
if [ ${#files[@]} = 0 ]; then echo "lint: nothing to look at"; exit 0; fi

tidy_one() { clang-tidy-19 --quiet -p build/lint "$@" 2>/dev/null; }

# tidy_group FILE...: most of clang-tidy's time goes to the standard library's headers, so sources are first
# looked at together: the others are included before the first. Only what is clean counts: whatever is said of
# a group, or keeps it from compiling (two sources may use one name), is left to its halves, down to one file.
# Two checks look at a file alone, where a line gives them cause: unused using-declarations, included sources.
tidy_group() {
  local first=$1 count=$# half=$((($# + 1) / 2)) file options=() status=0
  if [ "$count" = 1 ]; then tidy_one "$first"; return; fi
  for file in "${@:2}"; do options+=("--extra-arg=-include" "--extra-arg=$PWD/$file"); done
  if tidy_one "${options[@]}" --checks=-*,misc-static-assert "$first" >/dev/null && # They compile together.
    tidy_one "${options[@]}" --checks=-misc-unused-using-decls,-bugprone-suspicious-include "$first" >/dev/null; then
    for file; do
      if grep -q -E '^ *using .*::|include.*[.]c' "$file"; then
        tidy_one --checks=-*,misc-unused-using-decls,bugprone-suspicious-include "$file" || status=1
      fi
    done
  else
    tidy_group "${@:1:half}" || status=1
    tidy_group "${@:half+1}" || status=1
  fi
  return $status
}
export -f tidy_one tidy_group

status=0
if [ $mode = all ]; then # A group is at most ten sources of one folder.
  for folder in $(dirname "${files[@]}" | sort -u); do
    printf '%s\n' "${files[@]}" | grep -E "^$folder/[^/]+$" | xargs -n10
  done | xargs -P"$(nproc)" -I{} bash -c 'tidy_group {}' || status=1
else
  printf '%s\0' "${files[@]}" | xargs -0 -P"$(nproc)" -n1 bash -c 'tidy_one "$0"' || status=1
fi
[ $status = 0 ] && echo "lint: ${#files[@]} files are clean"
exit $status
