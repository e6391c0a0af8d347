#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# report_test.sh: report.py holds nothing to be good that was not seen, and leaves alone what others wrote into the page.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/processes.sh
. "$here/../../scripts/lib/processes.sh"
begin_processes report
failed=0
fail() {
  echo "FAILED: $*"
  failed=1
}
outcome() { # outcome NAME.RUN LINE...: with | for each tab
  local file=$scratch/$1
  shift
  printf '%s\n' "$@" | tr '|' '\t' >"$file"
}
report() { # report RUNS: into $scratch/said; sets $status
  status=0
  python3 "$here/report.py" "$scratch/table" "$scratch" "$1" "$scratch/page.md" "header" >"$scratch/said" || status=$?
}
says() { grep -q -x -F -- "$1" "$scratch/said" || { fail "not said: $1"; cat "$scratch/said"; }; }

cat >"$scratch/table" <<'TABLE'
good   | run | what | needed | claims
slow   | run | what | needed | claims
never  | run | what | needed | it is not built
no     | run | what | needed | claims
broken | run | what | needed | claims
absent | run | what | needed | claims
TABLE
for run in 1 2; do
  outcome good.$run "measure|told|0.$run|4" "claim|answered|yes" end
  outcome slow.$run "measure|told|$((run * 3)).00|4" end
done
outcome never.1 "measure|told||4" end
outcome never.2 "measure|told|1.00|4" end
outcome no.1 "claim|answered|yes" "note|it says|a | b" end
outcome no.2 "claim|answered|no" "note|it says|a | b" end
outcome broken.1 "claim|answered|yes" end
outcome broken.2 "claim|answered|yes"

report 2
[ $status = 1 ] || fail "status $status where cells fall short"
says "good: holds: told: 0.20 s at worst; answered"
says "slow: FALLS SHORT: told: 6.00 s at worst, too late in 1 of 2"
says "never: FALLS SHORT: told: 1.00 s (1 of 2); told: never (1 of 2)"
says "broken: FALLS SHORT: 1 of 2 runs did not come to their end; answered"
says "absent: FALLS SHORT: no run came to its end"
says "natlab: 1 hold, 5 fall short of 6"
grep -q '^no: FALLS SHORT: not so (1 of 2): answered' "$scratch/said" || fail "a claim that one run contradicts"
[ "$(tail -n 1 "$scratch/said")" = "natlab: 1 hold, 5 fall short of 6" ] || fail "the last line"
grep -q '^| never | what | needed | .* | \*\*falls short\*\*: it is not built |$' "$scratch/page.md" || fail "no reason in the page"

# Another generator has a part of the page of its own.
sed -i '1s/$/\nbefore/; $s/$/\nafter/' "$scratch/page.md"
head -n 1 "$scratch/table" >"$scratch/one" && mv "$scratch/one" "$scratch/table"
report 2
[ $status = 0 ] || fail "status $status where all hold"
says "natlab: 1 hold, 0 fall short of 1"
for word in before after; do grep -q -x $word "$scratch/page.md" || fail "what others wrote is gone: $word"; done
if grep -q '^| slow' "$scratch/page.md"; then fail "what the laboratory wrote before is still there"; fi

cells=$("$here/../../scripts/natlab.sh" --list)
grep -q '^node-none: ' <<<"$cells" || fail "--list lists nothing"
for words in "no-such-cell" "--runs 0" "--runs" "--no-such-option"; do
  status=0
  # shellcheck disable=SC2086
  "$here/../../scripts/natlab.sh" $words >/dev/null 2>&1 || status=$?
  [ $status = 2 ] || fail "natlab.sh $words: status $status"
done
[ $failed = 0 ] && echo "the report says what was seen"
exit $failed
