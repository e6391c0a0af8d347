#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# That scripts/requirements.py sees what it is there to see, in a small working copy of its own.
set -euo pipefail
script=$(cd "$(dirname "$0")/../.." && pwd)/scripts/requirements.py
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failures=0
doc=rfc9221  # Apart from the numbers, or these here would be ids themselves.

expect() { # expect STATUS TEXT ARGUMENT...: how it ends, and a line of what it says
  local status=0 wanted=$1 text=$2 said
  shift 2
  said=$("$script" "$@" 2>&1) || status=$?
  if [ "$status" != "$wanted" ] || ! grep -q -F -- "$text" <<<"$said"; then
    printf 'requirements.py %s: ended with %s, not %s, and said\n%s\nnot %s\n' "$*" "$status" "$wanted" "$said" "$text"
    failures=$((failures + 1))
  fi
}

mkdir -p "$root/docs/requirements" "$root/transport" "$root/tests"
for document in rfc8999 rfc9000 rfc9001 rfc9002 rfc9221 rfc9287 rfc9368 rfc9369; do
  : >"$root/docs/requirements/$document.tsv"
done
printf "$doc-1-1\tMUST\n$doc-1-2\tMUST NOT\n$doc-1-3\tMAY\n" >"$root/docs/requirements/rfc9221.tsv"
printf "$doc-1-2\tbinds nobody at all\n" >"$root/docs/requirements/exceptions.tsv"
echo "// [$doc-1-1]: the reason" >"$root/transport/enforces.cpp"

expect 0 'usage:' --help
expect 2 "what is '--no'" --no
expect 2 'is no folder' --root "$root/tests"
expect 1 'MUST rows: 0 tested, 1 excepted, 1 open of 2' --check --root "$root"
expect 0 "open: $doc-1-1 (MUST) transport/enforces.cpp" --open --root "$root"
printf "// [$doc-1-1]\nTEST(Suite, Name) {\n}\n" >"$root/tests/one_test.cpp"
expect 1 'docs/requirements.md is stale' --check --root "$root"
expect 0 'MUST rows: 1 tested, 1 excepted, 0 open of 2' --root "$root"
expect 0 'MUST rows: 1 tested, 1 excepted, 0 open of 2' --check --root "$root"
grep -q -F "| $doc-1-1 | MUST | tested | transport/enforces.cpp | Suite.Name |" "$root/docs/requirements.md" ||
  { echo "the page lacks the row"; failures=$((failures + 1)); }
echo "// [$doc-1-4]" >>"$root/tests/one_test.cpp"
expect 1 "tests/one_test.cpp:4: unknown id $doc-1-4" --check --root "$root"
printf "// [$doc-1-2]\nTEST(Suite, Name) {\n}\n" >"$root/tests/one_test.cpp"
expect 1 "exceptions.tsv: $doc-1-2 is tested" --check --root "$root"

[ $failures = 0 ] && echo "requirements.py sees it all"
exit $((failures > 0))
