# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# cells.sh: what is measured in the laboratory. Sourced, never run; needs lab.sh, gateway.sh and peers.sh.
#
# A cell is a line of the table and a function. The function builds the network, and says what it saw by claim and
# measure; it never says whether that is enough. The needed figures are those of the table's lines, to the letter.
# shellcheck disable=SC2016,SC2034,SC2154  # The table has backticks; variables of the sourced files.

# name | function and its words | where and what | needed | claims, or why it is none today
#
# `claims` are what continuous integration holds us to. The others are measured by scripts/natlab.sh alone.
CELLS='
node-none             | node_is_reachable none               | node with a public IPv4 address | reachable in 4 s; a stranger is answered | claims
node-ipv6             | node_is_reachable 6/open             | node with a public IPv6 address alone | reachable in 4 s; a stranger is answered | claims
node-full-cone        | node_is_reachable full-cone          | node behind a full-cone NAT | reachable in 4 s; a stranger is answered | claims
node-restricted       | node_is_no_node address-restricted 4 | node behind an address-restricted NAT | not reachable in 4 s, as strangers are cut off; a client from then on | claims
node-port-restricted  | node_is_no_node port-restricted      | node behind a port-restricted NAT, no mapper | not reachable; a client from then on | claims
node-symmetric        | node_is_no_node symmetric            | node behind a symmetric NAT, no mapper | not reachable; a client from then on | claims
node-firewall         | node_is_no_node firewall             | node behind an IPv4 firewall, no mapper | not reachable; a client from then on | claims
node-ipv6-firewall    | node_is_no_node 6/firewall           | node behind an IPv6 firewall, no mapper | not reachable; a client from then on | claims
mapped-pcp            | node_is_mapped port-restricted pcp 3     | node behind a port-restricted NAT, PCP alone | reachable in 3 s; a stranger is answered; the mapping is removed at the end | claims
mapped-nat-pmp        | node_is_mapped port-restricted nat-pmp 3 | node behind a port-restricted NAT, NAT-PMP alone | reachable in 3 s; a stranger is answered; the mapping is removed at the end | claims
mapped-upnp           | node_is_mapped port-restricted upnp 6    | node behind a port-restricted NAT, UPnP alone | reachable in 6 s; a stranger is answered; the mapping is removed at the end | claims
mapped-all            | node_is_mapped port-restricted all 3     | node behind a port-restricted NAT, PCP, NAT-PMP and UPnP | reachable in 3 s; a stranger is answered; the mapping is removed at the end | claims
symmetric-pcp         | node_is_mapped symmetric pcp 3       | node behind a symmetric NAT, PCP alone | reachable in 3 s; a stranger is answered; the mapping is removed at the end | claims
symmetric-nat-pmp     | node_is_mapped symmetric nat-pmp 3   | node behind a symmetric NAT, NAT-PMP alone | reachable in 3 s; a stranger is answered; the mapping is removed at the end | claims
symmetric-upnp        | node_is_mapped symmetric upnp 6      | node behind a symmetric NAT, UPnP alone | reachable in 6 s; a stranger is answered; the mapping is removed at the end | claims
firewall-pcp          | node_is_mapped firewall pcp 3        | node behind an IPv4 firewall, PCP alone | reachable in 3 s; a stranger is answered; the mapping is removed at the end | miniupnpd answers nobody whose address inside is a public one; in the simulator it holds
ipv6-firewall-pcp     | node_is_mapped 6/firewall pcp 3      | node behind an IPv6 firewall, PCP alone | reachable in 3 s; a stranger is answered; the mapping is removed at the end | claims
double-nat            | node_sees_double_nat                 | the router that maps has a private address outside | told as double NAT in 3 s | claims
renewed               | mapping_is_renewed                   | the router grants 10 s at most (a newer miniupnpd 121 s) | reachable in 3 s; a stranger is answered after that | claims
reboot-pcp            | gateway_reboots pcp 10               | the router (PCP) restarts and forgets all | mapped anew, a stranger is answered in 10 s | claims
reboot-nat-pmp        | gateway_reboots nat-pmp 10           | the router (NAT-PMP) restarts and forgets all | mapped anew, a stranger is answered in 10 s | claims
reboot-upnp           | gateway_reboots upnp 60              | the router (UPnP) restarts and forgets all | mapped anew, a stranger is answered in 60 s | claims
readdress-node        | node_is_readdressed                  | a mapped node, and its router gets another address | a stranger is answered there in 10 s | claims
readdress-client      | client_goes_on readdressed 4         | a client, a request each 100 ms; its router gets another address | longest gap 4 s; none lost | claims
wifi-mobile           | client_goes_on moved 1               | a client, a request each 100 ms; wifi, mobile, wifi | longest gap 1 s; none lost | claims
wifi-cut-mobile       | client_goes_on cut 1                 | the same; the address stays on the device that is down | longest gap 1 s; none lost | claims
route                 | client_goes_on rerouted 1            | the same; both networks stay, the default route changes and changes back | longest gap 1 s; none lost | claims
ipv6-goes             | client_goes_on without_ipv6 1        | the same; linked by IPv6, which goes and comes back | longest gap 1 s; none lost | a link does not change from IPv6 to IPv4
wifi-mobile-node      | node_moves                           | a node behind a full-cone NAT changes to another network | a stranger is answered there in 4 s | claims
silent                | client_is_silent                     | a client behind a symmetric NAT that forgets after 20 s; silent for a minute (--full: 5) | answered in 1 s | a minute is too long for continuous integration
doctor-none           | doctor_names none none independent node 0 | `qpeer doctor` with two nodes: a public IPv4 address | no NAT, independent filtering; in 3 s | claims
doctor-firewall       | doctor_names firewall none by-address-and-port client 3 | `qpeer doctor` with two nodes: an IPv4 firewall | no NAT, by address and port filtering; in 3 s | claims
doctor-full-cone      | doctor_names full-cone independent independent node 0 | `qpeer doctor` with two nodes: a full-cone NAT | independent mapping, independent filtering; in 3 s | claims
doctor-restricted     | doctor_names address-restricted independent by-address client 3 | `qpeer doctor` with two nodes: an address-restricted NAT | independent mapping, by address filtering; in 3 s | claims
doctor-port-restricted | doctor_names port-restricted independent by-address-and-port client 3 | `qpeer doctor` with two nodes: a port-restricted NAT | independent mapping, by address and port filtering; in 3 s | claims
doctor-symmetric      | doctor_names symmetric by-destination by-address-and-port relay-only 4 | `qpeer doctor` with two nodes: a symmetric NAT | by destination mapping, by address and port filtering; in 3 s | claims
doctor-ipv6           | doctor_names 6/open none independent node 0 | `qpeer doctor` with two nodes: a public IPv6 address alone | no NAT, independent filtering; in 3 s | claims
doctor-ipv6-firewall  | doctor_names 6/firewall none by-address-and-port client 3 | `qpeer doctor` with two nodes: an IPv6 firewall | no NAT, by address and port filtering; in 3 s | claims
doctor-udp-blocked    | doctor_sees_no_udp | `qpeer doctor` with two nodes: UDP is blocked | told so in 3 s | claims
doctor-upnp             | doctor_sees_upnp | `qpeer doctor` with two nodes: a port-restricted NAT whose router speaks UPnP alone | told so in 3 s; no mapping is left | claims
stun-alone | doctor_asks_stun alone port-restricted independent unknown client 3 | `qpeer doctor`: a port-restricted NAT; two STUN servers of one address each | independent mapping, filtering unknown; in 3 s | claims
stun-alone-symmetric | doctor_asks_stun alone symmetric by-destination unknown relay-only 4 | `qpeer doctor`: a symmetric NAT; two STUN servers of one address each | by destination mapping, filtering unknown; in 3 s | claims
stun-full-cone | doctor_asks_stun other full-cone independent independent node 0 | `qpeer doctor`: a full-cone NAT; a STUN server with two addresses | independent mapping, independent filtering; in 3 s | claims
stun-restricted | doctor_asks_stun other address-restricted independent by-address client 3 | `qpeer doctor`: an address-restricted NAT; a STUN server with two addresses | independent mapping, by address filtering; in 3 s | claims
stun-port-restricted | doctor_asks_stun other port-restricted independent by-address-and-port client 3 | `qpeer doctor`: a port-restricted NAT; a STUN server with two addresses | independent mapping, by address and port filtering; in 3 s | claims
stun-symmetric | doctor_asks_stun other symmetric by-address-and-port by-address-and-port relay-only 4 | `qpeer doctor`: a symmetric NAT; a STUN server with two addresses | by address and port mapping, by address and port filtering; in 3 s | claims
udp-blocked           | udp_is_blocked                       | UDP is blocked: `qpeer ping`, `request`, `client` | told in 3 s that nothing comes back, and why that may be; the end says it too | claims
'

