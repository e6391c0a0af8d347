#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# fuzz.sh: build the fuzzers and run one, or each, for a time. docs/fuzzing.md shows how to go on from there.
set -euo pipefail
usage() {
  cat <<'HELP'
usage: scripts/fuzz.sh [--seed N] [HARNESS|all] [SECONDS]     (default: all 60)
       scripts/fuzz.sh --list
Builds HARNESS (fuzz/HARNESS_fuzz.cpp) with what it needs and no more, writes its first inputs, and runs it
for SECONDS; with all, each harness for that long, as many at a time as there are processors.
  --seed N the same N tries the same inputs, from the same corpus (default: another one each time)
  --list   the names of the harnesses, one a line
  --help   this text
Inputs to start from: fuzz/regressions/HARNESS/ (committed), build/fuzz/seeds/HARNESS/ (made by
HARNESS_seeds) and what earlier runs found, build/fuzz/corpus/HARNESS/, which this run adds to. The dictionary
is fuzz/HARNESS_fuzz.dict, if there is one. Findings go to build/fuzz/findings/HARNESS/, with the log.
Exit: 0 without findings, 1 with any or when the build fails, 2 when called wrongly.
HELP
}
cd "$(dirname "$0")/.."
out=$PWD/build/fuzz

harnesses() { # their names
  local source
  for source in fuzz/*_fuzz.cpp; do basename "$source" _fuzz.cpp; done
}

seed=0
if [ "${1-}" = --seed ]; then
  [[ ${2-} =~ ^[0-9]{1,9}$ ]] || { usage >&2; exit 2; }
  seed=$2
  shift 2
fi
case ${1-} in
  -h | --help) usage; exit 0 ;;
  --list)
    [ $# = 1 ] || { usage >&2; exit 2; }
    harnesses
    exit 0 ;;
  -*) echo "fuzz.sh: unknown flag '$1'" >&2; usage >&2; exit 2 ;;
esac
wanted=${1:-all}
seconds=${2:-60}
[[ $seconds =~ ^[0-9]+$ && $# -le 2 ]] || { usage >&2; exit 2; }
if [ "$wanted" = all ]; then
  mapfile -t names < <(harnesses)
else
  names=("${wanted%_fuzz}")
  [ -e "fuzz/${names[0]}_fuzz.cpp" ] || { echo "fuzz.sh: there is no harness '$wanted'; --list names them" >&2; exit 2; }
fi

echo "fuzz: building ${#names[@]} harness(es)"
mkdir -p "$out"
cmake --preset fuzz >"$out/configure.log" || { cat "$out/configure.log" >&2; exit 1; }
cmake --build --preset fuzz --target "${names[@]/%/_fuzz}" "${names[@]/%/_seeds}" >"$out/build.log" ||
  { tail -n 40 "$out/build.log" >&2; exit 1; }
for name in "${names[@]}"; do
  "$out/bin/${name}_seeds" "$out/seeds/$name" >/dev/null
done

run_one() { # run_one NAME: libFuzzer's output goes to findings/NAME/log
  local name=$1 corpus=$out/corpus/$1 findings=$out/findings/$1 inputs=() options=() folder status=0
  rm -rf "$findings"
  mkdir -p "$corpus" "$findings"
  for folder in "fuzz/regressions/$name" "$out/seeds/$name"; do
    if [ -d "$folder" ]; then inputs+=("$folder"); fi
  done
  if [ -e "fuzz/${name}_fuzz.dict" ]; then options+=("-dict=fuzz/${name}_fuzz.dict"); fi
  "$out/bin/${name}_fuzz" -seed="$seed" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$findings/" "${options[@]}" "$corpus" "${inputs[@]}" >"$findings/log" 2>&1 || status=$?
  echo "$status" >"$findings/status"
}
export -f run_one
export out seconds seed
printf '%s\n' "${names[@]}" | xargs -P"$(nproc)" -I{} bash -c 'run_one {}'

failed=0
printf '%-24s %12s %9s\n' harness executions findings
for name in "${names[@]}"; do
  findings=$out/findings/$name
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$findings/log" | tail -n 1)
  count=$(find "$findings" -type f ! -name log ! -name status | wc -l)
  if [ "$(cat "$findings/status")" != 0 ] && [ "$count" = 0 ]; then count=1; fi
  printf '%-24s %12s %9s\n' "$name" "${executions:-0}" "$count"
  if [ "$count" != 0 ]; then
    failed=$((failed + 1))
    grep -m 3 -E 'ERROR|runtime error|Assertion|Test unit written' "$findings/log" | sed 's/^/    /' || true
  fi
done
echo "fuzz: $((${#names[@]} - failed)) harnesses without findings, $failed with findings"
[ "$failed" = 0 ]
