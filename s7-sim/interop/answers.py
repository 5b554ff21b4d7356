"""Asks four servers what `testdata/answers.json` lists, over raw sockets, and prints the table of their answers as Markdown.

Usage, from the workspace's root, after `ci/setup.sh interop` and `cargo build --release` here and there:
    python3 s7-sim/interop/answers.py > s7-sim/ANSWERS.md
"""

import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTEROP = ROOT / "s7-sim/interop"
ROWS = json.loads((ROOT / "s7-sim/testdata/answers.json").read_text())

CONNECT = bytes.fromhex("0300001611e00000000100c0010ac1020100c2020101")
SETUP = bytes.fromhex("0300001902f08032010000000000080000f0000001000101e0")
PATIENCE = 3.0  # seconds that a server may take to answer or to close

SERVERS = {
    "s7-sim": [str(ROOT / "target/release/s7-sim"), "--listen", "127.0.0.1:0"],
    "libsnap7 1.4": [str(ROOT / ".venv/libsnap7/bin/python"), str(INTEROP / "serve.py")],
    "python-snap7 3.3": [str(ROOT / ".venv/bin/python"), str(INTEROP / "serve.py")],
    "snap7-server 0.1.7": [str(INTEROP / "target/release/serve")],
}


class Server:
    """A server as a child, ended with the block."""

    def __init__(self, command):
        self.command = command

    def __enter__(self):
        pipe = subprocess.PIPE
        self.child = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        self.port = int(self.child.stdout.readline().rsplit(":", 1)[1])
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()

    def died(self):
        try:
            return self.child.wait(0.2) is not None
        except subprocess.TimeoutExpired:
            return False


def receive(stream):
    """One packet, b"" for the end of the stream, None for silence."""
    try:
        head = b""
        while len(head) < 4:
            if not (some := stream.recv(4 - len(head))):
                return b""
            head += some
        rest = b""
        while len(rest) < int.from_bytes(head[2:4], "big") - 4:
            if not (some := stream.recv(65536)):
                return b""
            rest += some
        return head + rest
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


def ask(port, row):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as stream:
        stream.settimeout(PATIENCE)
        if row.get("after") != "nothing":
            stream.sendall(CONNECT)
            receive(stream)
        if "after" not in row:
            stream.sendall(SETUP)
            receive(stream)
        if "pdu" in row:
            pdu = bytes.fromhex(row["pdu"])
            stream.sendall(bytes([3, 0]) + (len(pdu) + 7).to_bytes(2, "big") + b"\x02\xf0\x80" + pdu)
        else:
            stream.sendall(bytes.fromhex(row["raw"]))
        return receive(stream)


def answer(name, row):
    """The server's answer in words, and whether it is right."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        command = list(SERVERS[name])
        if name == "s7-sim":
            config.write(json.dumps(row.get("config", {})))
            config.flush()
            command += ["--config", config.name]
        with Server(command) as server:
            packet = ask(server.port, row)
            if server.died():
                return "**crashes**", False
    if packet is None:
        return "stays open, silent", False
    if packet == b"":
        return "closed", row["answer"] == "closed"
    pdu = packet[7:].hex()
    return meaning(packet[7:]), bool(re.fullmatch(row["answer"].replace(" ", ""), pdu))


def meaning(pdu):
    if len(pdu) < 12 or pdu[0] != 0x32:
        return f"`{pdu.hex()}`"
    if pdu[1] == 7:
        return f"error word {pdu[20:22].hex(' ').upper()}, code {pdu[22:23].hex().upper()}"
    if pdu[1] in (2, 3) and pdu[10:12] != b"\0\0":
        kind = "Ack" if pdu[1] == 2 else "AckData"
        return f"{kind} {pdu[10:12].hex(' ').upper()}"
    kind = {4: "item", 5: "code"}.get(pdu[12] if len(pdu) > 12 else 0)
    data = pdu[14:]
    if kind == "item":
        length = int.from_bytes(data[2:4], "big")
        return f"{pdu[13]} items, first {data[:1].hex().upper()}, length {length}"
    if kind == "code":
        return f"codes {data.hex(' ').upper()}"
    more = " …" if len(pdu) > 24 else ""
    return f"AckData `{pdu[12:24].hex(' ')}{more}`"


# What other servers cannot be told to be: they have no such switch.
ONLY_OURS = {"access", "put_get", "broken", "password"}


def keys(value):
    return set(value) | {key for inner in value.values() if isinstance(inner, dict) for key in keys(inner)}


def main():
    names = list(SERVERS)
    print("# Answers that are usually wrong\n")
    print("Made by `interop/answers.py`, which asks each server over a raw socket what `testdata/answers.json` lists; the same rows are")
    print("tests of ours (`cargo test -p s7-sim --test peers answers`). Right answers are marked ✓; – where a server has no such switch.")
    print("Timeouts: a server that has closed nothing after 3 s is taken for one that never does. The length of a failed item must be 0;")
    print("libsnap7 sends 4 behind the right code, which clients have to ignore, and that is all that is wrong in seven of its rows.\n")
    print("| request | right | " + " | ".join(names) + " |")
    print("| --- | --- | " + " | ".join("---" for _ in names) + " |")
    right = dict.fromkeys(names, 0)
    asked = dict.fromkeys(names, 0)
    for row in ROWS:
        cells = []
        for name in names:
            if name != "s7-sim" and keys(row.get("config", {})) & ONLY_OURS:
                cells.append("–")
                continue
            words, is_right = answer(name, row)
            asked[name] += 1
            right[name] += is_right
            cells.append(f"✓ {words}" if is_right else words)
        print(f"| {row['request']} | {row['right']} | " + " | ".join(cells) + " |", flush=True)
    print("| **right** | | " + " | ".join(f"**{right[name]} of {asked[name]}**" for name in names) + " |")


sys.exit(main())
