"""A reader put together from the parts of osdp (its check sums and its secure channel), run by its own Python.

PORT ADDRESS KEY. The package itself is a control panel only. A line of standard input is what happens at the door:
``card BITS HEX``, ``input N 0|1``, ``tamper 0|1``. It says what it is told to do.
"""

import json
import queue
import sys
import threading
from importlib import import_module
from typing import Any

import serial
from Crypto import Random  # type: ignore[import-not-found]

message: Any = import_module("osdp._message")
secure: Any = import_module("osdp._secure_channel")

POLL, ID, CAP, LSTAT, ISTAT, OUT, LED, BUZ = 0x60, 0x61, 0x62, 0x64, 0x65, 0x68, 0x69, 0x6A
CHALLENGE, CRYPTOGRAM = 0x76, 0x77
ACK, NAK, PDID, PDCAP, LSTATR, ISTATR, RAW, CCRYPT, RMAC_I = 0x40, 0x41, 0x45, 0x46, 0x48, 0x49, 0x50, 0x76, 0x78
IDENTITY = bytes.fromhex("00060301 02 05000000 010203".replace(" ", ""))
ABILITIES = bytes((1, 1, 4, 2, 1, 1, 4, 1, 1, 5, 1, 1, 8, 1, 0, 9, 1, 1))
WITH_DATA = (0x17, 0x18)


def say(kind: str, **values: Any) -> None:
    """One line for the test."""
    sys.stdout.write(json.dumps({"type": kind, "device": None, "values": values}) + "\n")
    sys.stdout.flush()


