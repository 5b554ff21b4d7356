"""Records snap7's client talking to snap7's server, packet by packet, through a forwarder on loopback.

Usage: record.py OUTPUT [services] (see README.md): reads and writes, or the services beside them. Lines are `> hex` from the client and `< hex` from the server; `#` names the step.
Runs with python-snap7 3.3 (pure Python) and with 2.1 (libsnap7, C++).
"""

import ctypes
import datetime
import socket
import sys
import threading

import snap7
from snap7.server import Server
from snap7.type import Area, Block, S7DataItem, SrvArea, WordLen


def packets(sock):
    """The TPKT packets of one direction."""
    buffer = b""
    while chunk := received(sock):
        buffer += chunk
        while len(buffer) >= 4 and len(buffer) >= (length := int.from_bytes(buffer[2:4], "big")):
            yield buffer[:length]
            buffer = buffer[length:]


def received(sock):
    try:
        return sock.recv(65536)
    except ConnectionResetError:  # libsnap7 ends so
        return b""


def forward(source, target, mark, lines):
    for packet in packets(source):
        lines.append(f"{mark} {packet.hex()}")
        target.sendall(packet)
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def forwarder(listener, server_port, lines):
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", server_port))
    threads = [
        threading.Thread(target=forward, args=(client, server, ">", lines)),
        threading.Thread(target=forward, args=(server, client, "<", lines)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def tolerate(call, *args):
    try:
        call(*args)
    except Exception as error:  # refusals are part of the recording
        print(f"refused: {error}", file=sys.stderr)


FOUR_ITEMS = [(Area.DB, 1, 0, 3), (Area.DB, 2, 10, 1), (Area.MK, 0, 4, 4), (Area.DB, 1, 60, 2)]


def data_items(specs):
    items = (S7DataItem * len(specs))()
    for item, (area, db, start, size) in zip(items, specs):
        item.Area, item.WordLen, item.DBNumber = area.value, WordLen.Byte.value, db
        item.Start, item.Amount = start, size
        data = (ctypes.c_uint8 * size)(*range(100, 100 + size))
        KEPT.append(data)
        item.pData = ctypes.cast(data, ctypes.POINTER(ctypes.c_uint8))
    return items


def read_multi(client, specs):
    if hasattr(client, "use_optimizer"):  # the pure Python client: dictionaries
        names = ["area", "db_number", "start", "size"]
        client.read_multi_vars([dict(zip(names, spec)) for spec in specs])
    else:
        client.read_multi_vars(data_items(specs))


def write_multi(client, specs):
    client.write_multi_vars(list(data_items(specs)))


def steps_of_variables(client):
    return [
        ("read DB1 bytes 0..16", client.db_read, 1, 0, 16),
        ("read an odd number of bytes", client.db_read, 1, 0, 3),
        ("write DB1 bytes 32..36", client.db_write, 1, 32, bytearray(b"\x01\x02\x03\x04")),
        ("read it back", client.db_read, 1, 32, 4),
        ("write an odd number of bytes", client.db_write, 1, 40, bytearray(b"abc")),
        ("read one bit", client.read_area, Area.DB, 1, 0, 1, WordLen.Bit),
        ("write one bit", client.write_area, Area.DB, 1, 5, bytearray(b"\x01"), WordLen.Bit),
        ("read a real", client.read_area, Area.DB, 1, 8, 1, WordLen.Real),
        ("write a real", client.write_area, Area.DB, 1, 8, bytearray(b"\x3f\x80\x00\x00"), WordLen.Real),
        ("read two words", client.read_area, Area.DB, 1, 2, 2, WordLen.Word),
        ("read merkers", client.mb_read, 4, 4),
        ("write merkers", client.mb_write, 4, 2, bytearray(b"\xaa\x55")),
        ("read inputs", client.eb_read, 0, 2),
        ("read outputs", client.ab_read, 0, 2),
        ("read a timer", client.tm_read, 0, 1),
        ("read a counter", client.ct_read, 0, 1),
        ("read four items, odd ones among them", read_multi, client, FOUR_ITEMS),
        ("write four items, odd ones among them", write_multi, client, FOUR_ITEMS),
        ("read three items, one missing, one past the end", read_multi, client, [
            (Area.DB, 77, 0, 3),
            (Area.DB, 2, 60, 16),
            (Area.DB, 1, 0, 3),
        ]),
        ("write two items, the second missing", write_multi, client, [(Area.DB, 1, 0, 3), (Area.DB, 77, 0, 2)]),
        ("read past the end", client.db_read, 2, 60, 16),
        ("read an unknown data block", client.db_read, 77, 0, 2),
        ("write to an unknown data block", client.db_write, 77, 0, bytearray(b"\x01")),
        ("read more than one PDU", client.db_read, 3, 0, 600),
    ]


def steps_of_services(client):
    now = datetime.datetime(2024, 2, 29, 13, 37, 59)
    return [
        ("list of lists", client.read_szl_list),
        ("order code", client.get_order_code),
        ("component identification", client.get_cpu_info),
        ("communication", client.get_cp_info),
        ("protection", client.get_protection),
        ("CPU state", client.read_szl, 0x0424, 0),
        ("a list that there is not", client.read_szl, 0x7777, 0),
        ("count blocks", client.list_blocks),
        ("list data blocks", client.list_blocks_of_type, Block.DB, 10),
        ("information of DB1", client.get_block_info, Block.DB, 1),
        ("read the clock", client.get_plc_datetime),
        ("set the clock", client.set_plc_datetime, now),
        ("set the password", client.set_session_password, "secret12"),
        ("clear the password", client.clear_session_password),
        ("stop", client.plc_stop),
        ("cold start", client.plc_cold_start),
        ("hot start", client.plc_hot_start),
        ("compress", client.compress, 3000),
        ("copy RAM to ROM", client.copy_ram_to_rom, 3000),
        ("upload DB1", client.upload, 1),
        ("download DB1", client.download, bytearray(64), 1),
    ]


def talk(steps, lines):
    for name, call, *args in steps:
        lines.append(f"# {name}")
        tolerate(call, *args)


KEPT = []  # libsnap7 reads the memory it is given: it has to outlive the registration


def memory(values):
    values = bytes(values)
    KEPT.append((ctypes.c_char * len(values)).from_buffer_copy(values))
    return KEPT[-1]


def main(output, steps):
    server = Server(log=False)
    for number, size in [(1, 64), (2, 64), (3, 1024)]:
        server.register_area(SrvArea.DB, number, memory(index * number % 256 for index in range(size)))
    for area in [SrvArea.MK, SrvArea.PE, SrvArea.PA, SrvArea.TM, SrvArea.CT]:
        server.register_area(area, 0, memory(range(64)))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        server_port = probe.getsockname()[1]
    server.start_to("127.0.0.1", server_port)
    lines = ["# connect and set up"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=forwarder, args=(listener, server_port, lines))
        thread.start()
        client = snap7.Client()
        client.connect("127.0.0.1", 0, 1, listener.getsockname()[1])
        talk(steps(client), lines)
        lines.append("# disconnect")
        client.disconnect()
        thread.join()
    server.stop()
    with open(output, "w") as file:
        file.write("\n".join(lines) + "\n")


main(sys.argv[1], steps_of_services if sys.argv[2:] == ["services"] else steps_of_variables)
