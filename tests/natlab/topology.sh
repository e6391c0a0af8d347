# SPDX-License-Identifier: MIT OR BSD-3-Clause
# shellcheck shell=bash
# topology.sh: an internet, public hosts, and sites behind routers. Sourced, never run; needs namespaces.sh and router.sh.
#
#   h1 11.1.0.2, 2a00:1::2 --+
#   h2 11.2.0.2, 2a00:2::2 --+-- net --+-- ra 12.1.0.2 | lan 192.168.1.1, 2a01:1::1 -- a .2, a2 .3
#   h3 11.3.0.2, 2a00:3::2 --+         +-- rb 12.2.0.2 | lan 192.168.2.1, 2a01:2::1 -- b .2, b2 .3
#                                      +-- ma 14.1.0.2 | lan 192.168.101.1          -- a, its second uplink
#
# Where a router does not translate, the hosts of its site have public addresses: 13.1.0.2, 13.2.0.2, ... All addresses
# are such as the internet has, for programs treat others differently. They stay inside.
#
# A site's kind is one of router.sh, for IPv4; with /firewall or /open behind it the site has IPv6 too, with that
# filter. Kind 6/firewall or 6/open: IPv6 only.

declare -A SITE_KIND=() SITE_TIMEOUT=() OUTSIDE=() # of each site
MAPPING_SECONDS=120                                # RFC 4787 REQ-5: two minutes, or more.

site_number() { # site_number a: 1
  local letters=abcdefghi rest
  rest=${letters%%"$1"*}
  echo $((${#rest} + 1))
}
kind4() { case $1 in 6/*) echo none ;; *) echo "${1%%/*}" ;; esac; }
kind6() { case $1 in */firewall) echo firewall ;; udp-blocked) echo udp-blocked ;; *) echo none ;; esac; }

make_internet() { # make_internet HOSTS: the internet and so many public hosts
  local number host
  make_machine net
  for number in $(seq "$1"); do
    host=h$number
    make_machine "$host"
    connect net "to-$host" "$host" eth0
    give net "to-$host" "11.$number.0.1/24" "2a00:$number::1/64"
    give "$host" eth0 "11.$number.0.2/24" "2a00:$number::2/64"
    on "$host" ip route add default via "11.$number.0.1"
    on "$host" ip -6 route add default via "2a00:$number::1"
  done
  routes_packets net
}

# uplink ROUTER PREFIX: from a router to the internet; its address outside is PREFIX.2
uplink() {
  connect net "to-$1" "$1" wan
  give net "to-$1" "$2.1/24" fe80::1/64
  give "$1" wan "$2.2/24" fe80::2/64
  on "$1" ip route add default via "$2.1"
  on "$1" ip -6 route add default via fe80::1 dev wan
  routes_packets "$1"
}

make_site() { # make_site a KIND [HOSTS]: its router, and one host, or two
  local site=$1 router=r$1 number host
  number=$(site_number "$site")
  make_machine "$router"
  uplink "$router" "12.$number.0"
  OUTSIDE[$site]=12.$number.0.2
  SITE_TIMEOUT[$site]=$MAPPING_SECONDS
  on net ip route add "13.$number.0.0/24" via "12.$number.0.2"
  on net ip -6 route add "2a01:$number::/64" via fe80::2 dev "to-$router"
  on "$router" ip link add lan type bridge
  on "$router" ip link set lan up
  give "$router" lan "192.168.$number.1/24" "13.$number.0.1/24" "2a01:$number::1/64"
  for host in "$site" "${site}2"; do
    if [ "$host" != "$site" ] && [ "${3-1}" != 2 ]; then break; fi
    make_machine "$host"
    connect "$router" "to-$host" "$host" eth0
    on "$router" ip link set "to-$host" master lan
  done
  set_site "$site" "$2"
}

set_site() { # set_site a KIND: it is of that kind from now on; all mappings are forgotten
  local site=$1 host last=2
  SITE_KIND[$site]=$2
  for host in "$site" "${site}2"; do
    if has_machine "$host"; then give_site_addresses "$site" "$host" $last "$2"; fi
    last=$((last + 1))
  done
  set_router "r$site" "$(kind4 "$2")" "$(kind6 "$2")" "${SITE_TIMEOUT[$site]}" "${OUTSIDE[$site]}"
}

give_site_addresses() { # give_site_addresses SITE HOST LAST KIND
  local host=$2 last=$3 number prefix
  number=$(site_number "$1")
  on "$host" ip addr flush dev eth0 scope global
  case $4 in
    6/*) prefix= ;;
    none* | firewall*) prefix=13.$number.0 ;;
    *) prefix=192.168.$number ;;
  esac
  if [ -n "$prefix" ]; then
    give "$host" eth0 "$prefix.$last/24"
    on "$host" ip route replace default via "$prefix.1"
  fi
  case $4 in
    */*)
      give "$host" eth0 "2a01:$number::$last/64"
      on "$host" ip -6 route replace default via "2a01:$number::1" ;;
  esac
}

await_ipv6() { # await_ipv6 MACHINE...: until they have made sure that nobody else has their addresses, which programs see as a change
  local machine
  for machine; do
    for _ in {1..100}; do
      if [ -z "$(on "$machine" ip -6 addr show tentative)" ]; then break; fi
      sleep 0.05
    done
  done
}

set_mapping_timeout() { # set_mapping_timeout a SECONDS: of a silent mapping; those that there are, are forgotten
  SITE_TIMEOUT[$1]=$2
  set_site "$1" "${SITE_KIND[$1]}"
}

readdress() { # readdress a PREFIX: the line was dialled anew; its address outside is PREFIX.2, mappings are forgotten
  local router=r$1 old=${OUTSIDE[$1]%.*}
  give net "to-$router" "$2.1/24"
  give "$router" wan "$2.2/24"
  on "$router" ip route replace default via "$2.1"
  on "$router" ip addr del "$old.2/24" dev wan
  on net ip addr del "$old.1/24" dev "to-$router"
  OUTSIDE[$1]=$2.2
  set_site "$1" "${SITE_KIND[$1]}"
}

# --- a second uplink --------------------------------------------------------------------------------
add_mobile() { # add_mobile a KIND: a network of another provider, which the host does not use yet
  local site=$1 router=m$1 number
  number=$(site_number "$site")
  make_machine "$router"
  uplink "$router" "14.$number.0"
  connect "$router" lan "$site" eth1
  give "$router" lan "192.168.$((100 + number)).1/24"
  on "$site" ip link set eth1 down
  set_router "$router" "$2" none "$MAPPING_SECONDS" "14.$number.0.2"
}

# go_mobile a [keeps]: its first network is gone, and with it the host's address there; with `keeps` the address stays on the
# device that is down, which is what the kernel does by itself.
go_mobile() {
  local lan
  lan=192.168.$((100 + $(site_number "$1")))
  on "$1" ip link set eth1 up
  give "$1" eth1 "$lan.2/24"
  if [ "${2-}" != keeps ]; then on "$1" ip addr flush dev eth0 scope global; fi
  on "$1" ip link set eth0 down
  on "$1" ip route replace default via "$lan.1"
}

go_home() { # go_home a: back to the first network; the second is gone
  on "$1" ip link set eth0 up
  give_site_addresses "$1" "$1" 2 "${SITE_KIND[$1]}"
  on "$1" ip addr flush dev eth1 scope global
  on "$1" ip link set eth1 down
}