cell_lines() { grep -v '^$' <<<"$CELLS"; }
cell_field() { # cell_field NAME NUMBER: of the table, without spaces around it
  cell_lines | awk -F ' *[|] *' -v name="$1" -v field="$2" '$1 == name { print $field }'
}

# measure WHAT BOUND: what took $took seconds; nothing when it never came. No bound: for the reader alone
measure() { printf 'measure\t%s\t%s\t%s\n' "$1" "$took" "${2-}" >>"$outcome"; }
claim() { # claim WHAT COMMAND...: that it succeeds
  local what=$1 holds=no
  shift
  if "$@"; then holds=yes; fi
  printf 'claim\t%s\t%s\n' "$what" "$holds" >>"$outcome"
}
not() { ! "$@"; }
pause() { run_child "$(($1 + 5))" "$scratch/pause" sleep "$1"; } # A signal ends it.

# --- as node ----------------------------------------------------------------------------------------
outside_of() { # outside_of KIND: where strangers find port 4477 of a, if they do
  case $1 in
    none | firewall) echo 13.1.0.2:4477 ;;
    6/*) echo '[2a01:1::2]:4477' ;;
    *) echo "${OUTSIDE[a]}:4477" ;;
  esac
}
contact_for() { case $1 in 6/*) echo "$contact6" ;; *) echo "$contact" ;; esac; }
is_linked_as_client() { appears "$scratch/a.log" '"event":"link_up".*"how":"as client"' 5; }

node_is_reachable() {
  start_network
  make_site a "$1"
  start_clock
  start_node a --contact "$(contact_for "$1")"
  appears "$scratch/a.log" '"event":"reachability_verdict".*"reachable":true' 10 || true
  measure "told reachable" 4
  claim "a stranger is answered" asks h3 "${ID[a]}@$(outside_of "$1")" 3
}

node_is_no_node() { # node_is_no_node KIND [SECONDS]
  start_network
  make_site a "$1"
  start_clock
  start_node a --contact "$(contact_for "$1")"
  appears "$scratch/a.log" '"event":"reachability_verdict".*"reachable":false' 10 || true
  measure "told not reachable" "${2-}"
  claim "never told reachable" not grep -q '"event":"reachability_verdict".*"reachable":true' "$scratch/a.log"
  claim "linked as client" is_linked_as_client
  claim "strangers are cut off" not asks h3 "${ID[a]}@$(outside_of "$1")" 2
}

# --- with a mapper ----------------------------------------------------------------------------------
start_mapped_node() { # start_mapped_node KIND PROTOCOL: as soon as the router is ready
  start_network
  make_site a "$1"
  start_gateway a "$2"
  start_clock
  start_node a --contact "$(contact_for "$1")"
}
mapped_peer() { # the node, where the router says that strangers find it
  local address
  address=$(event_field a port_mapped address)
  echo "${ID[a]}@${address:-$(outside_of "${SITE_KIND[a]}")}"
}

node_is_mapped() { # node_is_mapped KIND PROTOCOL SECONDS
  start_mapped_node "$1" "$2"
  appears "$scratch/a.log" '"event":"reachability_verdict".*"reachable":true' "$(($3 + 6))" || true
  measure "told reachable" "$3"
  claim "a stranger is answered" asks h3 "$(mapped_peer)" 3
  claim "the router has a mapping" has_mapping a 4477
  stop_child "${PROGRAM[a]}" || true
  claim "and none at the end" not has_mapping a 4477
}

node_sees_double_nat() {
  start_network
  make_site a port-restricted
  readdress a 100.64.1
  start_gateway a all
  start_clock
  start_node a --contact "$contact"
  appears "$scratch/a.log" '"event":"port_map.*"double_nat":true' 10 || true
  measure "told as double NAT" 3
}

mapping_is_renewed() {
  GATEWAY_LEASE=10
  start_mapped_node port-restricted pcp
  appears "$scratch/a.log" '"event":"reachability_verdict".*"reachable":true' 10 || true
  measure "told reachable" 3
  pause $((GATEWAY_LEASE + 15))
  claim "a stranger is answered after that" asks h3 "$(mapped_peer)" 3
}

gateway_reboots() { # gateway_reboots PROTOCOL SECONDS
  start_mapped_node port-restricted "$1"
  # A node that is being checked when the router goes is told that nobody can reach it, and is a client from then on.
  claim "told reachable" appears "$scratch/a.log" '"event":"reachability_verdict".*"reachable":true' 10
  claim "a stranger is answered before" answers_by "$(mapped_peer)" 10
  reboot_gateway a "$1"
  start_clock
  answers_by "$(mapped_peer)" "$(($2 + 5))" || true
  measure "a stranger is answered after" "$2"
}

node_is_readdressed() {
  start_mapped_node port-restricted pcp
  claim "a stranger is answered before" answers_by "$(mapped_peer)" 10
  stop_gateway a
  readdress a 12.101.0
  start_gateway a pcp
  start_clock
  answers_by "${ID[a]}@${OUTSIDE[a]}:4477" 15 || true
  measure "a stranger is answered at the new address" 10
  claim "told of the new address" appears "$scratch/a.log" '"event":"port_mapped".*"address":"12.101.0.2:' 1
}

# --- another network ----------------------------------------------------------------------------------
moved() {
  go_mobile a
  pause 4
  go_home a
}
cut() {
  go_mobile a keeps
  pause 4
  go_home a
}
readdressed() { readdress a 12.101.0; }
rerouted() {
  on a ip link set eth1 up
  give a eth1 192.168.101.2/24
  pause 2
  on a ip route replace default via 192.168.101.1
  pause 4
  on a ip route replace default via 192.168.1.1
}
without_ipv6() {
  on a ip -6 addr flush dev eth0 scope global
  pause 4
  give_site_addresses a a 2 "${SITE_KIND[a]}"
}

client_goes_on() { # client_goes_on CHANGE SECONDS: a function above
  local kind=port-restricted contacts asked='' answered=''
  start_network
  if [ "$1" = without_ipv6 ]; then kind=port-restricted/firewall; fi
  make_site a $kind
  add_mobile a port-restricted
  contacts=(--contact "$contact")
  if [ "$1" = without_ipv6 ]; then contacts=(--contact "$contact6"); fi
  start_on a "$scratch/ticker.log" python3 "$natlab/ticker.py" 12 "$qpeer" "${contacts[@]}"
  start_clock
  claim "linked" appears "$scratch/ticker.log" '^linked' 20
  if [ "$1" = without_ipv6 ]; then claim "by IPv6" grep -q '"event":"bootstrapped".*"address":"\[' "$scratch/ticker.log"; fi
  pause 2
  "$1"
  appears "$scratch/ticker.log" '^asked' 60 || true
  read -r _ asked _ answered _ took < <(grep '^asked' "$scratch/ticker.log")
  measure "longest gap" "$2"
  claim "all $asked requests are answered" [ "$asked" = "$answered" ]
}

node_moves() {
  start_network
  make_site a full-cone
  add_mobile a full-cone
  start_node a --contact "$contact"
  claim "a stranger is answered before" answers_by "${ID[a]}@${OUTSIDE[a]}:4477" 10
  start_clock
  go_mobile a
  answers_by "${ID[a]}@14.1.0.2:4477" 15 || true
  measure "a stranger is answered at the new address" 4
}

client_is_silent() {
  local silence=60
  [ -z "${FULL-}" ] || silence=300
  start_network
  make_site a symmetric
  set_mapping_timeout a 20
  mkfifo "$scratch/requests"
  start_on a "$scratch/a.log" bash -c 'exec "$@" <"$0"' "$scratch/requests" "$qpeer" client --json --contact "$contact"
  exec 7>"$scratch/requests"
  echo 'echo first' >&7
  claim "answered before" appears "$scratch/a.log" '"text":"first"' 20
  pause $silence
  start_clock
  echo 'echo second' >&7
  appears "$scratch/a.log" '"text":"second"' 40 || true
  measure "answered after the silence" 1
  exec 7>&-
}

# --- what the doctor says -----------------------------------------------------------------------------
doctor_on_a() { # doctor_on_a OPTION...: sets $took and $status; what it says is in a.log
  status=0
  start_clock
  run_on a 10 "$scratch/a.log" "$qpeer" doctor --json "$@" || status=$?
  read_clock
}
says_of() { # says_of FAMILY WHAT VALUE
  grep -q -E '"'"$1"'":[{][^}]*"'"$2"'":'"$3" "$scratch/a.log"
}

doctor_names() { # doctor_names KIND MAPPING FILTERING OUTLOOK STATUS: dashes for spaces
  local family=ipv4 status=
  start_network
  make_site a "$1"
  appears "$scratch/h1.log" '"event":"link_up"' 20
  appears "$scratch/h2.log" '"event":"link_up"' 20
  await_ipv6 net h1 h2 h3 ra a
  pause 1
  case $1 in
    6/*)
      family=ipv6
      start_node h3 --no-port-mapping --contact "$contact6" # Linked by IPv6.
      appears "$scratch/h3.log" '"event":"link_up"' 20
      doctor_on_a --contact "$contact6" --contact "${ID[h3]}@[2a00:3::2]:4477" ;;
    *) doctor_on_a --contact "$contact" --contact "${ID[h2]}@11.2.0.2:4477" ;;
  esac
  claim_report $family "${@:2}"
}

claim_report() { # claim_report FAMILY MAPPING FILTERING OUTLOOK STATUS: dashes for spaces
  measure "the report" 3
  claim "mapping: ${2//-/ }" says_of "$1" mapping '"'"${2//-/ }"'"'
  claim "filtering: ${3//-/ }" says_of "$1" filtering '"'"${3//-/ }"'"'
  claim "outlook: ${4//-/ }" grep -q '"outlook":"'"${4//-/ }"'"' "$scratch/a.log"
  claim "exit status $5" [ "$status" = "$5" ]
}

doctor_asks_stun() { # doctor_asks_stun alone|other KIND MAPPING FILTERING OUTLOOK STATUS
  local status=
  make_internet 2
  make_site a "$2"
  if [ "$1" = alone ]; then
    start_stun_server h1 11.1.0.2
    start_stun_server h2 11.2.0.2
    doctor_on_a --stun 11.1.0.2 --stun 11.2.0.2
  else
    give h1 eth0 11.1.0.3/24
    start_stun_server h1 11.1.0.2 11.1.0.3
    doctor_on_a --stun 11.1.0.2
  fi
  claim_report ipv4 "${@:3}"
}

doctor_sees_upnp() {
  local status='' port
  start_network
  make_site a port-restricted
  start_gateway a upnp
  doctor_on_a --contact "$contact" --contact "${ID[h2]}@11.2.0.2:4477"
  measure "the report" 3
  claim "it says that the router maps ports by UPnP" grep -q '"protocol":"UPnP"' "$scratch/a.log"
  claim "outlook: node" grep -q '"outlook":"node"' "$scratch/a.log"
  port=$(sed -n 's/.*"external":"[0-9.]*:\([0-9]*\)".*/\1/p' "$scratch/a.log")
  claim "no mapping is left" not has_mapping a "${port:-none}"
}

