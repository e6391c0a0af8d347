#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# What scripts/mutate.sh chooses, and what it says of misuse. Nothing is built here.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONDONTWRITEBYTECODE=1
failures=0
fail() {
  echo "$1"
  failures=$((failures + 1))
}
expect() { # expect STATUS TEXT ARGUMENT...: how it ends, and a line of what it says
  local status=0 wanted=$1 text=$2 said
  shift 2
  said=$(scripts/mutate.sh "$@" 2>&1) || status=$?
  [[ $status = "$wanted" && $said == *"$text"* ]] || fail "mutate.sh $*: ended with $status, and printed $said"
}

expect 0 'usage:' --help
expect 2 "what is 'many'" many
expect 2 "what is '0'" 0
expect 2 "what is '3'" 2 3
expect 2 '--seed needs a value' 5 --seed
expect 2 'no enforcing line' --list --only no_such_file
expect 2 'no regular expression' --list --only '('

[ "$(scripts/mutate.sh 30 --seed 5 --list)" = "$(scripts/mutate.sh 30 --seed 5 --list)" ] || fail "one seed, two choices"
[ "$(scripts/mutate.sh 30 --seed 5 --list)" != "$(scripts/mutate.sh 30 --seed 6 --list)" ] || fail "two seeds, one choice"
[ "$(scripts/mutate.sh 7 --list | wc -l)" = 7 ] || fail "not as many as were asked for"
scripts/mutate.sh 9 --list --only '[.]cpp$' | cut -f 1 | grep -v -q '[.]cpp$' && fail "another file than --only names"

# Each one changes a line that has an id, or stands at most a few lines below one, and no comment.
while IFS=$'\t' read -r file line ids executables new; do
  old=$(sed -n "${line}p" "$file")
  [ "$old" != "$new" ] || fail "$file:$line is not changed"
  [[ $old != *//* || ${old#*//} == "${new#*//}" ]] || fail "$file:$line: the comment is changed"
  for id in $ids; do
    sed -n "$((line > 12 ? line - 12 : 1)),${line}p" "$file" | grep -q -F -- "$id" || fail "$file:$line is not below $id"
  done
  [ -n "$executables" ] || fail "$file:$line has no test"
done < <(scripts/mutate.sh 60 --list)

python3 - <<'END' || fail "mutants.py breaks lines in another way"
import sys
sys.path.insert(0, "scripts/lib")
import mutants
has = lambda line, *wanted: set(wanted) <= set(mutants.mutations(line))
assert has("  if (a < 3) return;", "  if (a >= 3) return;", "  if (a <= 3) return;", "  if (a < 4) return;", "  if (false) return;")
assert has("  close(now, a);  // == 1", "  ; // == 1")
assert has("  if (a == b) {  // [id]", "  if (false) { // [id]")
assert has("  return !a && b;", "  return a && b;", "  return !a || b;")
assert not list(mutants.mutations("  int a;  // a == 1 && true")), "only a comment has something to break"
END
[ $failures = 0 ] && echo "mutate.sh chooses what it should"
exit $((failures > 0))
