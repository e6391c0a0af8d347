#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# congestion.sh: congestion control on the link zoo of tests/links. Its last line is "links: H hold, F fall short".
set -euo pipefail
usage() {
  cat <<'HELP'
usage: scripts/congestion.sh [--seeds N] [--link NAME] [--cc NAME] [--plots]
Builds qpeer-links (preset release), runs the cells of the link zoo in virtual time, two at once, and writes
docs/congestion.md when all of them ran. Results are kept in build/links/, one file a cell.
  --seeds N    runs of each cell, each with a seed of its own: 1, 2, ... (30)
  --link NAME  only this link; the page is then build/links/congestion.md
  --cc NAME    only flows with this controller; the same
  --plots      also a picture of each of these cells, build/links/LINK.FLOWS.svg: window, round trips, rates and losses
               of its first flow in a run of a few seconds
  --list       the cells, one a line, and no more
  --help       this text
The last line is "links: H hold, F fall short". Exit: 0 when every cell ran, 1 when the build or a cell failed, 2 when
called wrongly.
HELP
}
misuse() {
  echo "congestion.sh: $1" >&2
  usage >&2
  exit 2
}
cd "$(dirname "$0")/.."
seeds=30
filter=()
list=
plots=
while [ $# -gt 0 ]; do
  case $1 in
    --seeds)
      [[ ${2-} =~ ^[1-9][0-9]*$ ]] || misuse "--seeds needs a number"
      seeds=$2
      shift ;;
    --link | --cc)
      [ -n "${2-}" ] || misuse "$1 needs a name"
      filter+=("$1" "$2")
      shift ;;
    --plots) plots=1 ;;
    --list) list=1 ;;
    -h | --help) usage; exit 0 ;;
    *) misuse "unknown argument '$1'" ;;
  esac
  shift
done

out=build/links
mkdir -p "$out"
program=build/release/bin/qpeer-links
{ cmake --preset release && cmake --build --preset release --target qpeer-links; } >"$out/build.log" 2>&1 ||
  { tail -n 40 "$out/build.log" >&2; echo "congestion.sh: the build failed" >&2; exit 1; }
cells=$("$program" cells "${filter[@]}") || exit 2
[ -n "$cells" ] || misuse "no cell has that link and that controller"
if [ -n "$list" ]; then echo "$cells"; exit 0; fi

run_cell() { # run_cell LINK FLOWS: its lines go to a file; .failed when it ends badly
  local file=$out/$1.$2 start=$SECONDS
  rm -f "$file" "$file.failed"
  if ! "$program" run "$1" "$2" --seeds "$seeds" --speed >"$file.part" 2>"$file.log"; then touch "$file.failed"; fi
  mv "$file.part" "$file"
  echo "congestion: $1 $2, $((SECONDS - start)) s$([ -e "$file.failed" ] && echo ': FAILED')"
}
export -f run_cell
export out program seeds
echo "congestion: $(wc -l <<<"$cells") cells, $seeds seeds each" >&2
# shellcheck disable=SC2016  # The inner shell expands it.
xargs -P2 -L1 bash -c 'run_cell "$1" "$2"' run_cell <<<"$cells" >&2

failed=0
while read -r link flows; do
  # What else a run printed, when a check of the simulator failed say, is no result.
  grep "^$link $flows [0-9]" "$out/$link.$flows" || true
  if [ -e "$out/$link.$flows.failed" ]; then
    echo "congestion.sh: $link $flows failed; see $out/$link.$flows and $out/$link.$flows.log" >&2
    echo "$link $flows 0 finished=0"
    failed=1
  fi
done <<<"$cells" >"$out/results"

draw_cell() { # draw_cell LINK FLOWS: by way of qlog, which is large
  local folder=$out/$1.$2.qlog
  rm -rf "$folder"
  mkdir -p "$folder"
  "$program" record "$1" "$2" "$folder" || return 1
  # Each flow has a file; the handshakes of all begin at once.
  scripts/plot.sh "$(find "$folder" -name '*_client.sqlog' | sort | head -n 1)" "$out/$1.$2.svg" || return 1
  rm -rf "$folder"
  echo "congestion: $out/$1.$2.svg"
}
export -f draw_cell
if [ -n "$plots" ]; then
  # shellcheck disable=SC2016  # The inner shell expands it.
  xargs -P2 -L1 bash -c 'draw_cell "$1" "$2"' draw_cell <<<"$cells" >&2 || failed=1
fi

page=docs/congestion.md
part=()
if [ ${#filter[@]} -gt 0 ]; then
  page=$out/congestion.md
  part=(--part)
fi
if ! "$program" report "$out/results" "${part[@]}" >"$out/page"; then
  echo "congestion.sh: there is no page of $out/results" >&2
  exit 1
fi
mv "$out/page" "$page"
echo "congestion: $page" >&2
tail -n 1 "$page"
exit $failed
