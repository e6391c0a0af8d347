#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# test.sh: everything that must hold, from a bare checkout. The last line is "N passed, N failed".
set -uo pipefail
usage() {
  cat <<'HELP'
usage: scripts/test.sh [--quick] [--no-setup] [--only STAGE] [--help]
Sets the machine up, then runs these stages; the last line is "N passed, N failed".
  release   g++: all tests, the house rules (tidy), the installed package, interoperation
  asan      clang 19 with AddressSanitizer and UndefinedBehaviorSanitizer: all tests
  lint      clang-tidy over the library
  fuzz      130 seconds of fuzzing, in equal parts for all harnesses
  debian13  g++ 14 in a root of Debian 13: everything compiles, tests and examples pass; left out where there can
            be no root
and, only when named with --only:
  clang     clang 19, optimised: all tests
Options:
  --quick        only release, without the labels package, setup, interop and natlab
  --no-setup     do not run scripts/setup.sh first
  --only STAGE   only this stage (may be repeated)
HELP
}
stages=()
quick=
setup=1
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 ;;
    --no-setup) setup= ;;
    --only)
      shift
      case ${1-} in
        release | clang | asan | lint | fuzz | debian13) stages+=("$1") ;;
        *) echo "test.sh: no stage '${1-}'" >&2; usage >&2; exit 2 ;;
      esac ;;
    -h | --help) usage; exit 0 ;;
    *) echo "test.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
if [ ${#stages[@]} = 0 ]; then
  if [ -n "$quick" ]; then stages=(release); else stages=(release asan lint fuzz debian13); fi
fi
cd "$(dirname "$0")/.." || exit 1
jobs=$(nproc)
passed=0
failed=0

say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }

build() { # build PRESET
  local log=build/$1.log
  mkdir -p build
  say "$1: building"
  if cmake --preset "$1" >"$log" 2>&1 && cmake --build --preset "$1" -j "$jobs" >>"$log" 2>&1; then return 0; fi
  grep -E -m 20 'error|FAILED|Error' "$log"
  say "$1: the build failed (all of it: $log)"
  failed=$((failed + 1))
  return 1
}

run_ctest() { # run_ctest PRESET [OPTION...]
  local preset=$1 log=build/$1.ctest.log summary skipped
  shift
  say "$preset: testing"
  ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure --no-tests=error "$@" >"$log" 2>&1
  summary=$(sed -n -E 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+)$/\1 \2/p' "$log" | tail -n 1)
  if [ -z "$summary" ]; then
    tail -n 20 "$log"
    failed=$((failed + 1))
    say "$preset: the tests could not be run"
    return
  fi
  skipped=$(grep -c -F '***Skipped' "$log")  # ctest counts them as passed, we do not.
  set -- $summary
  passed=$((passed + $2 - $1 - skipped))
  failed=$((failed + $1))
  if [ "$1" != 0 ]; then
    # What each failed test said, then the list of them.
    grep -E -A 30 '(\*\*\*(Failed|Exception|Timeout|Not Run)|: Failure$)' "$log" | head -n 150
    sed -n '/^The following tests FAILED/,$p' "$log"
  fi
  say "$preset: $(($2 - $1 - skipped)) passed, $1 failed, $skipped skipped"
  grep -E '^[a-z]+: skipped: ' "build/$preset/Testing/Temporary/LastTest.log" | sort -u # Why, of those that say it.
}

run_step() { # run_step NAME COMMAND...: a stage that passes or fails as a whole
  local name=$1
  shift
  say "$name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

run_fuzz() {
  local summary seconds
  seconds=$((130 / $(scripts/fuzz.sh --list | wc -l)))
  say "fuzz: $seconds seconds of each harness"
  # Always the same inputs: a finding is of the change that is tested. Longer runs look for others.
  summary=$(scripts/fuzz.sh --seed 1 all "$seconds" 2>&1)
  local status=$?
  echo "$summary"
  set -- $(sed -n -E 's/^fuzz: ([0-9]+) harnesses without findings, ([0-9]+) with findings$/\1 \2/p' <<<"$summary")
  passed=$((passed + ${1:-0}))
  failed=$((failed + ${2:-0}))
  if [ $status != 0 ] && [ "${2:-0}" = 0 ]; then failed=$((failed + 1)); fi
}

run_debian13() {
  local status=0
  say "debian13"
  scripts/debian13.sh || status=$?
  case $status in
    0) passed=$((passed + 1)) ;;
    77) say "debian13: skipped" ;;
    *) failed=$((failed + 1)) ;;
  esac
}

if [ -n "$setup" ]; then
  scripts/setup.sh || { echo "0 passed, 1 failed"; exit 1; }
fi
for stage in "${stages[@]}"; do
  case $stage in
    release)
      if build release; then
        if [ -n "$quick" ]; then run_ctest release -LE 'package|setup|interop|natlab'; else run_ctest release; fi
      fi ;;
    clang) build clang && run_ctest clang -LE interop ;;
    asan) build asan && run_ctest asan -LE interop ;;
    lint) run_step "lint: clang-tidy" timeout 900 scripts/lint.sh --all ;;
    fuzz) run_fuzz ;;
    debian13) run_debian13 ;;
  esac
done
say "done"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
