#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# mutate.sh: breaks enforcing lines one at a time and runs the tests that cite their requirement.
#
# A mutant differs from the checkout in one line, which carries a requirement id or stands right below one.
# The work is done in a copy of the checkout, build/mutants/tree, which is built in build/mutants/out without
# optimisation: only the test executables that have tests with the id. A mutant that no such test notices
# survives, and is printed. One that does not compile counts for nothing. CXX chooses the compiler.
set -euo pipefail
usage="usage: scripts/mutate.sh [N] [--seed SEED] [--only REGEX] [--list] [--help]
  N             how many mutants; 20 when not given
  --seed SEED   which ones: equal seeds choose the same; 1 when not given
  --only REGEX  of files whose path matches, such as '[.]cpp\$' for quick builds
  --list        prints the mutants and builds nothing
exit status: 0 no mutant survived, 1 one did, or the tests fail without one, 2 misuse"
misuse() {
  echo "mutate.sh: $1" >&2
  echo "$usage" >&2
  exit 2
}

count='' seed=1 only=. list=''
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) echo "$usage"; exit 0 ;;
    --list) list=1 ;;
    --seed | --only)
      [ $# -ge 2 ] || misuse "$1 needs a value"
      if [ "$1" = --seed ]; then seed=$2; else only=$2; fi
      shift ;;
    *)
      [[ -z $count && $1 =~ ^[1-9][0-9]*$ ]] || misuse "what is '$1'?"
      count=$1 ;;
  esac
  shift
done
cd "$(dirname "$0")/.."
place=$PWD/build/mutants
mutants=$(mktemp)
trap 'rm -f "$mutants"' EXIT
python3 scripts/lib/mutants.py "${count:-20}" "$seed" "$only" >"$mutants" || misuse "'$only' is no regular expression"
[ -s "$mutants" ] || misuse "no enforcing line in a file that matches '$only'"
if [ -n "$list" ]; then
  cut -f 1-4,6 "$mutants"
  exit 0
fi

# Only what differs is copied: a file keeps its time, and what was built of it.
copy_checkout() {
  local file
  while IFS= read -r -d '' file; do
    [ -f "$file" ] || continue
    cmp -s "$file" "$place/tree/$file" || install -D -m "$(stat -c %a "$file")" "$file" "$place/tree/$file"
  done < <(git ls-files -z --cached --others --exclude-standard)
  (cd "$place/tree" && find . -type f -printf '%P\0') | while IFS= read -r -d '' file; do
    [ -e "$file" ] || rm "$place/tree/$file"
  done
}
build() { # build TARGET...
  ninja -C "$place/out" "$@" >"$place/build.log" 2>&1
}
run_tests() { # run_tests FILTER EXECUTABLE...: whether all pass, in a time that forgives a slow machine
  local filter=$1 executable
  shift
  for executable in "$@"; do
    timeout 300 "$place/out/bin/$executable" --gtest_brief=1 --gtest_fail_fast --gtest_filter="$filter" \
      >"$place/test.log" 2>&1 || return 1
  done
}

mkdir -p "$place/tree"
copy_checkout
cmake -S "$place/tree" -B "$place/out" -G Ninja -DCMAKE_CXX_COMPILER="${CXX:-clang++-19}" -DCMAKE_BUILD_TYPE=Debug \
  -DCMAKE_CXX_FLAGS_DEBUG='-O0 -g0 -D_GLIBCXX_ASSERTIONS' -DQPEER_TESTS=ON -DQPEER_EXAMPLES=OFF \
  -DQPEER_PROGRAMS=OFF -DQPEER_PCH=all >"$place/configure.log" 2>&1 || { cat "$place/configure.log" >&2; exit 1; }
mapfile -t executables < <(cut -f 4 "$mutants" | tr ' ' '\n' | sort -u)
echo "mutate: building ${executables[*]}"
build "${executables[@]}" || { tail -n 40 "$place/build.log" >&2; exit 1; }
filter=$(cut -f 5 "$mutants" | paste -s -d :)
run_tests "$filter" "${executables[@]}" || { tail -n 40 "$place/test.log" >&2; echo "the tests fail without a mutant" >&2; exit 1; }

restore() {
  if [ -n "${mutated-}" ]; then cat "$mutated" >"$place/tree/$mutated"; fi
  mutated=''
}
trap 'restore; rm -f "$mutants"' EXIT
killed=0 survived=0 void=0
while IFS=$'\t' read -r -u 3 file line ids names filter new; do
  mutated=$file
  new=$new awk -v n="$line" 'NR == n { print ENVIRON["new"]; next } { print }' "$file" >"$place/tree/$file"
  read -r -a executables <<<"$names"
  if ! build "${executables[@]}"; then
    void=$((void + 1)) fate='does not compile'
  elif run_tests "$filter" "${executables[@]}"; then
    survived=$((survived + 1)) fate=SURVIVED
  else
    killed=$((killed + 1)) fate=killed
  fi
  printf '%s: %s:%s [%s]\n' "$fate" "$file" "$line" "$ids"
  if [ "$fate" = SURVIVED ]; then
    printf '  - %s\n  + %s\n' "$(sed -n "${line}p" "$file" | sed 's/^ *//')" "${new#"${new%%[! ]*}"}"
  fi
  restore
done 3<"$mutants"
echo "$killed killed, $survived survived, $void do not compile"
exit $((survived > 0))
