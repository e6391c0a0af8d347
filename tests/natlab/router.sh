# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# router.sh: what a router does with UDP, by nftables. Sourced, never run; needs namespaces.sh and tools.sh.
#
# A router has the devices `lan` and `wan`. Its kinds, in the words of RFC 4787:
#   none                no translation, no filter
#   firewall            no translation; address and port-dependent filtering
#   full-cone           endpoint-independent mapping and filtering
#   hairpin             the same; hosts inside reach each other by their outside addresses, and see those
#   address-restricted  endpoint-independent mapping, address-dependent filtering
#   port-restricted     endpoint-independent mapping, address and port-dependent filtering
#   symmetric           address and port-dependent mapping with random ports, and filtering
#   udp-blocked         lets no UDP through
#
# The kernel's own NAT is port-restricted: it keeps a host's port, whomever it sends to. For the kinds that let others in,
# what leaves is noted: `inside` has the host of each port outside, `sent` the addresses that the port sent to.
# Hosts of one site use different ports: a port that two of them use would have one owner.
#
# The chains named after miniupnpd are empty until that program runs there and fills them.

# shellcheck disable=SC2034  # For whoever sources this.
ROUTER_KINDS="none firewall full-cone hairpin address-restricted port-restricted symmetric udp-blocked"

# admission KIND OUTSIDE: which of the packets that come to a port outside are for the host that uses it
admission() {
  case $1 in
    full-cone) echo 'iifname "wan" meta nfproto ipv4' ;;
    address-restricted) echo 'iifname "wan" udp dport . ip saddr @sent' ;;
    hairpin) echo "ip daddr $2" ;;
  esac
}

translation() { # translation KIND TIMEOUT OUTSIDE: the chains
  local admission
  case $1 in none | firewall) return 0 ;; esac
  echo "chain translate {
    type nat hook postrouting priority srcnat
    oifname \"wan\" meta nfproto ipv4 masquerade $([ "$1" != symmetric ] || echo fully-random)
    $([ "$1" != hairpin ] || echo "oifname \"lan\" ct original ip daddr $3 snat ip to $3")
  }" # RFC 4787 REQ-9: the source of what is turned back is the outside address, too.
  admission=$(admission "$1" "$3")
  if [ -z "$admission" ]; then return 0; fi
  echo "map inside { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; size 65535; }
  set sent { type inet_service . ipv4_addr; flags dynamic,timeout; size 65535; }
  chain note {
    type filter hook postrouting priority srcnat - 1
    oifname \"wan\" ip protocol udp update @inside { udp sport timeout $2s : ip saddr . udp sport } update @sent { udp sport . ip daddr timeout $2s }
  }
  chain admit {
    type nat hook prerouting priority dstnat
    $admission meta l4proto udp dnat ip to udp dport map @inside
  }"
}

filter() { # filter KIND: the forwarded packets that are dropped
  case $1 in
    firewall) echo 'iifname "wan" ct state new drop' ;;
    udp-blocked) echo 'meta l4proto udp drop' ;;
  esac
}

# set_router ROUTER KIND KIND6 TIMEOUT OUTSIDE: for IPv4 and for IPv6 (none, firewall or udp-blocked). All mappings are
# forgotten. A silent mapping lives TIMEOUT seconds. What comes to the router itself is dropped: its own stack would answer.
set_router() {
  local router=$1 kind=$2 kind6=$3 timeout=$4 outside=$5
  on "$router" "${NFT[@]}" -f - <<RULES
table inet box
delete table inet box
table inet box {
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain mapped { type nat hook prerouting priority dstnat - 1; jump prerouting_miniupnpd; }
  chain mapped_out { type nat hook postrouting priority srcnat - 2; jump postrouting_miniupnpd; }
  chain unsolicited { type filter hook input priority 0; iifname "wan" meta l4proto udp ct state new drop; }
  chain forward4 { $(filter "$kind"); }
  chain forward6 { $(filter "$kind6"); }
  chain forward {
    type filter hook forward priority 0
    meta l4proto ipv6-icmp accept
    jump miniupnpd
    meta nfproto ipv4 jump forward4
    meta nfproto ipv6 jump forward6
  }
  $(translation "$kind" "$timeout" "$outside")
}
RULES
  on "$router" sh -c "echo $timeout >/proc/sys/net/netfilter/nf_conntrack_udp_timeout
    echo $timeout >/proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream"
  forget_mappings "$router"
}

forget_mappings() { # forget_mappings ROUTER: what is under way there
  on "$1" "${CONNTRACK[@]}" -F >/dev/null 2>&1 || true
}
