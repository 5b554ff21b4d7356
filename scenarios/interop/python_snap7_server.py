"""A PLC that is not ours: python-snap7's own server on loopback, with a data block whose values the scenario knows.

Usage: python_snap7_server.py PORT. It serves until SIGTERM or SIGINT.
"""

import signal
import struct
import sys
import threading

from snap7.server import Server
from snap7.type import SrvArea


def data_block() -> bytearray:
    block = bytearray(64)
    struct.pack_into(">h", block, 0, -1234)  # DB1.DBW0:INT
    struct.pack_into(">i", block, 4, 70_000)  # DB1.DBD4:DINT
    struct.pack_into(">f", block, 8, 21.5)  # DB1.DBD8:REAL
    block[12] = 0b0000_0100  # DB1.DBX12.2:BOOL is set
    struct.pack_into(">H", block, 14, 0xBEEF)  # DB1.DBW14:WORD
    return block


def main() -> None:
    port = int(sys.argv[1])
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = Server()
    server.register_area(SrvArea.DB, 1, data_block())
    # Never plain start(): that binds every interface.
    server.start_to("127.0.0.1", port)
    print(f"listening on 127.0.0.1:{port}", flush=True)
    stop.wait()
    server.stop()


if __name__ == "__main__":
    main()
