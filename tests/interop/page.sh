#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# page.sh RESULTS: docs/interop.md, on standard output, from what scripts/interop.sh --all left in RESULTS.
set -euo pipefail
export LC_ALL=C
[ $# = 1 ] || { echo "usage: tests/interop/page.sh RESULTS" >&2; exit 2; }
results=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/lib/common.sh
. "$root/scripts/lib/common.sh"
# shellcheck source=tests/interop/peers/peers.sh
. "$root/tests/interop/peers/peers.sh"
# shellcheck source=tests/interop/peers/cases.sh
. "$root/tests/interop/peers/cases.sh"

colour() { cut -f 1 "$results/$1" 2>/dev/null || true; }
cause() { cut -f 3- "$results/$1"; }

present=()
for peer in $PEERS; do if [ -e "$results/$peer.version" ]; then present+=("$peer"); fi; done
[ ${#present[@]} -gt 0 ] || { echo "page.sh: $results holds no results" >&2; exit 1; }

matrix() { # matrix ROLE-OF-THE-PEER PEER...
  local role=$1 case peer row
  shift
  row='| case |'
  for peer; do row+=" $peer |"; done
  echo "$row"
  row='|---|'
  for peer; do row+='---|'; done
  echo "$row"
  for case in $CASES; do
    row="| $case |"
    for peer; do
      case $(colour "$peer.$role.$case") in
        green) row+=' green |' ;;
        RED) row+=' **red** |' ;;
        -) row+=' - |' ;;
        *) row+=' not run |' ;;
      esac
    done
    echo "$row"
  done
}

clients=()
for peer in "${present[@]}"; do is_server_only "$peer" || clients+=("$peer"); done

count() { # count COLOUR: cells
  local n=0 peer role case
  for peer in "${present[@]}"; do
    for role in server client; do
      for case in $CASES; do if [ "$(colour "$peer.$role.$case")" = "$1" ]; then n=$((n + 1)); fi; done
    done
  done
  echo $n
}

tried() { # what was run and when; one unless the page was made of several runs
  cat "$results"/*.server.* "$results"/*.client.* 2>/dev/null | cut -f 2 | sort -u | paste -s -d '\t' | sed 's/\t/; /g'
}

list() { # list COLOUR: the cells of that colour with something to tell, those of one cause together
  local peer role case
  for peer in "${present[@]}"; do
    for role in server client; do
      for case in $CASES; do
        if [ "$(colour "$peer.$role.$case")" = "$1" ] && [ -n "$(cause "$peer.$role.$case")" ]; then
          printf '%s\t%s\t%s\n' "$peer as $role" "$(cause "$peer.$role.$case")" "$case"
        fi
      done
    done
  done | awk -F '\t' '
    { key = $1 "\t" $2; if (!(key in cases)) order[++n] = key; cases[key] = cases[key] (cases[key] == "" ? "" : ", ") $3 }
    END { for (i = 1; i <= n; ++i) { split(order[i], part, "\t"); print "- " part[1] ", " cases[order[i]] ": " part[2] "." } }'
}

cat <<PAGE
<!-- SPDX-License-Identifier: MIT OR BSD-3-Clause -->
# Interoperation with other stacks

Made by \`scripts/interop.sh --all\`; do not edit. $(count green) cells are green, $(count RED) red, with $(tried).

Between client and server there is always a relay (\`tests/interop/relay\`): 15 ms each way, 10 Mbit/s, a queue of
25 datagrams, an MTU of 1452 bytes of UDP payload, and whatever the case adds. The cases, their sizes and their time limits are those of the QUIC interop
runner. A cell is green when all files arrived with the right SHA-256 and what the case is about was seen: the relay
counts packet types, versions, ECN marks, connections, rebindings and bytes sent to unproved addresses, and our own
program tells of ciphers, key updates, resumption and paths. A dash means that the peer cannot do it: \`--dashes\`
tries those cells as well.

In \`connectionmigration\` the client moves to another address of its own. In \`preferredaddress\` it moves to one that
the server announced, past the relay; the interop runner calls that connectionmigration.

| name | stack |
|---|---|
PAGE
for peer in "${present[@]}"; do echo "| $peer | $(<"$results/$peer.version") |"; done
printf '\n## qpeer as the client\n\n'
matrix server "${present[@]}"
printf '\n## qpeer as the server\n\n'
matrix client "${clients[@]}"
section() { # section TITLE COLOUR
  local lines
  lines=$(list "$2")
  if [ -n "$lines" ]; then printf '\n## %s\n\n%s\n' "$1" "$lines"; fi
}
section Red RED
section "Green all the same" green
section "What peers cannot do" -
