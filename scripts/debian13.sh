#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# debian13.sh: compiles everything as Debian 13 does: its g++ 14, its C++ library, its OpenSSL; warnings are
# errors. Runs the examples, and the tests that need no network and no sources.
#
# In a root of its own, made once by debootstrap in ${XDG_CACHE_HOME:-~/.cache}/qpeer/debian13: nothing of the
# machine is changed. The checkout is seen there read-only. Exit status: 0 all of it compiles and runs, 1 it
# does not, 2 wrong usage, 77 the root cannot be had here (the reason is told).
set -euo pipefail
export LC_ALL=C
usage() {
  cat <<'HELP'
usage: scripts/debian13.sh [--shell]
Compiles the library, programs, examples and tests in a root of Debian 13, and runs the examples and the tests.
  --shell   a shell in that root instead, with the checkout at /qpeer
Needs to be root, debootstrap, and a mirror of Debian; else the exit status is 77.
HELP
}
shell=
case ${1-} in
  '') ;;
  --shell) shell=1 ;;
  -h | --help) usage; exit 0 ;;
  *) echo "debian13.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/common.sh
. "$root/scripts/lib/common.sh"
# shellcheck source=scripts/lib/private_apt.sh
. "$root/scripts/lib/private_apt.sh"

readonly SUITE=trixie
readonly PACKAGES="g++ cmake ninja-build ccache pkg-config libfmt-dev libssl-dev libminiupnpc-dev libgtest-dev libbenchmark-dev openssl
  ca-certificates python3"
folder=$(cache_folder)/debian13

say() { echo "debian13: $*"; }
unavailable() {
  say "left out: $1"
  exit 77
}

# What is mounted on the way goes with the command, also when it is killed.
apart() { unshare --mount --fork --kill-child "$@"; }

# make_root MIRROR: in $work
make_root() {
  local round
  quietly apart debootstrap --variant=minbase "--keyring=$PRIVATE_APT_KEYRING" "$SUITE" "$work/root" "$1" || return 1
  {
    private_apt_repositories "$SUITE" | sed 's/^/deb /; s/$/ main/'
  } >"$work/root/etc/apt/sources.list"
  # As on the machine outside: names and a proxy.
  cp -L /etc/resolv.conf /etc/hosts "$work/root/etc/" 2>/dev/null || true
  apt-config dump Acquire::http::Proxy Acquire::https::Proxy >"$work/root/etc/apt/apt.conf" 2>/dev/null || true
  chroot "$work/root" apt-get -q update >/dev/null 2>&1 || true # One index may be missing.
  for round in {1..10}; do
    # shellcheck disable=SC2086
    chroot "$work/root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -y -q --no-install-recommends install $PACKAGES \
      >"$work/said" 2>&1 && return 0
    leave_out_missing "$work/said" "$work/root/etc/apt/preferences" || break
  done
  tail -n 15 "$work/said" >&2
  return 1
}

prepare_root() {
  local mirror started=$SECONDS
  if [ "$(cat "$folder/root/made-by" 2>/dev/null)" = "$SUITE $PACKAGES" ]; then return 0; fi
  command -v debootstrap >/dev/null || unavailable "debootstrap is missing: run scripts/setup.sh"
  [ -e "$PRIVATE_APT_KEYRING" ] || unavailable "$PRIVATE_APT_KEYRING is missing: run scripts/setup.sh"
  rm -rf "$folder/root" "$folder"/making.* # The latter are of a run that was killed; we hold the lock.
  work=$(mktemp -d "$folder/making.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP
  say "making a root of Debian 13 (once)"
  for mirror in $(own_mirrors ""); do
    rm -rf "$work/root"
    if make_root "$mirror"; then
      echo "$SUITE $PACKAGES" >"$work/root/made-by"
      mv "$work/root" "$folder/root"
      rm -rf "$work"
      trap - EXIT
      say "the root is ready, after $(seconds_since "$started") s"
      return 0
    fi
  done
  unavailable "a root of Debian 13 could not be made (the reason is above)"
}

# inside COMMAND...: in the root, which sees the checkout at /qpeer; what is mounted goes with the command
inside() {
  # shellcheck disable=SC2016
  apart bash -c '
    set -e
    root=$1 checkout=$2 folder=$3
    shift 3
    mkdir -p "$root/qpeer" "$root/build" "$root/ccache"
    mount --bind "$checkout" "$root/qpeer"
    mount -o remount,bind,ro "$root/qpeer"
    mount --bind "$folder/build" "$root/build"
    mount --bind "$folder/ccache" "$root/ccache"
    mount --bind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM="${TERM:-dumb}" \
      CCACHE_DIR=/ccache CCACHE_BASEDIR=/qpeer "$@"' - "$folder/root" "$root" "$folder" "$@"
}

main() {
  [ "$(id -u)" = 0 ] || unavailable "only root may make a root of Debian 13"
  apart true 2>/dev/null || unavailable "this machine does not let us mount"
  mkdir -p "$folder/build" "$folder/ccache" 2>/dev/null || unavailable "the folder $folder cannot be made"
  exec 9>"$folder/lock"
  flock -w 1200 9 || unavailable "another run does not end ($folder/lock is held)"
  prepare_root
  inside true || unavailable "this machine does not let us mount within a root"
  if [ -n "$shell" ]; then
    inside bash 9>&-
    return
  fi
  say "compiling with $(inside g++ --version | head -n 1)"
  inside sh -ec '
    cmake -G Ninja -S /qpeer -B /build -DCMAKE_BUILD_TYPE=Release -DQPEER_DEV=ON -DQPEER_UPNP=ON \
      -DQPEER_TESTS=ON -DQPEER_BENCH=ON -DQPEER_EXAMPLES=ON -DQPEER_TEST_OPTIONS=-O0 -DQPEER_PCH=tests
    cmake --build /build -- -k 0
    ctest --test-dir /build -j "$(nproc)" --no-tests=error --output-on-failure -LE "tidy|setup|package|interop"' >"$folder/log" 2>&1 || {
    grep -E -m 20 'error:|FAILED|\*\*\*' "$folder/log" || tail -n 20 "$folder/log"
    say "it failed (all of it: $folder/log)"
    exit 1
  }
  say "everything compiles, and $(sed -n -E 's/^100% tests passed.* out of ([0-9]+)$/\1/p' "$folder/log") tests and examples pass"
}

main
