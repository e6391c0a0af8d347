#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# docs.sh: what the pages at the top and docs/*.md say of the repository is so.
#
#   - a code block under the line <!-- path --> is that file, to the letter but for its licence; one under <!-- from path -->
#     is whole lines of it
#   - relative links, and `paths/in/backticks` that begin with a folder of ours, exist
#   - every flag of our scripts that is mentioned is one that the script knows
#   - each test that docs/security.md names is one of tests/
#   - a figure in **bold** in a row of README.md's table stands, to the letter, in the page that the row links
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."
failures=0
fail() {
  echo "$1"
  failures=$((failures + 1))
}

blocks=0
for page in *.md docs/*.md; do
  while IFS=: read -r line marker; do
    file=${marker#<!-- }
    file=${file% -->}
    blocks=$((blocks + 1))
    if [ ! -e "$file" ]; then fail "$page:$line: there is no $file"; continue; fi
    # The block begins on the next line and ends at the next fence.
    if ! difference=$(diff <(tail -n +$((line + 2)) "$page" | sed '/^```$/,$d') <(grep -v 'SPDX-License-Identifier' "$file")); then
      fail "$page:$line: the code differs from $file:"
      head -n 6 <<<"$difference"
    fi
  done < <(grep -n -E '^<!-- [^ ]+ -->$' "$page" || true)

  while IFS=: read -r line marker; do
    file=${marker#<!-- from }
    file=${file% -->}
    blocks=$((blocks + 1))
    if [ ! -e "$file" ]; then fail "$page:$line: there is no $file"; continue; fi
    excerpt=$(tail -n +$((line + 2)) "$page" | sed '/^```$/,$d')
    whole=$(<"$file")
    [[ $'\n'$whole$'\n' == *$'\n'"$excerpt"$'\n'* ]] || fail "$page:$line: $file has no such lines"
  done < <(grep -n -E '^<!-- from [^ ]+ -->$' "$page" || true)

  while read -r path; do
    [ -e "$path" ] || [ -e "$(dirname "$page")/$path" ] || fail "$page: the link '$path' leads nowhere"
  done < <(grep -o -E '\]\([^)#: ]+\)' "$page" | sed -E 's/^\]\((.*)\)$/\1/' || true)

  while read -r path; do
    # shellcheck disable=SC2086
    ls -d $path >/dev/null 2>&1 || fail "$page: there is no $path"
  done < <(grep -o -E '`(transport|crypto|cache|p2p|tests|bench|fuzz|docs|scripts)/[^` ]*`' "$page" | tr -d '`' || true)

  while read -r script flag; do
    if [ ! -x "$script" ]; then
      fail "$page: $script cannot be run"
    elif [ -n "$flag" ] && ! grep -q -F -- "$flag" "$script"; then
      fail "$page: $script has no $flag"
    fi
  done < <(grep -o -E '(^|`)scripts/[a-z0-9_]+\.sh( --[a-z-]+)?' "$page" | tr -d '`' || true)
done

tests=$(grep -r -h -A 1 -E '^(TEST|TEST_F|TEST_P|SIMULATE|SIMULATE_PEERS|SIMULATE_IN)\(' tests | tr -d '\n' |
  sed -E 's/SIMULATE_IN\([A-Za-z0-9]+, */SIMULATE(/g' |
  grep -o -E '(TEST|TEST_F|TEST_P|SIMULATE|SIMULATE_PEERS)\([A-Za-z0-9]+, *[A-Za-z0-9]+\)' | sed -E 's/^[A-Z_]+\(([A-Za-z0-9]+), *([A-Za-z0-9]+)\)/\1.\2/')
while read -r name; do
  grep -q -x -F -- "$name" <<<"$tests" || fail "docs/security.md: there is no test $name"
done < <(grep -o -E '\b[A-Z][A-Za-z0-9]+[.][A-Z][A-Za-z0-9]+\b' docs/security.md | sort -u)

figures=0
while read -r row; do
  source=$(grep -o -E 'docs/[a-z]+[.]md' <<<"$row" | head -n 1)
  while read -r figure; do
    figures=$((figures + 1))
    grep -q -F -- "$figure" "$source" || fail "README.md: $source lacks '$figure'"
  done < <(grep -o -E '[*]{2}[^*]+[*]{2}' <<<"$row" | tr -d '*')
done < <(grep -E '^[|].*[*]{2}.*\]\(docs/' README.md)
[ $figures -gt 0 ] || fail "README.md shows no figure"
[ $blocks -gt 0 ] || fail "no page shows an example"
[ $failures = 0 ] && echo "the pages agree with the repository"
exit $((failures > 0))
