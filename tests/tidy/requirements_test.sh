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
for document in rfc6886 rfc6887 rfc8489 rfc8999 rfc9000 rfc9001 rfc9002 rfc9221 rfc9287 rfc9368 rfc9369 rfc9406 rfc9438; do
  : >"$root/docs/requirements/$document.tsv"
done
printf "$doc-1-1\tMUST\n$doc-1-2\tMUST NOT\n$doc-1-3\tMAY\n" >"$root/docs/requirements/rfc9221.tsv"
printf "$doc-1-2\tbinds nobody at all\n" >"$root/docs/requirements/exceptions.tsv"
echo "// [$doc-1-1]: the reason" >"$root/transport/enforces.cpp"
page=$root/docs/architecture.md
place='<!-- begin: written by scripts/requirements.py -->
<!-- end: written by scripts/requirements.py -->'
printf 'Before.\n%s\nAfter.\n' "$place" >"$page"
printf '# A comment.\nrfc9221\t1, 4.2\tthe words\n' >"$root/docs/requirements/sections.tsv"

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

# --- the tables of sections ---

row() { # row TEXT: the page has this line
  "$script" --root "$root" >/dev/null
  grep -q -x -F -- "$1" "$page" || { printf '%s lacks\n%s\nand has\n' "$page" "$1"; cat "$page"; failures=$((failures + 1)); }
}
printf "int c;  // [$doc-1-2]\n" >"$root/transport/enforces.cpp"
printf "// [$doc-1-1]\nTEST(Suite, Name) {\n}\n" >"$root/tests/one_test.cpp"
row 'Before.'
row 'After.'
row '| RFC 9221 | | code |'
row '| 1, 4.2 | the words | `transport/enforces.cpp` |'
expect 0 '0 open of 2' --check --root "$root"
# Citations without an id, the § of a comment that goes on, sections inside a group, and those of other documents.
printf '// Duty.\n// RFC 9221 §4.2.1,\n// §7; RFC 9000 §4.2; RFC 1 §9.\n\nint a;  // §10.1\n' >"$root/transport/b.hpp"
expect 1 'docs/architecture.md is stale' --check --root "$root"
row '| 1, 4.2 | the words | `transport/b.hpp`; `transport/enforces.cpp` |'
row '| 7 |  | `transport/b.hpp` |'
row '| 10.1 |  | `transport/b.hpp` |'
row '| RFC 9000 | | code |'
row '| 4.2 |  | `transport/b.hpp` |'
grep -q '| RFC 1 |' "$page" && { echo "an RFC without a list of sentences has a table"; failures=$((failures + 1)); }
[ "$(grep -n -x -F '| 7 |  | `transport/b.hpp` |' "$page" | cut -d: -f1)" -lt \
  "$(grep -n -x -F '| 10.1 |  | `transport/b.hpp` |' "$page" | cut -d: -f1)" ] ||
  { echo "10.1 stands before 7"; failures=$((failures + 1)); }
# A source says no more than the header beside it; a line of code ends a comment.
printf '// RFC 9000 §4.2\nint b;\n// §7\n' >"$root/transport/b.cpp"
row '| 4.2 |  | `transport/b.hpp` |'
row '| 7 |  | `transport/b.cpp` |'
sed -i 's/the words/other words/' "$page"
expect 1 'docs/architecture.md is stale' --check --root "$root"
row '| 1, 4.2 | the words | `transport/b.hpp`; `transport/enforces.cpp` |'
printf 'rfc9221\t3\tnowhere in the code\n' >>"$root/docs/requirements/sections.tsv"
expect 1 'sections.tsv: no code cites rfc9221 §3' --check --root "$root"
printf 'rfc9221\t4.2\tagain\nrfc1\t2\twords\n' >"$root/docs/requirements/sections.tsv"
expect 1 'sections.tsv:2: a document, sections and words are wanted' --check --root "$root"
printf 'rfc9221\t4.2\tone\nrfc9221\t4.2\ttwo\n' >"$root/docs/requirements/sections.tsv"
expect 1 'sections.tsv:2: rfc9221 §4.2 for the second time' --check --root "$root"
echo 'No place.' >"$page"
expect 1 'docs/architecture.md has no markers' --check --root "$root"

[ $failures = 0 ] && echo "requirements.py sees it all"
exit $((failures > 0))
