"""The server of python-snap7 (3.3: pure Python; 2.1: libsnap7, C++) on a free port of loopback, until standard input ends.

Memory as the other servers have it: DB1 to DB3 of 1,024 bytes, merkers, inputs, outputs.
"""

import ctypes
import socket
import sys

from snap7.server import Server
from snap7.type import SrvArea

BYTES = 1024
KEPT = []  # libsnap7 reads the memory it is given: it has to outlive the registration


def memory():
    KEPT.append((ctypes.c_char * BYTES)())
    return KEPT[-1]


server = Server(log=False)
for number in (1, 2, 3):
    server.register_area(SrvArea.DB, number, memory())
for area in (SrvArea.MK, SrvArea.PE, SrvArea.PA):
    server.register_area(area, 0, memory())
with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
server.start_to("127.0.0.1", port)
print(f"listening on 127.0.0.1:{port}", flush=True)
sys.stdin.read()
