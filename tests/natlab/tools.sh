# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# tools.sh: the programs that the laboratory needs: the machine's, or Debian's packages unpacked into the user's cache
# folder. Sourced, never run; needs common.sh, private_apt.sh and processes.sh.

# shellcheck disable=SC2034,SC2154  # What it sets, and what the others set.

NATLAB_PACKAGES="nftables conntrack miniupnpd-nftables coturn"
NATLAB_PROGRAMS="nft conntrack miniupnpd turnserver"

# unavailable REASON: ends the program that was started by the user; 77 means skipped
unavailable() {
  echo "natlab: skipped: $1" >&2
  exit 77
}

require_kernel() { # namespaces with devices in them; who may not make them is told so
  local program
  [ "$(id -u)" = 0 ] || unavailable "only root may make network namespaces and routers"
  for program in ip nsenter unshare setpriv python3; do
    command -v "$program" >/dev/null || unavailable "'$program' is missing: run scripts/setup.sh"
  done
  unshare --net ip link add natlab type veth peer name natlab2 2>/dev/null ||
    unavailable "this kernel, or the container, allows no network namespace with a veth device"
}

own_nftables() { # the machine's program of that name, of the right kind
  case $1 in
    miniupnpd) return 1 ;; # Debian has a kind for iptables under the same name.
    *) command -v "$1" ;;
  esac
}

unpacked() { # unpacked TREE PROGRAM: where it lies, if it does
  local folder
  for folder in usr/sbin usr/bin; do
    if [ -x "$1/$folder/$2" ]; then echo "$1/$folder/$2"; return 0; fi
  done
  return 1
}

# prepare_tools: sets the arrays NFT, CONNTRACK, MINIUPNPD and TURNSERVER, which begin a command line
prepare_tools() {
  local tree program path words missing=
  tree=$(cache_folder)/natlab/tree
  for program in $NATLAB_PROGRAMS; do
    if ! own_nftables "$program" >/dev/null && ! unpacked "$tree" "$program" >/dev/null; then missing=1; fi
  done
  if [ -n "$missing" ]; then unpack_tools "$tree"; fi
  for program in $NATLAB_PROGRAMS; do
    if path=$(own_nftables "$program"); then
      words=("$path")
    else
      words=(env "LD_LIBRARY_PATH=$tree/usr/lib/$(multiarch):$tree/lib/$(multiarch)" "$(unpacked "$tree" "$program")")
    fi
    case $program in
      nft) NFT=("${words[@]}") ;;
      conntrack) CONNTRACK=("${words[@]}") ;;
      miniupnpd) MINIUPNPD=("${words[@]}") ;;
      turnserver) TURNSERVER=("${words[@]}") ;;
    esac
  done
  unshare --net "${NFT[@]}" add table ip natlab 2>"$scratch/said" ||
    unavailable "nftables does not work here: $(tail -n 1 "$scratch/said")"
}

multiarch() { gcc -print-multiarch 2>/dev/null || dpkg-architecture -qDEB_HOST_MULTIARCH; }

unpack_tools() { # unpack_tools TREE: made once; a second run that does the same at that time does no harm
  local apt=$scratch/apt debs=$scratch/debs made lines=() mirror
  command -v apt-get >/dev/null || unavailable "the packages $NATLAB_PACKAGES are missing, and this is no Debian"
  for mirror in $(own_mirrors ""); do lines+=("deb $mirror $(own_codename)"); done
  for mirror in $(own_mirrors -security); do lines+=("deb $mirror $(own_codename)-security"); done
  [ ${#lines[@]} -gt 0 ] || unavailable "this machine's apt names no mirror of Debian"
  private_apt_create "$apt" "${lines[@]}" || unavailable "downloads cannot be checked without $PRIVATE_APT_KEYRING"
  private_apt_update "$apt" || unavailable "the package lists cannot be had (no network?)"
  mkdir -p "$debs/partial" "$(dirname "$1")"
  # shellcheck disable=SC2086
  QUIETLY_LINES=3 private_apt_packages "$apt" apt-get -y -q --no-install-recommends --download-only \
    -o Dir::Cache::archives="$debs" install $NATLAB_PACKAGES ||
    unavailable "the packages $NATLAB_PACKAGES could not be downloaded"
  made=$(mktemp -d "$(dirname "$1")/making.XXXXXX")
  if ! unpack_packages "$made/tree" "$debs"/*.deb; then
    rm -rf "$made"
    unavailable "the packages $NATLAB_PACKAGES could not be unpacked"
  fi
  rm -rf "$1"
  mv -T "$made/tree" "$1" 2>/dev/null || true
  rm -rf "$made"
}
