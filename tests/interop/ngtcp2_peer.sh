#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# ngtcp2_peer.sh: ngtcp2's client and server that speak hq-interop; prints the folder they are in.
#
# Debian's packaged programs speak h3 only, so the pair (h09client, h09server) is built from the examples
# in Debian's source package, against Debian's libngtcp2 and GnuTLS, which are unpacked beside it and not
# installed. Made once, in $XDG_CACHE_HOME/qpeer/peers/ngtcp2-<version>, under a lock; a half-made one
# never shows. Exit status 77: it cannot be had here (no network, not Debian), and the reason is told.
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/lib/common.sh
. "$root/scripts/lib/common.sh"
# shellcheck source=scripts/lib/private_apt.sh
. "$root/scripts/lib/private_apt.sh"

readonly MINIMUM=1.11
# These two sets come from the suite of ngtcp2; what they depend on comes from the machine's own release.
readonly NGTCP2_PACKAGES="libngtcp2-dev libngtcp2-crypto-gnutls-dev libnghttp3-dev"
readonly OTHER_PACKAGES="libgnutls28-dev libev-dev"

say() { echo "ngtcp2: $*" >&2; }
unavailable() {
  say "$1"
  exit 77
}

# --- download -----------------------------------------------------------------------------------
ngtcp2_suite() { # Debian 12 has ngtcp2 1.11 in its backports, later releases have it themselves
  case $(own_codename) in
    bookworm) echo bookworm-backports ;;
    *) own_codename ;;
  esac
}

# configure_apt DIR: the machine's release with its updates, and the suite of ngtcp2
configure_apt() {
  local dir=$1 own suite mirror extra uri lines
  own=$(own_codename)
  suite=$(ngtcp2_suite)
  for mirror in $(own_mirrors ""); do
    lines=("deb $mirror $own" "deb-src $mirror $suite")
    if [ "$suite" != "$own" ]; then lines+=("deb $mirror $suite"); fi
    for extra in -updates -security; do
      # Only those that the machine itself has: what is installed must not be newer than what we see.
      while read -r uri; do lines+=("deb $uri $own$extra"); done < <(own_mirrors "$extra" | head -n 1)
    done
    private_apt_create "$dir" "${lines[@]}" ||
      unavailable "Debian's archive keyring ($PRIVATE_APT_KEYRING) is missing: run scripts/setup.sh"
    printf 'Package: libngtcp2* libnghttp3*\nPin: release n=%s\nPin-Priority: 990\n' "$suite" >"$dir/preferences"
    if private_apt_update "$dir"; then return 0; fi
  done
  unavailable "the package lists of Debian $suite cannot be had from the mirror of this machine's apt (no network?)"
}

# download DIR: development packages into DIR/debs, the source into DIR/source; sets $version
download() {
  local dir=$1
  configure_apt "$dir/apt"
  local round found=
  for round in 1 2 3; do
    rm -rf "$dir/debs" "$dir/source"
    mkdir -p "$dir/debs/partial" "$dir/source"
    # Relative to what is installed, so that the build uses the machine's compiler and C library.
    # shellcheck disable=SC2086
    QUIETLY_LINES=3 private_apt_packages "$dir/apt" apt-get -y -q --no-install-recommends --download-only \
      -o Dir::Cache::archives="$dir/debs" install $NGTCP2_PACKAGES $OTHER_PACKAGES ||
      unavailable "the development packages of ngtcp2 could not be downloaded"
    # What the mirror could not give is no candidate any more: the source is that of the packages.
    version=$(APT_CONFIG=$dir/apt/apt.conf apt-cache policy libngtcp2-dev | sed -n 's/^ *Candidate: //p')
    at_least "${version%%-*}" "$MINIMUM" ||
      unavailable "$(ngtcp2_suite) offers ngtcp2 ${version:-not at all}, and this needs $MINIMUM"
    if (cd "$dir/source" && QUIETLY_LINES=3 private_apt "$dir/apt" apt-get -q source --download-only --tar-only \
      "ngtcp2=$version"); then
      found=1
      break
    fi
    say "the source of ngtcp2 $version cannot be had"
    printf 'Package: libngtcp2*\nPin: version %s\nPin-Priority: -1\n\n' "$version" |
      cat - "$dir/apt/preferences" >"$dir/apt/preferences.new"
    mv "$dir/apt/preferences.new" "$dir/apt/preferences"
  done
  [ -n "$found" ] || unavailable "the source of ngtcp2 could not be downloaded"
  version=${version%%-*}
  tar -x -C "$dir/source" --strip-components=1 -f "$dir/source/ngtcp2_$version.orig.tar.xz"
}

# --- build --------------------------------------------------------------------------------------
# What ngtcp2's configure finds out on any Debian.
write_config() {
  local name
  for name in ARPA_INET_H ASM_TYPES_H BYTESWAP_H ENDIAN_H LINUX_NETLINK_H LINUX_RTNETLINK_H NETINET_IN_H \
    NETINET_IP_H NETINET_UDP_H SYS_SOCKET_H UNISTD_H DECL_BE64TOH DECL_BSWAP_64; do
    echo "#define HAVE_$name 1"
  done
  echo '#define ENABLE_EXAMPLE_GNUTLS 1'
  echo '#define WITH_EXAMPLE_GNUTLS 1'
}

