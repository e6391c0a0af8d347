#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# fuzz.sh [HARNESS|all] [SECONDS]: build the fuzzers and run one, or each, for SECONDS (default: all 60).
#
# Inputs to start from: fuzz/regressions/<harness>/ (committed), build/fuzz/seeds/<harness>/ (written by
# make_seeds) and the corpus of earlier runs, build/fuzz/corpus/<harness>/. A dictionary is used when
# fuzz/<harness>.dict exists. Findings go to build/fuzz/findings/<harness>/; with any, the exit is 1.
set -euo pipefail
usage="usage: scripts/fuzz.sh [HARNESS|all] [SECONDS]
       HARNESS is the name of a fuzz/<harness>_fuzz.cpp, with or without _fuzz"
case ${1-} in
  -h | --help) echo "$usage"; exit 0 ;;
  -*) echo "fuzz.sh: unknown flag '$1'" >&2; echo "$usage" >&2; exit 2 ;;
esac
wanted=${1:-all}
seconds=${2:-60}
[[ $seconds =~ ^[0-9]+$ && $# -le 2 ]] || { echo "$usage" >&2; exit 2; }
cd "$(dirname "$0")/.."
out=$PWD/build/fuzz

names=()
for source in fuzz/*_fuzz.cpp; do
  [ -e "$source" ] || continue
  name=$(basename "$source" .cpp)
  if [ "$wanted" = all ] || [ "$wanted" = "$name" ] || [ "${wanted}_fuzz" = "$name" ]; then names+=("$name"); fi
done
if [ ${#names[@]} = 0 ]; then
  if [ "$wanted" = all ]; then echo "fuzz: no harness yet"; exit 0; fi
  echo "fuzz.sh: there is no fuzz/$wanted.cpp and no fuzz/${wanted}_fuzz.cpp" >&2
  exit 2
fi

targets=("${names[@]}")
if [ -e fuzz/make_seeds.cpp ]; then targets+=(make_seeds); fi
echo "fuzz: building ${#names[@]} harnesses"
cmake --preset fuzz >"$(mkdir -p "$out" && echo "$out/configure.log")" || { cat "$out/configure.log" >&2; exit 1; }
cmake --build --preset fuzz --target "${targets[@]}" >"$out/build.log" || { tail -n 40 "$out/build.log" >&2; exit 1; }
if [ -e fuzz/make_seeds.cpp ]; then "$out/bin/make_seeds" "$out/seeds"; fi

run_one() { # run_one NAME: libFuzzer's output goes to findings/NAME/log
  local name=$1 corpus=$out/corpus/$1 findings=$out/findings/$1 inputs=() options=() folder status=0
  rm -rf "$findings"
  mkdir -p "$corpus" "$findings"
  for folder in "fuzz/regressions/$name" "$out/seeds/$name" "$out/seeds/${name%_fuzz}"; do
    if [ -d "$folder" ]; then inputs+=("$folder"); fi
  done
  if [ -e "fuzz/$name.dict" ]; then options+=("-dict=fuzz/$name.dict"); fi
  "$out/bin/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$findings/" "${options[@]}" "$corpus" "${inputs[@]}" >"$findings/log" 2>&1 || status=$?
  echo "$status" >"$findings/status"
}
export -f run_one
export out seconds
printf '%s\n' "${names[@]}" | xargs -P"$(nproc)" -I{} bash -c 'run_one {}'

failed=0
printf '%-32s %12s %9s\n' harness executions findings
for name in "${names[@]}"; do
  findings=$out/findings/$name
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$findings/log" | tail -n 1)
  count=$(find "$findings" -type f ! -name log ! -name status | wc -l)
  if [ "$(cat "$findings/status")" != 0 ] && [ "$count" = 0 ]; then count=1; fi
  printf '%-32s %12s %9s\n' "$name" "${executions:-0}" "$count"
  if [ "$count" != 0 ]; then
    failed=$((failed + 1))
    grep -m 3 -E 'ERROR|runtime error|Assertion|Test unit written' "$findings/log" | sed 's/^/    /' || true
  fi
done
echo "fuzz: $((${#names[@]} - failed)) harnesses without findings, $failed with findings"
[ "$failed" = 0 ]
