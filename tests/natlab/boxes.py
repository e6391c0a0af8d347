#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR BSD-3-Clause
"""boxes.py KIND OUTSIDE NAME=NAMESPACE...: whether a router of the laboratory does what its kind says.

The sockets of all machines are opened here, each in its machine's namespace: a and a2 behind the router, h1 and h2 on the
internet. One line for each claim; the exit status is the number of those that do not hold.
"""
import ctypes
import os
import socket
import sys
import time

CLONE_NEWNET = 0x40000000
PATIENCE = 2.0  # Seconds, for what must arrive: the machine may be busy.
DOUBT = 0.2  # The same for what must not; nothing in the laboratory takes more than a few milliseconds.
HOSTS = {"h1": "11.1.0.2", "h2": "11.2.0.2"}
HOSTS6 = {"h1": "2a00:1::2", "h2": "2a00:2::2"}

# kind: (one port for all remotes, who may send to it, hairpin); of who wrote first from inside.
KINDS = {
    "none": (True, "anybody", True),
    "firewall": (True, "address and port", True),
    "full-cone": (True, "anybody", False),
    "hairpin": (True, "anybody", True),
    "address-restricted": (True, "address", False),
    "port-restricted": (True, "address and port", False),
    "symmetric": (False, "address and port", False),
}

kind, outside = sys.argv[1], sys.argv[2]
namespaces = dict(word.split("=", 1) for word in sys.argv[3:])
failures = 0
ports = iter(range(5001, 6000))


def claim(what, holds, seen=""):
    global failures
    if not holds:
        failures += 1
    print(f"{kind}: {what}: {'yes' if holds else 'NO ' + str(seen)}", flush=True)


def socket_on(machine, port, family=socket.AF_INET):
    """A socket of that machine, bound to that port."""
    with open(namespaces[machine]) as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns " + machine)
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.bind(("", port))
    return opened


def arrives(sender, receiver, target, expected=True):
    """Where the receiver sees it come from, or None."""
    token = os.urandom(8)
    end = time.monotonic() + (PATIENCE if expected else DOUBT)
    try:
        sender.sendto(token, target)
        while time.monotonic() < end:
            receiver.settimeout(max(0.001, end - time.monotonic()))
            data, source = receiver.recvfrom(100)
            if data == token:
                return source[:2]
    except OSError:  # Nothing came, or there is no way.
        pass
    return None


def gets_in(sender, receiver, target, expected):
    """Whether what is expected is so."""
    return (arrives(sender, receiver, target, expected) is not None) == expected


def check_translation(public):
    """The ports outside, and who may write to them."""
    one_port, filtering, _ = KINDS[kind]
    own = next(ports)
    inside = socket_on("a", own)
    seen = [
        arrives(inside, public[name], (HOSTS[name[:2]], public[name].getsockname()[1]))
        for name in ("h1", "h1 other port", "h2")
    ]
    claim("each of three remotes is reached", None not in seen, seen)
    if None in seen:
        return
    claim("the address outside is the expected one", {at[0] for at in seen} == {outside}, seen)
    if one_port:
        claim("the host's port is the one outside, for all remotes", {at[1] for at in seen} == {own}, seen)
    else:
        claim("each remote sees another port", len({at[1] for at in seen}) == 3, seen)

    fresh = socket_on("a", next(ports))
    at = arrives(fresh, public["h1"], (HOSTS["h1"], public["h1"].getsockname()[1]))
    claim("who was written to may answer", arrives(public["h1"], fresh, at) is not None)
    for name, allowed in (
        ("h1 other port", filtering in ("anybody", "address")),
        ("h2", filtering == "anybody"),
    ):
        claim(
            f"{'a stranger' if name == 'h2' else 'another port of who was written to'} is {'let in' if allowed else 'kept out'}",
            gets_in(public[name], fresh, at, allowed),
        )
    claim("who was written to may answer still", arrives(public["h1"], fresh, at) is not None)

    silent = socket_on("a", next(ports))
    claim(
        "a port that nobody used lets nobody in" if kind != "none" else "every port is open",
        gets_in(public["h2"], silent, (outside, silent.getsockname()[1]), kind == "none"),
    )


def check_hairpin(public):
    hairpin = KINDS[kind][2]
    one, other = socket_on("a", next(ports)), socket_on("a2", next(ports))
    at = arrives(one, public["h1"], (HOSTS["h1"], public["h1"].getsockname()[1]))
    other_at = arrives(other, public["h1"], (HOSTS["h1"], public["h1"].getsockname()[1]))
    seen = arrives(other, one, at, hairpin)
    claim(f"by its address outside a host is {'reached' if hairpin else 'not reached'} from inside", (seen is not None) == hairpin, seen)
    if hairpin:
        claim("and sees the other's address outside", seen == other_at, (seen, other_at))


def check_timeout(public):
    inside = socket_on("a", next(ports))
    at = arrives(inside, public["h1"], (HOSTS["h1"], public["h1"].getsockname()[1]))
    claim("a mapping lives for a while", arrives(public["h1"], inside, at) is not None)
    arrives(inside, public["h1"], (HOSTS["h1"], public["h1"].getsockname()[1]))
    time.sleep(3.2)
    claim("a silent mapping is forgotten", gets_in(public["h1"], inside, at, False))


def check_ipv6(filtered):
    public = {name: socket_on(name, 7010, socket.AF_INET6) for name in HOSTS6}
    inside = socket_on("a", next(ports), socket.AF_INET6)
    at = arrives(inside, public["h1"], (HOSTS6["h1"], 7010))
    claim("the host's own IPv6 address is seen", at == ("2a01:1::2", inside.getsockname()[1]), at)
    claim("who was written to may answer, by IPv6", arrives(public["h1"], inside, at) is not None)
    claim(f"a stranger is {'kept out' if filtered else 'let in'}, by IPv6", gets_in(public["h2"], inside, at, not filtered))


def check_blocked(public):
    inside = socket_on("a", next(ports))
    claim("no UDP gets out", gets_in(inside, public["h1"], (HOSTS["h1"], 7001), False))


def main():
    public = {"h1": socket_on("h1", 7001), "h1 other port": socket_on("h1", 7002), "h2": socket_on("h2", 7001)}
    if kind == "udp-blocked":
        check_blocked(public)
    elif kind.startswith("6/"):
        check_ipv6(kind == "6/firewall")
    elif kind.endswith(" timeout"):
        check_timeout(public)
    else:
        check_translation(public)
        check_hairpin(public)
    return failures


sys.exit(main())
