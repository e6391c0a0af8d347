#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# reference.sh: the API reference, made by Doxygen from the public headers. Every warning is an error: what is
# public has a docstring.
set -euo pipefail
export LC_ALL=C
usage() {
  cat <<'HELP'
usage: scripts/reference.sh [--help]
Makes the API reference of the headers that scripts/public_headers.txt lists, in build/reference/html.
Exit status: 0 made, 1 Doxygen warned (something public has no docstring, say), 77 doxygen is not installed.
HELP
}
case ${1-} in
  '') ;;
  -h | --help) usage; exit 0 ;;
  *) echo "reference.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
esac
cd "$(dirname "$0")/.."
if ! command -v doxygen >/dev/null; then
  echo "reference.sh: doxygen is not installed (Debian: apt-get install doxygen); no reference is made" >&2
  exit 77
fi

# Headers that are left out of the reference: an extended regular expression of their paths.
readonly EXCLUDE="${QPEER_REFERENCE_EXCLUDE-}"
readonly OUT=build/reference
rm -rf "$OUT"
mkdir -p "$OUT"
headers=$(grep -v -E '^(#|$)' scripts/public_headers.txt | grep -v -E "${EXCLUDE:-^$}")
version=$(sed -n -E 's/^#define QPEER_VERSION_(MAJOR|MINOR|PATCH) ([0-9]+)$/\2/p' transport/qpeer/version.hpp | paste -s -d .)

# The comment at the head of a header, which says what the file is for, becomes the page of the file. What it
# indents is a drawing or code. Copying and moving need no words of their own in a header; friends are
# of no interest.
cat >"$OUT/head.awk" <<'AWK'
NR == 1 && /SPDX/ { print "/// @file"; head = 1; next }
head && !/^\/\// { head = 0 }
head && /^\/\/   / { sub(/^\/\/ /, "///     ") }
head && /^\/\/($| [^ ])/ { sub(/^\/\//, "///") }
/^ *(constexpr )?[A-Za-z0-9_]+(& operator=)?\((const )?[A-Za-z0-9_]+&&?( other)?\)( noexcept)?( = [a-z]+)?;$/ {
  $0 = $0 " ///< Copies or moves as usual."
}
/^ *friend [A-Za-z:]+;$/ { print ""; next }
{ print }
AWK

cat >"$OUT/Doxyfile" <<DOXYFILE
PROJECT_NAME           = qpeer
PROJECT_NUMBER         = $version
PROJECT_BRIEF          = "QUIC transport and peer-to-peer layer in C++23"
OUTPUT_DIRECTORY       = $OUT
INPUT                  = docs/reference.dox $(tr '\n' ' ' <<<"$headers")
EXCLUDE_SYMBOLS        = *::detail *::detail::* std::hash*
INPUT_FILTER           = "awk -f $OUT/head.awk"
FULL_PATH_NAMES        = YES
STRIP_FROM_PATH        = .
STRIP_FROM_INC_PATH    = .
JAVADOC_AUTOBRIEF      = YES
BUILTIN_STL_SUPPORT    = YES
EXTRACT_ALL            = NO
EXTRACT_PRIVATE        = NO
EXTRACT_LOCAL_CLASSES  = NO
HIDE_FRIEND_COMPOUNDS  = YES
SORT_MEMBER_DOCS       = NO
MACRO_EXPANSION        = YES
EXPAND_ONLY_PREDEF     = YES
GENERATE_LATEX         = NO
HAVE_DOT               = NO
QUIET                  = YES
WARN_IF_UNDOCUMENTED   = YES
WARN_IF_DOC_ERROR      = YES
WARN_NO_PARAMDOC       = NO
WARN_AS_ERROR          = FAIL_ON_WARNINGS
WARN_FORMAT            = "\$file:\$line: \$text"
WARN_LOGFILE           = $OUT/warnings
DOXYFILE
status=0
doxygen "$OUT/Doxyfile" || status=1
sed "s|^$PWD/||" "$OUT/warnings" | sort -u
[ $status = 0 ] || { echo "reference.sh: $(sort -u "$OUT/warnings" | grep -c .) warnings" >&2; exit 1; }
echo "the reference of $(wc -l <<<"$headers") headers: $OUT/html/index.html"
