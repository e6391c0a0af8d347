#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# threads.sh: each class of the folders that meet threads says in its own comment of which thread it is.
#
# Not those in a namespace detail, nor those of a header that says it is internal.
set -euo pipefail
export LC_ALL=C
cd "${1:-"$(dirname "$0")/../.."}"
silent=$(
  for header in transport/async/*.hpp transport/io/*.hpp p2p/async/*.hpp; do
    [ -e "$header" ] || continue
    if sed -n '1,/^#pragma once/p' "$header" | grep -q 'Internal to\|internal to'; then continue; fi
    awk -v file="$header" '
      /^namespace .*detail {/ { inside = 1 }
      /^}  \/\/ namespace .*detail/ { inside = 0 }
      /^\/\/\// { comment = comment $0; next }
      /^template / || /^  requires/ { next }
      /^class .*{/ && !inside && comment !~ /thread/ { print file ":" FNR ": " $0 }
      { comment = "" }' "$header"
  done
)
[ -z "$silent" ] || { echo "of which thread?"; echo "$silent"; exit 1; }
