#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# licence.sh: every file of the project names its licence in one of its first two lines; those that have no
# room for it are named in REUSE.toml.
set -euo pipefail
cd "$(dirname "$0")/../.."
status=0
while read -r file; do
  case $file in
    LICENSE-* | *.json | docs/requirements/*.tsv | fuzz/regressions/*) continue ;;
  esac
  if ! head -n 2 "$file" | grep -q 'SPDX-License-Identifier: MIT OR BSD-3-Clause'; then
    echo "$file: no line 'SPDX-License-Identifier: MIT OR BSD-3-Clause'"
    status=1
  fi
done < <(git ls-files 2>/dev/null || find . -type f -not -path './build/*' -not -path './.git/*' -printf '%P\n')
[ $status = 0 ] && echo "every file names its licence"
exit $status
