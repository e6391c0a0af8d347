# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# gateway.sh: a router that maps ports for its hosts, by miniupnpd. Sourced, never run; needs topology.sh.
# shellcheck disable=SC2154  # $scratch and $child are of processes.sh.

declare -A GATEWAY=() # site: the process
GATEWAY_LEASE=600     # Seconds: the longest that it grants.
GATEWAY_LEAST=121     # What newer ones grant at least.

# start_gateway a PROTOCOL: pcp, nat-pmp, upnp or all. Where it cannot grant as little as GATEWAY_LEASE, that is made more.
start_gateway() {
  if run_gateway "$@"; then return 0; fi
  if [ "$GATEWAY_LEASE" -lt $GATEWAY_LEAST ] && grep -q 'Minimum lifetime' "$scratch/gateway-$1.log"; then
    GATEWAY_LEASE=$GATEWAY_LEAST
    if run_gateway "$@"; then return 0; fi
  fi
  echo "natlab: miniupnpd does not run: $(tail -n 2 "$scratch/gateway-$1.log")" >&2
  return 1
}

run_gateway() {
  local site=$1 router=r$1 file=$scratch/gateway-$1 other='' datagrams=yes upnp=no port=14E7
  case $2 in
    pcp) other=0 ;;     # NAT-PMP's version. What is dropped is not answered.
    nat-pmp) other=2 ;; # PCP's.
    upnp) datagrams=no upnp=yes port=076C ;; # SSDP's.
    all) upnp=yes ;;
  esac
  on "$router" "${NFT[@]}" -f - <<RULES
table inet gateway
delete table inet gateway
table inet gateway {
  chain protocols {
    type filter hook input priority 0
    ${other:+udp dport 5351 @th,64,8 $other drop}
  }
}
RULES
  cat >"$file.conf" <<CONF
ext_ifname=wan
listening_ip=lan
enable_natpmp=$datagrams
enable_upnp=$upnp
secure_mode=yes
min_lifetime=5
max_lifetime=$GATEWAY_LEASE
upnp_table_name=box
upnp_nat_table_name=box
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
http_port=0
notify_interval=30
uuid=00000000-0000-4000-8000-00000000000$(site_number "$site")
serial=1
model_number=1
allow 1024-65535 192.168.0.0/16 1024-65535
allow 1024-65535 13.0.0.0/8 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
CONF
  start_on "$router" "$file.log" "${MINIUPNPD[@]}" -d -f "$file.conf" -P "$file.pid"
  GATEWAY[$site]=$child
  for _ in {1..200}; do
    if [ -e "$file.pid" ] && on "$router" grep -q -i ":$port " /proc/net/udp; then return 0; fi
    if grep -q "Minimum lifetime" "$file.log"; then return 1; fi
    sleep 0.05
  done
  return 1
}

# stop_gateway a: outright, without a word to anybody
stop_gateway() {
  kill -KILL "${GATEWAY[$1]}" 2>/dev/null || true
  stop_child "${GATEWAY[$1]}" 2>/dev/null || true
  rm -f "$scratch/gateway-$1.pid"
}

# reboot_gateway a PROTOCOL: it has forgotten everything, and is back after a second
reboot_gateway() {
  stop_gateway "$1"
  set_site "$1" "${SITE_KIND[$1]}"
  sleep 1
  start_gateway "$1" "$2"
}

# has_mapping a PORT: its rules let strangers through to that port of a host
has_mapping() {
  on "r$1" "${NFT[@]}" list table inet box | grep -E "dnat.*:$2|(udp|th).*dport.*$2" >/dev/null
}