class Channel(secure.SecureChannel):  # type: ignore[misc]
    """Their channel with the key that it is given, and seen from the reader's end: what they receive, it sends."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.key = key

    def calculate_scbk(self) -> bytes:
        """Not derived from a master key."""
        return self.key

    def challenged(self, theirs: bytes, ours: bytes, identity: bytes) -> bytes:
        """Begin a session; the cryptogram that proves the key."""
        self.reset()
        self.server_random_number = theirs
        enc = self.generate_key(bytes([0x01, 0x82]) + theirs[:6], bytes(8), self.key)
        cryptogram: bytes = self.generate_key(theirs, ours, enc)
        self.select_scbk(1)
        self.initialize(identity, ours, cryptogram)
        return cryptogram

    def proved(self, cryptogram: bytes) -> bytes:
        """The first R-MAC, if the panel proved the key, too."""
        if cryptogram != self.server_cryptogram:
            raise ValueError("the panel has another key")
        once = self.generate_key(cryptogram[:8], cryptogram[8:], self._smac1)
        rmac: bytes = self.generate_key(once[:8], once[8:], self._smac2)
        self.establish(rmac)
        return rmac

    def opened(self, data: bytes) -> bytes:
        """The data of a command: what they decrypt, they decrypt as a panel does, so the MACs change places."""
        return bytes(self._turned().decrypt_data(data))

    def closed(self, data: bytes) -> bytes:
        """The data of a reply."""
        return bytes(self._turned().encrypt_data(data))

    def _turned(self) -> Any:
        other = secure.SecureChannel(self.key)
        other._enc, other._cmac, other._rmac = self._enc, self._rmac, self._cmac
        return other


class Reader(message.Message):  # type: ignore[misc]
    """Answers one command after another."""

    def __init__(self, port: str, address: int, key: bytes) -> None:
        super().__init__()
        self.address = address
        self.line = serial.Serial(port, 115_200, timeout=0.1)
        self.channel = Channel(key)
        self.reports: queue.Queue[tuple[int, bytes]] = queue.Queue()
        self.inputs, self.tamper, self.told = [0] * 4, 0, False

    def data(self) -> bytes:
        """Nothing of its own."""
        return b""

    def serve(self, stopped: threading.Event) -> None:
        """Until told to stop."""
        while not stopped.is_set():
            if self.line.read(1) != bytes([self.SOM]):
                continue
            head = self.line.read(3)
            size = int.from_bytes(head[1:3], "little")
            packet = bytes([self.SOM]) + head + self.line.read(size - 4)
            if len(packet) == size and packet[1] == self.address and self._fits(packet):
                self.line.write(self._answer(packet))

    def _fits(self, packet: bytes) -> bool:
        return bool(self.calculate_crc(packet[:-2]) == int.from_bytes(packet[-2:], "little"))

    def _answer(self, packet: bytes) -> bytes:
        control, at, block = packet[4], 5, b""
        if control & 8:
            block = packet[5 : 5 + packet[5]]
            at += len(block)
        if control & 3 == 0:
            self.channel.reset()
        kind, secured = block[1] if block else 0, bool(block) and block[1] >= 0x15
        end = -6 if secured else -2
        code, data = packet[at], packet[at + 1 : end]
        if secured:
            clear = self.channel.opened(data) if kind in WITH_DATA and data else data
            if self.channel.generate_mac(packet[:-6], True)[:4] != packet[-6:-2]:
                say("wrong-mac")
                return self._packet(control, NAK, b"\x06")
            self._tell_secure()
            return self._packet(control, *self._carry_out(code, clear), secured=True)
        if code == CHALLENGE:
            ours = Random.new().read(8)
            cryptogram = self.channel.challenged(data, ours, IDENTITY[:8])
            return self._packet(control, CCRYPT, IDENTITY[:8] + ours + cryptogram, block=bytes((3, 0x12, 1)))
        if code == CRYPTOGRAM:
            return self._packet(control, RMAC_I, self.channel.proved(data), block=bytes((3, 0x14, 1)))
        return self._packet(control, *self._carry_out(code, data))

    def _tell_secure(self) -> None:
        if not self.told:
            self.told = True
            say("secure")

    def _carry_out(self, code: int, data: bytes) -> tuple[int, bytes]:
        """The reply's code and data."""
        if code == POLL:
            return self.reports.get() if self.told and not self.reports.empty() else (ACK, b"")
        fixed = {ID: (PDID, IDENTITY), CAP: (PDCAP, ABILITIES), LSTAT: (LSTATR, bytes((self.tamper, 0)))}
        if code in fixed:
            return fixed[code]
        if code == ISTAT:
            return ISTATR, bytes(self.inputs)
        if code in (OUT, LED, BUZ):
            say({OUT: "output", LED: "light", BUZ: "sound"}[code], data=data.hex())
            return ACK, b""
        return NAK, b"\x03"

    def _packet(self, control: int, code: int, data: bytes, *, secured: bool = False, block: bytes = b"") -> bytes:
        if secured:
            block = bytes((2, 0x18 if data else 0x16))
            data = self.channel.closed(data) if data else data
        packet = bytearray((self.SOM, self.address | 0x80, 0, 0, control & 7 | (8 if block else 0)))
        packet += block + bytes([code]) + data
        self.add_packet_length(packet, 6 if secured else 2)
        if secured:
            packet += self.channel.generate_mac(bytes(packet), False)[:4]
        packet += b"\0\0"
        self.add_crc(packet)
        return bytes(packet)


def main(port: str, address: int, key: bytes) -> None:
    """Serve until standard input ends."""
    reader, stopped = Reader(port, address, key), threading.Event()
    thread = threading.Thread(target=reader.serve, args=(stopped,))
    thread.start()
    say("ready")
    for words in (line.split() for line in sys.stdin):
        if words[0] == "card":
            reader.reports.put((RAW, bytes((0, 1)) + int(words[1]).to_bytes(2, "little") + bytes.fromhex(words[2])))
        elif words[0] == "input":
            reader.inputs[int(words[1])] = int(words[2])
            reader.reports.put((ISTATR, bytes(reader.inputs)))
        elif words[0] == "tamper":
            reader.tamper = int(words[1])
            reader.reports.put((LSTATR, bytes((reader.tamper, 0))))
    stopped.set()
    thread.join()


main(sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]))
