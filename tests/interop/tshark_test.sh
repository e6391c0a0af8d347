#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR BSD-3-Clause
# tshark_test.sh BIN_DIR: tshark decrypts captured connections of ours, versions 1 and 2, with the TLS secrets
# that SSLKEYLOGFILE asks for. A relay between the two sides writes the capture, so that nobody needs a right to
# listen. Exit status 77: there is no tshark here, and none can be had; the reason is told.
set -euo pipefail
export LC_ALL=C
bin=$(realpath -- "$1")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/lib/common.sh
. "$root/scripts/lib/common.sh"
# shellcheck source=scripts/lib/private_apt.sh
. "$root/scripts/lib/private_apt.sh"
# shellcheck source=scripts/lib/processes.sh
. "$root/scripts/lib/processes.sh"
begin_processes tshark
failed=0
fail() { echo "FAILED: $*"; failed=1; }
unavailable() {
  echo "tshark: $1" >&2
  exit 77
}

# tshark's own folder in the cache: Debian's packages, unpacked and not installed
private_tshark() { # sets $tree
  local folder apt lines=() mirror
  folder=$(cache_folder)/tshark
  tree=$folder/tree
  [ ! -x "$tree/usr/bin/tshark" ] || return 0
  apt=$scratch/apt
  for mirror in $(own_mirrors ""); do lines+=("deb $mirror $(own_codename)"); done
  for mirror in $(own_mirrors -security); do lines+=("deb $mirror $(own_codename)-security"); done
  [ ${#lines[@]} -gt 0 ] || unavailable "this machine's apt names no mirror of Debian"
  private_apt_create "$apt" "${lines[@]}" || unavailable "downloads cannot be checked without $PRIVATE_APT_KEYRING"
  private_apt_update "$apt" || unavailable "the package lists cannot be had (no network?)"
  mkdir -p "$scratch/debs/partial" "$folder"
  QUIETLY_LINES=3 private_apt_packages "$apt" apt-get -y -q --no-install-recommends --download-only \
    -o Dir::Cache::archives="$scratch/debs" install tshark || unavailable "its package could not be downloaded"
  rm -rf "$scratch/tree"
  unpack_packages "$scratch/tree" "$scratch"/debs/*.deb || unavailable "its package could not be unpacked"
  rm -rf "$tree"
  cp -r "$scratch/tree" "$tree.new" && mv "$tree.new" "$tree"
}
if command -v tshark >/dev/null; then
  run_tshark() { tshark "$@"; }
else
  private_tshark
  libraries=$tree/usr/lib/$(gcc -print-multiarch 2>/dev/null || dpkg-architecture -qDEB_HOST_MULTIARCH)
  run_tshark() { LD_LIBRARY_PATH=$libraries WIRESHARK_RUN_FROM_BUILD_DIRECTORY=0 "$tree/usr/bin/tshark" "$@"; }
fi
run_tshark --version >"$scratch/version" 2>&1 || unavailable "it does not run: $(tail -n 1 "$scratch/version")"
grep -m 1 '^TShark' "$scratch/version"

cat >"$scratch/relay.py" <<'PY'
"""Between a client and a server on 127.0.0.1; writes what passes as a capture of raw IP packets."""
import select, socket, struct, sys, time
server, capture = int(sys.argv[1]), open(sys.argv[2], "wb", buffering=0)
capture.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
front.bind(("127.0.0.1", 0))
back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
back.connect(("127.0.0.1", server))
print(front.getsockname()[1], flush=True)
def record(source, target, data):
    udp = struct.pack(">HHHH", source, target, 8 + len(data), 0) + data
    home = bytes((127, 0, 0, 1))
    packet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + home + home + udp
    now = time.time()
    capture.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(packet), len(packet)) + packet)
client = None
while True:
    for ready in select.select([front, back], [], [])[0]:
        if ready is front:
            data, client = front.recvfrom(65536)
            record(client[1], server, data)
            back.send(data)
        elif client:
            data = back.recv(65536)
            record(server, client[1], data)
            front.sendto(data, client)
PY

# one_capture VERSION: a request over it, and what tshark sees of that
one_capture() {
  local version=$1 keys=$scratch/keys.$1 capture=$scratch/$1.pcap port front count
  mkdir -p "$scratch/www.$version"
  head -c 20000 /dev/zero | tr '\0' q >"$scratch/www.$version/page"
  SSLKEYLOGFILE=$keys start_child "$scratch/server.$version" "$bin/qpeer-hq" serve --www "$scratch/www.$version" \
    --cert "$scratch/certificates/p256.crt" --key "$scratch/certificates/p256.key" --address 127.0.0.1 --port 0
  for _ in {1..200}; do grep -q -E '127[.]0[.]0[.]1:[0-9]+' "$scratch/server.$version" && break; sleep 0.05; done
  port=$(sed -n -E 's/.*127[.]0[.]0[.]1:([0-9]+).*/\1/p' "$scratch/server.$version" | head -n 1)
  start_child "$scratch/relay.$version" python3 "$scratch/relay.py" "$port" "$capture"
  for _ in {1..200}; do [ -s "$scratch/relay.$version" ] && break; sleep 0.05; done
  front=$(cat "$scratch/relay.$version")
  mkdir -p "$scratch/got.$version"
  "$bin/qpeer-hq" get --version "$version" -o "$scratch/got.$version" "https://127.0.0.1:$front/page" \
    >"$scratch/client.$version" 2>&1 || { fail "$version: no request"; cat "$scratch/client.$version"; return; }
  sleep 0.3
  run_tshark -r "$capture" -d "udp.port==$port,quic" -o "tls.keylog_file:$keys" -Y quic -T fields -e quic.frame_type \
    -e quic.stream_data >"$scratch/seen.$version" 2>"$scratch/said.$version" || fail "$version: tshark: $(tail -n 1 "$scratch/said.$version")"
  count=$(grep -c 7171717171717171 "$scratch/seen.$version" || true)
  [ "$count" -ge 5 ] || { fail "$version: tshark saw $count packets with the page in them"; head "$scratch/seen.$version"; }
  # Without the secrets there is nothing to see.
  run_tshark -r "$capture" -d "udp.port==$port,quic" -Y quic -T fields -e quic.stream_data 2>/dev/null |
    grep -q 7171717171717171 && fail "$version: the page can be read without the secrets"
  for label in CLIENT_HANDSHAKE_TRAFFIC_SECRET SERVER_HANDSHAKE_TRAFFIC_SECRET CLIENT_TRAFFIC_SECRET_0 SERVER_TRAFFIC_SECRET_0; do
    grep -q "^$label " "$keys" || fail "$version: no $label"
  done
  return 0
}
bash "$root/tests/interop/certificates.sh" "$scratch/certificates"
one_capture v1
one_capture v2
[ $failed = 0 ] && echo "tshark decrypts both versions"
exit $failed
