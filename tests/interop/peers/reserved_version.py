# reserved_version.py PROGRAM WORD...: runs a program that uses aioquic; each of its connections begins with a
# version that nobody speaks.
import runpy
import sys

from aioquic.quic.configuration import QuicConfiguration

RESERVED = 0x1A2A3A4A
init = QuicConfiguration.__init__


def init_reserved(self, *args, **kwargs):
    init(self, *args, **kwargs)
    self.original_version = RESERVED
    self.supported_versions = [RESERVED, *self.supported_versions]


QuicConfiguration.__init__ = init_reserved
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
