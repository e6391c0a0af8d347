#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# setup.sh: make a Debian machine ready to build and test qpeer. Unattended; run it as often as you like.
#
#   1. Debian packages: compilers, CMake, test libraries (with sudo when not root).
#   2. OpenSSL >= 3.5.1: $OPENSSL_ROOT_DIR if set, else the system's if new enough, else a static build
#      of Debian trixie's source package in ${XDG_CACHE_HOME:-$HOME/.cache}/qpeer, made once. It comes
#      from the mirror that this machine's apt already uses, checked against Debian's archive keyring,
#      through an apt configuration of its own: the system's sources, lists and packages stay as they are.
#
# CMake finds that OpenSSL through the link .../qpeer/openssl. What is there already is skipped.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
lib=$(cd "$(dirname "${BASH_SOURCE[0]}")/lib" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$lib/common.sh"
# shellcheck source=scripts/lib/private_apt.sh
. "$lib/private_apt.sh"

usage() {
  cat <<'HELP'
usage: scripts/setup.sh [--refresh]
Installs what qpeer needs to build and test (Debian 12 or newer). Idempotent and unattended.
  --refresh          build OpenSSL anew, from the newest version that can be had, where one was built
Environment:
  OPENSSL_ROOT_DIR   use this OpenSSL (>= 3.5.1) instead of the system's or a build of our own
  XDG_CACHE_HOME     where the OpenSSL build goes (default: ~/.cache), in the folder qpeer/
HELP
}
refresh=
case ${1-} in
  '') ;;
  --refresh) refresh=1 ;;
  -h | --help) usage; exit 0 ;;
  *) echo "setup.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
esac

readonly OPENSSL_MINIMUM=3.5.1
readonly OPENSSL_SUITE=trixie
readonly PACKAGES="g++ clang-19 libclang-rt-19-dev clang-format-19 clang-tidy-19 llvm-19
  cmake ninja-build ccache pkg-config libfmt-dev libminiupnpc-dev libgtest-dev libbenchmark-dev
  openssl perl python3 make dpkg-dev xz-utils ca-certificates debian-archive-keyring debootstrap iproute2"

say() { echo "setup: $*"; }
die() { # die TEXT...: one message, each argument on a line of its own
  local line
  printf 'setup: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

# --- Debian packages ----------------------------------------------------------------------------
missing_packages() { # those of the arguments that are not installed
  local installed package
  installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p' | tr '\n' ' ')"
  for package; do
    case $installed in *" $package "*) ;; *) printf '%s ' "$package" ;; esac
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n env DEBIAN_FRONTEND=noninteractive "$@"; fi
}

apt_update_once() {
  if [ -n "${updated-}" ]; then return 0; fi
  updated=1
  say "reading the package lists"
  QUIETLY_LINES=2 quietly as_root apt-get update -q -o APT::Update::Error-Mode=any
}