# build SOURCE TREE: TREE holds the libraries; the pair lands in TREE/bin
build() {
  local source=$1 tree=$2 library
  library=usr/lib/$(gcc -print-multiarch)
  write_config >"$source/config.h"
  # The shared code asks for the protocol h3 by this constant.
  sed -i 's/^\(constexpr uint8_t H3_ALPN_V1\[\] =\).*/\1 "\\xahq-interop";/' "$source/examples/shared.h"
  grep -q 'H3_ALPN_V1.*hq-interop' "$source/examples/shared.h" || return 1
  mkdir -p "$tree/bin"
  ln -sfn "$tree" "$source/tree" # make knows no spaces in names.
  make -s -j"$(nproc)" -C "$source" -f - TREE=tree LIBRARY="$library" <<'MAKE'
vpath %.cc examples
vpath %.c third-party/http-parser third-party/urlparse
CPPFLAGS = -DHAVE_CONFIG_H -I. -Ithird-party -Ithird-party/urlparse -Icrypto/includes \
  -I$(TREE)/usr/include -I$(TREE)/$(LIBRARY:usr/lib/%=usr/include/%)
CFLAGS = -O1 -w
CXXFLAGS = -std=c++20 -O1 -w
# Libraries are found beside the program, so that the tree can be moved; by rpath rather than runpath, which
# does not hold for the libraries of libraries.
LINK = -L$(TREE)/$(LIBRARY) -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../$(LIBRARY)',-rpath-link,$(TREE)/$(LIBRARY) \
  -lngtcp2_crypto_gnutls -lngtcp2 -lnghttp3 -lgnutls -lev
SHARED = debug.o util.o util_gnutls.o shared.o tls_session_base_gnutls.o urlparse.o http_parser.o
CLIENT = h09client.o client_base.o tls_client_context_gnutls.o tls_client_session_gnutls.o
SERVER = h09server.o server_base.o http.o siphash.o tls_server_context_gnutls.o tls_server_session_gnutls.o

all: $(TREE)/bin/h09client $(TREE)/bin/h09server
$(TREE)/bin/h09client: $(CLIENT) $(SHARED)
	g++ $^ -o $@ $(LINK)
$(TREE)/bin/h09server: $(SERVER) $(SHARED)
	g++ $^ -o $@ $(LINK)
MAKE
}

# complete TREE: what the machine has installed was not downloaded, so links may lead nowhere: lead them there
complete() {
  local library link
  library=usr/lib/$(gcc -print-multiarch)
  rm -f "$1/$library"/*.a # Else the linker would take these instead.
  for link in "$1/$library"/*.so; do
    if [ ! -e "$link" ]; then ln -sf "/$library/$(readlink "$link")" "$link"; fi
  done
}

works() { # works TREE: both programs start
  "$1/bin/h09client" --help >/dev/null 2>&1 && "$1/bin/h09server" --help >/dev/null 2>&1
}

make_pair() { # make_pair FOLDER: FOLDER/ngtcp2 becomes a link to the new pair
  local folder=$1 started=$SECONDS version tree
  rm -rf "$folder"/making.* # Left by a run that was killed; we hold the lock.
  work=$(mktemp -d "$folder/making.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP
  say "fetching Debian's source and libraries"
  download "$work"
  say "building the hq-interop pair of ngtcp2 $version (once)"
  tree=$work/tree
  unpack_packages "$tree" "$work"/debs/*.deb
  complete "$tree"
  quietly build "$work/source" "$tree" || { say "the build failed (see above)"; exit 1; }
  works "$tree" || { say "the programs were built but do not run"; exit 1; }
  fingerprint >"$tree/made-by"
  rm -rf "${tree:?}/usr/share" "$folder/ngtcp2-$version"
  mv "$tree" "$folder/ngtcp2-$version"
  ln -s "ngtcp2-$version" "$work/link"
  mv -T "$work/link" "$folder/ngtcp2"
  rm -rf "$work"
  trap - EXIT
  say "ready in $(seconds_since "$started") s: $folder/ngtcp2-$version"
}

fingerprint() { sha256sum <"${BASH_SOURCE[0]}"; } # Changes when this script does.

is_made() { [ "$(cat "$1/ngtcp2/made-by" 2>/dev/null)" = "$(fingerprint)" ] && works "$1/ngtcp2"; }

main() {
  local folder tool
  folder=$(cache_folder)/peers
  mkdir -p "$folder" 2>/dev/null || unavailable "the folder $folder cannot be made: name another by XDG_CACHE_HOME"
  exec 9>"$folder/lock"
  flock -w 300 9 || { say "another build of it does not end ($folder/lock is held)"; exit 1; }
  if ! is_made "$folder"; then
    for tool in apt-get apt-cache dpkg-deb tar xz gcc g++ make; do
      command -v "$tool" >/dev/null || unavailable "'$tool' is missing: run scripts/setup.sh (Debian only)"
    done
    make_pair "$folder"
  fi
  realpath "$folder/ngtcp2"
}

main
