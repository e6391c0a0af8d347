#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# bad_machine_test.sh: what setup.sh says on a machine that lacks something: one message that names the way out,
# exit status 1 (2 for wrong usage), and nothing half-made left behind.
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "$0")/../.." && pwd)
setup=$root/scripts/setup.sh
work=$(mktemp -d)
trap 'umount "$work/small" 2>/dev/null || true; rm -rf "$work"' EXIT
chmod 755 "$work"
failures=0

# says STATUS TEXT... -- COMMAND...: how it ends, and what its message has
says() {
  local wanted=$1 texts=() status=0 text
  shift
  while [ "$1" != -- ]; do
    texts+=("$1")
    shift
  done
  shift
  timeout 120 "$@" >"$work/said" 2>&1 </dev/null || status=$?
  [ $status = "$wanted" ] || { echo "$*: ended with $status, not $wanted"; cat "$work/said"; failures=$((failures + 1)); }
  for text in "${texts[@]}"; do
    grep -q -F -- "$text" "$work/said" || { echo "$*: printed not '$text', but:"; cat "$work/said"; failures=$((failures + 1)); }
  done
}
left_behind() { # left_behind FOLDER: anything but the lock, and what was there and is broken
  if [ -n "$(find "$1" -mindepth 1 \( -name 'making.*' -o -type f -not -name lock \) 2>/dev/null)" ]; then
    echo "left in $1:"
    find "$1" | head
    failures=$((failures + 1))
  fi
}
without_openssl=(env -u OPENSSL_ROOT_DIR)

says 2 "unknown argument '--fast'" "usage:" -- "$setup" --fast
says 0 "usage:" -- "$setup" --help
says 1 "OPENSSL_ROOT_DIR=/nowhere has no OpenSSL >= 3.5.1" "export OPENSSL_ROOT_DIR=DIR" -- env OPENSSL_ROOT_DIR=/nowhere "$setup"
mkdir -p "$work/other root/include/openssl" "$work/other root/lib" && touch "$work/other root/lib/libssl.a" && echo '#define OPENSSL_VERSION_STR "3.0.1"' >"$work/other root/include/openssl/opensslv.h"
says 1 "has no OpenSSL >= 3.5.1" -- env OPENSSL_ROOT_DIR="$work/other root" "$setup"
echo '#define OPENSSL_VERSION_STR "3.5.4"' >"$work/other root/include/openssl/opensslv.h"
says 0 "OpenSSL 3.5.4 from OPENSSL_ROOT_DIR" -- env OPENSSL_ROOT_DIR="$work/other root" "$setup"
rm "$work/other root/lib/libssl.a" # Headers without a library.
says 1 "has no OpenSSL >= 3.5.1" -- env OPENSSL_ROOT_DIR="$work/other root" "$setup"

# The rest is for machines whose own OpenSSL is too old: there setup.sh makes one.
system=$(echo '#include <openssl/opensslv.h>' | g++ -x c -E -dM - 2>/dev/null | sed -n 's/^#define OPENSSL_VERSION_STR "\(.*\)"/\1/p') || true
candidate=$(apt-cache policy libssl-dev 2>/dev/null | sed -n 's/^ *Candidate: //p') || true
if [ "$candidate" = "(none)" ]; then candidate=; fi
if [ "$(printf '%s\n' 3.5.1 "${system:-0}" "${candidate:-0}" | sort -V | tail -n 1)" = 3.5.1 ]; then
  says 1 "cannot be made" "export XDG_CACHE_HOME=DIR" -- "${without_openssl[@]}" XDG_CACHE_HOME=/dev/null/cache "$setup"

  # No network, and a build that was killed half-way.
  mkdir -p "$work/a cache/qpeer/making.killed" "$work/a cache/qpeer/openssl-3.5.1"
  echo half >"$work/a cache/qpeer/making.killed/file"
  ln -s openssl-3.5.1 "$work/a cache/qpeer/openssl"
  alone=()
  if [ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null; then alone=(unshare -n); fi
  says 1 "cannot be had" "Tried:" "export OPENSSL_ROOT_DIR=DIR" -- "${without_openssl[@]}" XDG_CACHE_HOME="$work/a cache" \
    http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 "${alone[@]}" "$setup"
  left_behind "$work/a cache"

  if [ "$(id -u)" = 0 ] && mkdir "$work/small" && mount -t tmpfs -o size=1m none "$work/small" 2>/dev/null; then
    says 1 "needs 700 MB" "export XDG_CACHE_HOME=DIR" -- "${without_openssl[@]}" XDG_CACHE_HOME="$work/small" "$setup"
    left_behind "$work/small"
    umount "$work/small"
  fi
fi

# Packages are missing, and this user may not install any: dpkg-query knows of none.
mkdir "$work/bin"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/dpkg-query"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/sudo"
chmod 755 "$work/bin" "$work/bin/"*
as=()
if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
cp -r "$root/scripts" "$work/scripts" && chmod -R a+rX "$work/scripts"
says 1 "not root and has no sudo" "apt-get install --no-install-recommends" -- "${as[@]}" env PATH="$work/bin:$PATH" HOME=/ "$work/scripts/setup.sh"

[ $failures = 0 ] && echo "setup.sh names what a machine lacks"
exit $((failures > 0))
