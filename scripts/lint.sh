#!/usr/bin/env bash
# lint.sh [--all | --changed | FILE...]: clang-tidy with the project's .clang-tidy. Findings exit 1.
# --changed (the default): sources that differ from the last commit's parent, the working tree's
# changes included; --all: every library source. Needs a configured build/clang for the compiler's flags.
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
[ -e build/clang/compile_commands.json ] || cmake --preset clang >/dev/null

trees=(transport crypto cache p2p)
case $mode in
  all) mapfile -t files < <(find "${trees[@]}" -name '*.cpp' 2>/dev/null | sort) ;;
  changed)
    if git rev-parse -q --verify HEAD~1 >/dev/null 2>&1; then
      mapfile -t files < <(git diff --name-only --diff-filter=d HEAD~1 -- "${trees[@]}" | grep '\.cpp$' || true)
    fi ;;
esac
if [ ${#files[@]} = 0 ]; then echo "lint: nothing to look at"; exit 0; fi
status=0
printf '%s\0' "${files[@]}" |
  xargs -0 -P"$(nproc)" -n1 clang-tidy-19 --quiet -p build/clang 2>/dev/null || status=1
[ $status = 0 ] && echo "lint: ${#files[@]} files are clean"
exit $status