install_packages() { # install_packages PACKAGE...: those that are missing
  local missing started=$SECONDS
  missing=$(missing_packages "$@")
  if [ -z "$missing" ]; then return 0; fi
  if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    die "packages are missing, and this user is not root and has no sudo without a password." \
      "Ask for this, then run scripts/setup.sh again:" "  apt-get install --no-install-recommends $missing"
  fi
  say "installing ${missing% }"
  local get=(as_root apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
  # The lists may be absent or stale: refresh them only if that is so.
  if ! "${get[@]}" -s install $missing >/dev/null 2>&1; then apt_update_once || true; fi
  if ! "${get[@]}" install $missing >/dev/null 2>&1; then
    { apt_update_once && QUIETLY_LINES=2 quietly "${get[@]}" install $missing; } ||
      die "the packages could not be installed (the reason is above; no network, or no space?)." \
        "Install them by hand, then run scripts/setup.sh again:" \
        "  apt-get install --no-install-recommends $missing"
  fi
  say "packages installed ($(seconds_since "$started") s)"
}

# --- OpenSSL ------------------------------------------------------------------------------------
header_version() { # header_version [ROOT]: the version that <openssl/opensslv.h> tells, or nothing
  { echo '#include <openssl/opensslv.h>' | g++ -x c -E -dM ${1:+-I"$1/include"} - 2>/dev/null || true; } |
    sed -n 's/^#define OPENSSL_VERSION_STR "\(.*\)"/\1/p'
}

by_hand() { # by_hand TEXT LINE...: die, with the way out
  die "$@" "Build OpenSSL >= $OPENSSL_MINIMUM by hand and point OPENSSL_ROOT_DIR at it, then run scripts/setup.sh again:" \
    "  ./Configure no-shared no-tests no-docs no-apps --libdir=lib --prefix=DIR && make -j2 && make install_sw" \
    "  export OPENSSL_ROOT_DIR=DIR"
}
elsewhere() { # elsewhere TEXT: die, for the cache folder is no place to write
  die "$1" "Name another place for what is made once, then run scripts/setup.sh again:" "  export XDG_CACHE_HOME=DIR"
}

build_openssl() { # build_openssl CACHE: build into CACHE/openssl-VERSION; a half-made one never shows
  local cache=$1 work version prefix free started=$SECONDS
  rm -rf "$cache"/making.*  # Left by a set-up that was killed; we hold the lock.
  free=$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge 700000 ] || elsewhere "the OpenSSL build needs 700 MB in $cache, of which only $((free / 1024)) MB are free."
  work=$(mktemp -d "$cache/making.XXXXXX") || elsewhere "the folder $cache cannot be written."
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP
  say "fetching the OpenSSL source of Debian $OPENSSL_SUITE"
  private_apt_source "$work" "$OPENSSL_SUITE" openssl ||
    by_hand "the OpenSSL source of Debian $OPENSSL_SUITE cannot be had (no network, or not Debian?). Tried:" "${tried[@]/#/  }"
  version=$(sed -n 's/^\(MAJOR\|MINOR\|PATCH\)=//p' "$work/source/VERSION.dat" | paste -sd.)
  at_least "$version" "$OPENSSL_MINIMUM" || by_hand "Debian $OPENSSL_SUITE offers only OpenSSL $version."
  prefix=$cache/openssl-$version
  say "building OpenSSL $version (one to three minutes, once)"
  (
    cd "$work/source" &&
      quietly ./Configure no-shared no-tests no-docs no-apps --libdir=lib --openssldir=/etc/ssl --prefix="$prefix" &&
      quietly make -j"$(nproc)" &&
      quietly make install_sw DESTDIR="$work/root" &&
      cp LICENSE.txt "$work/root$prefix/"
  ) || by_hand "OpenSSL $version did not build (the reason is above)."
  rm -rf "$prefix"
  mv "$work/root$prefix" "$prefix"
  ln -s "openssl-$version" "$work/link"
  mv -T "$work/link" "$cache/openssl"
  rm -rf "$work"
  trap - EXIT
  say "OpenSSL $version built in $(seconds_since "$started") s: $prefix"
}

have_openssl() { # have_openssl DIR: a finished, new enough OpenSSL is installed there
  local version
  version=$(header_version "$1")
  compgen -G "$1/lib*/libssl.[as]*" >/dev/null || compgen -G "$1/lib/*/libssl.[as]*" >/dev/null || return 1
  [ -e "$1/include/openssl/opensslv.h" ] && [ -n "$version" ] && at_least "$version" "$OPENSSL_MINIMUM"
}

setup_openssl() {
  local version cache candidate
  if [ -n "${OPENSSL_ROOT_DIR-}" ]; then
    have_openssl "$OPENSSL_ROOT_DIR" ||
      by_hand "OPENSSL_ROOT_DIR=$OPENSSL_ROOT_DIR has no OpenSSL >= $OPENSSL_MINIMUM."
    say "OpenSSL $(header_version "$OPENSSL_ROOT_DIR") from OPENSSL_ROOT_DIR"
    return 0
  fi
  version=$(header_version)
  if [ -z "$version" ] || ! at_least "$version" "$OPENSSL_MINIMUM"; then
    cache=$(cache_folder)
    if [ -z "$refresh" ] && have_openssl "$cache/openssl"; then
      say "OpenSSL $(header_version "$cache/openssl") in $cache/openssl"
      return 0
    fi
    candidate=$(apt-cache policy libssl-dev | sed -n 's/^ *Candidate: //p')
    if at_least "${candidate%%-*}" "$OPENSSL_MINIMUM" && [ "$candidate" != "(none)" ]; then
      install_packages libssl-dev
      version=$(header_version)
    else
      mkdir -p "$cache" 2>/dev/null || elsewhere "the folder $cache cannot be made."
      { exec 9>"$cache/lock"; } 2>/dev/null || elsewhere "the folder $cache cannot be written."
      flock 9
      if [ -n "$refresh" ] || ! have_openssl "$cache/openssl"; then build_openssl "$cache"; fi
      exec 9>&-
      return 0
    fi
  fi
  say "OpenSSL $version of the system"
}

main() {
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    die "this is not a Debian system. Install by hand: a C++23 compiler (g++ >= 12 or clang >= 19)," \
      "CMake >= 3.25, Ninja, fmt, GoogleTest, Google Benchmark, pkg-config and OpenSSL >= $OPENSSL_MINIMUM" \
      "(set OPENSSL_ROOT_DIR if it is not the system's); then use the presets: cmake --preset release"
  install_packages $PACKAGES
  setup_openssl
  say "ready"
}

main