doctor_sees_no_udp() {
  local status=
  start_network
  make_site a udp-blocked
  doctor_on_a --contact "$contact" --contact "${ID[h2]}@11.2.0.2:4477"
  measure "the report" 3
  claim "it says that UDP is blocked here" grep -q 'UDP is blocked here' "$scratch/a.log"
  claim "outlook: no UDP" grep -q '"outlook":"no UDP"' "$scratch/a.log"
  claim "exit status 1" [ "$status" = 1 ]
}

says_silence() { grep -q "$2.*nobody is at that address, or UDP is blocked here: 'qpeer doctor' tells which" "$scratch/$1.log"; }

udp_is_blocked() {
  local what
  start_network
  make_site a udp-blocked
  for what in ping request client; do
    start_clock
    case $what in
      ping) start_on a "$scratch/$what.log" "$qpeer" ping "$contact" --timeout 5 ;;
      request) start_on a "$scratch/$what.log" "$qpeer" request 'echo hello' --to "$contact" --timeout 5 ;;
      client) start_on a "$scratch/$what.log" "$qpeer" client --contact "$contact" --timeout 5 ;;
    esac
    appears "$scratch/$what.log" 'nothing has come back so far' 6 || true
    measure "'qpeer $what' says that nothing comes back" 3
    claim "and what may be wrong" says_silence $what 'nothing has come back so far'
    appears "$scratch/$what.log" '^[^;]*(cannot reach|no link)' 8 || true
    claim "at the end too" says_silence $what 'cannot reach\|no link'
  done
}
