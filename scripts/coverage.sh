#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# coverage.sh: which lines of the library the inputs of the fuzzers reach.
set -euo pipefail
usage() {
  cat <<'HELP'
usage: scripts/coverage.sh [--html] [HARNESS...]
Builds the harnesses (all, unless some are named) for source-based coverage in build/coverage, runs each once
over its inputs, and prints the lines that are reached in each folder. The inputs are fuzz/regressions/HARNESS/,
the seeds, and what scripts/fuzz.sh has found on this machine, build/fuzz/corpus/HARNESS/.
  --html   also a page for each file, with build/coverage/html/index.html before them
  --help   this text
The lines of each file are in build/coverage/files.txt.
Exit: 0, 1 when the build or a harness fails, 2 when called wrongly.
HELP
}
cd "$(dirname "$0")/.."
out=$PWD/build/coverage
html=
names=()
for argument; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    --html) html=1 ;;
    -*) echo "coverage.sh: unknown flag '$argument'" >&2; usage >&2; exit 2 ;;
    *)
      name=${argument%_fuzz}
      [ -e "fuzz/${name}_fuzz.cpp" ] || { echo "coverage.sh: there is no harness '$argument'" >&2; exit 2; }
      names+=("$name") ;;
  esac
done
if [ ${#names[@]} = 0 ]; then mapfile -t names < <(scripts/fuzz.sh --list); fi
for tool in llvm-profdata-19 llvm-cov-19; do
  command -v "$tool" >/dev/null ||
    { echo "coverage.sh: $tool is missing; it is in the package llvm-19, which scripts/setup.sh installs" >&2; exit 1; }
done

echo "coverage: building ${#names[@]} harness(es)"
mkdir -p "$out"
cmake --preset coverage >"$out/configure.log" || { cat "$out/configure.log" >&2; exit 1; }
cmake --build --preset coverage --target "${names[@]/%/_fuzz}" "${names[@]/%/_seeds}" >"$out/build.log" ||
  { tail -n 40 "$out/build.log" >&2; exit 1; }

run_one() { # run_one NAME: all its inputs, once; NAME.failed when that ends badly
  local name=$1 inputs=() folder
  LLVM_PROFILE_FILE=/dev/null "$out/bin/${name}_seeds" "$out/seeds/$name" >/dev/null || touch "$out/profiles/$name.failed"
  for folder in "fuzz/regressions/$name" "build/fuzz/corpus/$name" "$out/seeds/$name"; do
    if [ -d "$folder" ]; then inputs+=("$folder"); fi
  done
  LLVM_PROFILE_FILE=$out/profiles/$name.profraw \
    "$out/bin/${name}_fuzz" -runs=0 -timeout=60 -rss_limit_mb=0 -artifact_prefix="$out/profiles/" "${inputs[@]}" \
    >"$out/profiles/$name.log" 2>&1 || touch "$out/profiles/$name.failed"
}
export -f run_one
export out
rm -rf "$out/profiles" "$out/seeds"
mkdir -p "$out/profiles"
printf '%s\n' "${names[@]}" | xargs -P"$(nproc)" -I{} bash -c 'run_one {}'

failed=0
for name in "${names[@]}"; do
  if [ -e "$out/profiles/$name.failed" ]; then
    echo "coverage: $name fails on one of its inputs; see $out/profiles/$name.log"
    failed=1
  fi
done
llvm-profdata-19 merge -sparse -o "$out/all.profdata" "$out/profiles/"*.profraw
binaries=("$out/bin/${names[0]}_fuzz")
for name in "${names[@]:1}"; do binaries+=(-object "$out/bin/${name}_fuzz"); done
# llvm-cov names the sources as the compiler did: by the links of the build tree, or by the checkout.
llvm-cov-19 export -summary-only -instr-profile="$out/all.profdata" "${binaries[@]}" >"$out/summary.json"
python3 - "$PWD" "$out/summary.json" "$out/files.txt" <<'PYTHON'
import collections
import json
import os
import sys

root, summary, files = sys.argv[1:]
FOLDERS = ("transport/base", "transport/wire", "transport/recovery", "transport/stream", "transport/connection",
           "transport/endpoint", "crypto", "cache", "p2p")
REST = ("transport/async", "transport/io", "transport/log", "p2p/async", "p2p/cli")

lines = {}
with open(summary, encoding="utf-8") as file:
    for entry in json.load(file)["data"][0]["files"]:
        name = os.path.relpath(os.path.realpath(entry["filename"]), root)
        of_entry = entry["summary"]["lines"]
        count, covered = lines.get(name, (0, 0))
        lines[name] = (max(count, of_entry["count"]), max(covered, of_entry["covered"]))

folders = collections.defaultdict(lambda: [0, 0])
with open(files, "w", encoding="utf-8") as file:
    for name, (count, covered) in sorted(lines.items()):
        folder = next((each for each in FOLDERS if name.startswith(each + "/")), None)
        if folder is None or name.startswith(REST):
            continue
        folders[folder][0] += count
        folders[folder][1] += covered
        print(f"{100 * covered / max(count, 1):5.1f} %  {covered:5} of {count:5}  {name}", file=file)
print(f"{'folder':24} {'lines':>7} {'reached':>8} {'%':>6}")
for folder in FOLDERS:
    count, covered = folders[folder]
    if count:
        print(f"{folder:24} {count:7} {covered:8} {100 * covered / count:6.1f}")
PYTHON
if [ -n "$html" ]; then
  llvm-cov-19 show -format=html -output-dir="$out/html" -instr-profile="$out/all.profdata" "${binaries[@]}" \
    -ignore-filename-regex='/(tests|fuzz|usr)/' >/dev/null
  echo "coverage: build/coverage/html/index.html"
fi
[ "$failed" = 0 ]
