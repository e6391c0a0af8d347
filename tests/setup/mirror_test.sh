#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# mirror_test.sh: what private_apt.sh makes of mirrors that lack what their indexes name. The mirror is a server
# of our own on the loopback; only the check of its signature is replaced, the sums of the index are checked.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/private_apt.sh
. "$here/../../scripts/lib/private_apt.sh"
# shellcheck source=scripts/lib/processes.sh
. "$here/../../scripts/lib/processes.sh"
for tool in apt-get dpkg-source python3; do
  command -v $tool >/dev/null || { echo "$tool is missing"; exit 77; }
done
begin_processes mirror
failures=0
fail() {
  echo "$case_name: $*"
  failures=$((failures + 1))
}

private_apt_trust() { echo "trusted=yes"; }
own_mirrors() { echo "$mirror"; }
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY

# serve NAME VERSION:SUITE:STATE...: a mirror for one case
serve() {
  case_name=$1
  shift
  rm -rf "$scratch/files" "$scratch/an apt"
  mkdir "$scratch/files" "$scratch/an apt"
  start_child "$scratch/address" python3 "$here/fake_mirror.py" "$scratch/files" "$@"
  server=$child
  for _ in {1..100}; do
    mirror=$(<"$scratch/address")
    [ -z "$mirror" ] || break
    sleep 0.05
  done
}
done_with() { stop_child "$server" 2>/dev/null || true; }

# gets VERSION: that version of the source is what is got
gets() {
  local why=0
  private_apt_source "$scratch/an apt" stable tiny 2>"$scratch/said" || why=1
  if [ $why != 0 ]; then fail "nothing was got; tried: ${tried[*]-}"; cat "$scratch/said"; return; fi
  [ "$source_version" = "$1" ] || fail "got $source_version, not $1"
  [ "$(cat "$scratch/an apt/source/VERSION")" = "$1" ] || fail "the source that was unpacked is not of $1"
}
# gets_none TEXT...: nothing is got, nothing half-made stays, and what was tried has each TEXT
gets_none() {
  local text
  if private_apt_source "$scratch/an apt" stable tiny 2>"$scratch/said"; then fail "got $source_version"; fi
  [ ! -e "$scratch/an apt/source" ] && [ ! -e "$scratch/an apt/download" ] || fail "something half-made is left"
  for text; do
    grep -q -F -- "$text" <<<"${tried[*]}" || fail "what was tried has no '$text': ${tried[*]}"
  done
}

serve "the newest is there" 1.9:stable:good 1.10:stable-security:good 1.2:stable-updates:good
gets 1.10
done_with
serve "the newest of three is missing, the next ends half-way" 1.12:stable:missing 1.11:stable-security:cut 1.3:stable-updates:good
gets 1.3
done_with
serve "the newest of one index is missing" 1.12:stable:missing 1.9:stable:good
gets 1.9
done_with
serve "the newest is forged" 1.12:stable:forged 1.9:stable:good
gets 1.9
done_with
serve "all are missing" 1.12:stable:missing 1.11:stable-security:missing
gets_none "tiny 1.12 of" "tiny 1.11 of" "404"
done_with
serve "all end half-way" 1.12:stable:cut
gets_none "tiny 1.12 of"
done_with
serve "the suite is another" 1.12:other:good
gets_none "stable"
done_with
serve "by way of a proxy" 1.12:stable:missing 1.9:stable:good
proxy=$mirror mirror=http://mirror.invalid/
export http_proxy=$proxy
gets 1.9
unset http_proxy
done_with
if [ "$(id -u)" = 0 ] && mkdir "$scratch/small" && mount -t tmpfs -o size=64k none "$scratch/small" 2>/dev/null; then
  serve "the disk is full half-way" 1.9:stable:good
  head -c 40000 /dev/urandom >"$scratch/small/other"
  mkdir "$scratch/small/an apt" && rmdir "$scratch/an apt" && ln -s "$scratch/small/an apt" "$scratch/an apt"
  gets_none "stable"
  rm "$scratch/an apt"
  umount "$scratch/small"
  done_with
fi
case_name="no mirror answers"
mirror=http://127.0.0.1:9/
rm -rf "$scratch/an apt" && mkdir "$scratch/an apt"
gets_none "stable"

# Packages: as the interoperation peers are got.
packages() {
  private_apt_create "$scratch/an apt" "deb $mirror stable" "deb $mirror stable-updates" &&
    private_apt "$scratch/an apt" apt-get -q update &&
    (cd "$scratch/an apt" && private_apt_packages "$scratch/an apt" apt-get -q -o APT::Architecture=amd64 download tiny-bin)
}
serve "the newest package is missing" 1.12:stable:missing 1.11:stable-updates:good
packages 2>"$scratch/said" || { fail "no package was got"; cat "$scratch/said"; }
[ -e "$scratch/an apt/tiny-bin_1.11_all.deb" ] || fail "the older package is not there"
done_with
serve "every package is missing" 1.12:stable:missing 1.11:stable-updates:missing
if packages 2>"$scratch/said"; then fail "a package was got"; fi
done_with

[ $failures = 0 ] && echo "a mirror that lacks something is no end"
exit $((failures > 0))
