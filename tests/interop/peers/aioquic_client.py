# SPDX-License-Identifier: MIT OR BSD-3-Clause
# aioquic_client.py reserved|migrate PROGRAM WORD...: runs a client that uses aioquic, with a difference:
#   reserved   each connection begins with a version that nobody speaks
#   migrate    each connection moves to another socket, and to another connection ID, in its midst
import asyncio
import runpy
import socket
import sys

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration

RESERVED = 0x1A2A3A4A
init = QuicConfiguration.__init__
connect = QuicConnectionProtocol.connect
tasks = []  # The loop itself keeps none.


def init_reserved(self, *args, **kwargs):
    init(self, *args, **kwargs)
    self.original_version = RESERVED
    self.supported_versions = [RESERVED, *self.supported_versions]


async def move(protocol):
    await asyncio.sleep(0.3)
    protocol.change_connection_id()
    fresh = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    fresh.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    fresh.bind(("::", 0, 0, 0))
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: protocol, sock=fresh)
    await protocol.ping()


def connect_and_move(self, *args, **kwargs):
    connect(self, *args, **kwargs)
    tasks.append(asyncio.ensure_future(move(self)))


if sys.argv[1] == "reserved":
    QuicConfiguration.__init__ = init_reserved
else:
    QuicConnectionProtocol.connect = connect_and_move
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
