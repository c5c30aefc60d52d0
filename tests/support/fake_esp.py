"""An ESP32-S3 board for flashing tests: its ROM loader, its flash, its reset circuit, its USB port.

The loader speaks what Espressif documents as the serial protocol of its ROM, and that of esptool's
stub once one has been uploaded. What boots after a reset is what the flash holds: the identity in
the application image there answers as an edgemcu firmware does.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from serial.rfc2217 import PortManager

from edgemcu.device.protocol import IDENTIFY, IDENTITY, Decoder, Frame
from tests.support.esp_image import APP_AT, BOOTLOADER_AT, MARK, PARTITIONS_AT

FLASH_BYTES = 8 << 20

_SYNC, _READ_REG, _WRITE_REG, _SECURITY = 0x08, 0x0A, 0x09, 0x14
_BEGIN, _DATA, _DEFLATE_BEGIN, _DEFLATE_DATA = 0x02, 0x03, 0x10, 0x11
_MEM_BEGIN, _MEM_END, _MEM_DATA, _MD5 = 0x05, 0x06, 0x07, 0x13
_ALWAYS_FINE = {0x04, 0x05, 0x0B, 0x0D, 0x0F, 0x12, 0xD1}

# Registers that are read: SPI1's data word after RDID (Winbond, 8 MB), and the MAC in eFuse.
_REGISTERS = {0x6000_2058: 0x1740EF, 0x6000_7044: 0x33445566, 0x6000_7048: 0x1122}


@dataclass
class Faults:
    """What goes wrong, and how often still; each counts down when it has happened.

    Attributes:
        no_sync: connections whose SYNC is not answered; -1 for all of them.
        bad_bits: blocks of which one bit is written wrong.
        stalls: times that the chip falls silent after it has taken `after` blocks.
        drops: times that the line breaks after `after` blocks.
    """

    no_sync: int = 0
    bad_bits: int = 0
    stalls: int = 0
    drops: int = 0
    after: int = 2


class LineBroken(Exception):  # noqa: N818 - what happens, no error
    """The cable was pulled."""


@dataclass
class RomLoader:
    """The chip in download mode: requests in, answers out.

    Attributes:
        flash: what lies in the flash; erased bytes are 0xFF.
        blocks: data blocks taken since the last reset.
    """

    flash: bytearray
    faults: Faults
    blocks: int = 0
    stub: bool = False
    silent: bool = False
    answered_sync: bool = False
    seen: list[int] = field(default_factory=list)
    _buffer: bytearray = field(default_factory=bytearray)
    _position: int = 0
    _inflate: Callable[[bytes], bytes] = bytes

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the host; return the answers.

        Raises:
            LineBroken: as `faults` have it.
        """
        self._buffer += data
        answers = b""
        while self._buffer.count(0xC0) >= 2:
            start = self._buffer.index(0xC0)
            end = self._buffer.index(0xC0, start + 1)
            packet = bytes(self._buffer[start + 1 : end])
            # An empty packet is the end of one and the beginning of the next.
            del self._buffer[: end + 1 if packet else end]
            packet = packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
            if len(packet) >= 8 and packet[0] == 0:
                answers += self._request(packet)
        return answers

    def _request(self, packet: bytes) -> bytes:
        operation, size, checksum = struct.unpack_from("<xBHI", packet)
        data = packet[8:]
        self.seen.append(operation)
        if self.silent or size != len(data):
            return b""
        if operation == _SYNC:
            return self._sync()
        value, body, status = 0, b"", b"\0\0"
        if operation == _READ_REG:
            value = _REGISTERS.get(struct.unpack_from("<I", data)[0], 0)
        elif operation == _SECURITY:
            body = struct.pack("<IB7sII", 0, 0, bytes(7), 9, 0)
        elif operation in (_BEGIN, _DEFLATE_BEGIN):
            self._begin(operation, data)
        elif operation in (_DATA, _DEFLATE_DATA, _MEM_DATA):
            status = self._block(operation, data, checksum)
        elif operation == _MD5:
            address, length = struct.unpack_from("<II", data)
            digest = hashlib.md5(self.flash[address : address + length])
            body = digest.digest() if self.stub else digest.hexdigest().encode()
        elif operation == _MEM_END:
            self.stub = True
        elif operation != _WRITE_REG and operation not in _ALWAYS_FINE:
            status = b"\1\5"
        if self.silent:
            return b""
        padding = b"" if self.stub and operation != _MEM_END else b"\0\0"
        answer = _slip(
            struct.pack("<BBHI", 1, operation, len(body) + 4, value) + body + status + padding
        )
        return answer + (_slip(b"OHAI") if operation == _MEM_END else b"")

    def _sync(self) -> bytes:
        if self.faults.no_sync:
            return b""
        self.answered_sync = True
        # By the value in the answer the host tells the ROM from the stub, which has 0 there.
        answer = struct.pack("<BBHI", 1, _SYNC, 4, 0 if self.stub else 0x2012_0707)
        return 8 * _slip(answer + bytes(4))

    def _begin(self, operation: int, data: bytes) -> None:
        size, blocks, block_size, address = struct.unpack_from("<IIII", data)
        inflater = zlib.decompressobj()
        self._inflate = inflater.decompress if operation == _DEFLATE_BEGIN else bytes
        self._position = address
        erased = blocks * block_size if operation == _BEGIN else size
        end = min(len(self.flash), (address + erased + 0xFFF) & ~0xFFF)
        self.flash[address:end] = b"\xff" * (end - address)

    def _block(self, operation: int, data: bytes, checksum: int) -> bytes:
        length = struct.unpack_from("<I", data)[0]
        content = data[16 : 16 + length]
        if len(content) != length or _checksum(content) != checksum:
            return b"\1\7"
        if operation == _MEM_DATA:
            return b"\0\0"
        self.blocks += 1
        if self.blocks > self.faults.after:
            if self.faults.drops:
                self.faults.drops -= 1
                raise LineBroken
            if self.faults.stalls:
                self.faults.stalls -= 1
                self.silent = True
                return b""
        written = bytearray(self._inflate(content))
        if self.faults.bad_bits and written:
            self.faults.bad_bits -= 1
            written[len(written) // 2] ^= 0x10
        self.flash[self._position : self._position + len(written)] = written
        self._position += len(written)
        return b"\0\0"


def _checksum(data: bytes) -> int:
    value = 0xEF
    for byte in data:
        value ^= byte
    return value


def _slip(packet: bytes) -> bytes:
    return b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


class Firmware:
    """The chip after a reset with IO0 high: what the flash holds runs, if it is whole enough."""

    def __init__(self, flash: bytes | bytearray) -> None:
        self.boot_log = b"ESP-ROM:esp32s3-20210327\r\nrst:0x1 (POWERON),boot:0x8\r\n"
        self._decoder = Decoder()
        self._identity = b""
        whole = (
            flash[BOOTLOADER_AT] == 0xE9
            and flash[PARTITIONS_AT : PARTITIONS_AT + 2] == b"\xaa\x50"
            and flash[APP_AT] == 0xE9
        )
        start = flash.find(MARK, APP_AT) + len(MARK)
        if not whole or start < len(MARK):
            self.boot_log += b"invalid header: 0xffffffff\r\n" * 3
            return
        self._identity = bytes(flash[start : flash.index(0, start)])
        self.boot_log += b"\r\nedgemcu test\r\n" + self._answer(0, bytes(4))

    def _answer(self, sequence: int, session: bytes) -> bytes:
        return Frame(IDENTITY, sequence, session + self._identity).encode()

    def feed(self, data: bytes) -> bytes:
        answers = b""
        for event in self._decoder.feed(data):
            if isinstance(event, Frame) and event.type == IDENTIFY and self._identity:
                answers += self._answer(event.sequence, event.payload)
        return answers


class ResetCircuit:
    """The two transistors between the adapter's DTR and RTS and the chip's IO0 and EN.

    EN is low while only RTS is asserted, IO0 while only DTR is. A capacitor makes EN rise late:
    the chip looks at IO0 one event after EN has risen.
    """

    def __init__(self, started: Callable[[bool], None]) -> None:
        self._started = started
        self._dtr = self._rts = False
        self._rising = False
        self.changes: list[tuple[str, bool]] = []

    def set(self, line: str, value: bool) -> None:
        self.changes.append((line, value))
        was_low = self._rts and not self._dtr
        if line == "dtr":
            self._dtr = value
        else:
            self._rts = value
        is_low = self._rts and not self._dtr
        if self._rising:
            self.settle()
        if was_low and not is_low:
            self._rising = True
        elif is_low:
            self._rising = False

    def settle(self) -> None:
        """Time has passed: the chip has started, in download mode if IO0 is low."""
        if self._rising:
            self._rising = False
            self._started(self._dtr and not self._rts)


class _Adapter:
    """What PortManager takes for the serial port behind an RFC 2217 server."""

    def __init__(self, circuit: ResetCircuit) -> None:
        self._circuit = circuit
        self.baudrate, self.bytesize, self.parity, self.stopbits = 115_200, 8, "N", 1
        self.xonxoff = self.rtscts = self.dsrdtr = self.break_condition = False
        self.cts = self.dsr = self.cd = True
        self.ri = False

    def _set(self, line: str, value: bool) -> None:
        self._circuit.set(line, value)

    dtr = property(lambda self: self._circuit._dtr, lambda self, value: self._set("dtr", value))
    rts = property(lambda self: self._circuit._rts, lambda self, value: self._set("rts", value))

    def reset_input_buffer(self) -> None: ...

    def reset_output_buffer(self) -> None: ...


class FakeBoard:
    """A board behind a TCP port, one client at a time.

    Args:
        rfc2217: the port carries DTR and RTS, too; without it the chip waits in download mode, and
            somebody presses RESET when a client that has written the flash is gone.
        faults: what goes wrong.

    Attributes:
        flash: its contents.
        port: what --port takes.
        clients: connections so far.
    """

    def __init__(self, *, rfc2217: bool = False, faults: Faults | None = None) -> None:
        self.flash = bytearray(b"\xff" * FLASH_BYTES)
        self.faults = faults or Faults()
        self.circuit = ResetCircuit(self._start)
        self.clients = 0
        self.modes: list[str] = []
        self._rfc2217 = rfc2217
        self._chip: RomLoader | Firmware
        self._to_say = b""
        self._start(download=not rfc2217)
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "rfc2217" if rfc2217 else "socket"
        self.port = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def stalled(self) -> bool:
        """Whether the chip has fallen silent in the middle of a transfer."""
        return isinstance(self._chip, RomLoader) and self._chip.silent

    def __enter__(self) -> FakeBoard:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def write(self, parts: dict[int, bytes]) -> None:
        """Put files into the flash and start what is there."""
        for address, data in parts.items():
            self.flash[address : address + len(data)] = data
        self._start(download=False)

    def _start(self, download: bool) -> None:
        self.modes.append("download" if download else "run")
        if download:
            self._chip = RomLoader(self.flash, self.faults)
            self._to_say = b"ESP-ROM:esp32s3-20210327\r\nwaiting for download\r\n"
        else:
            self._chip = Firmware(self.flash)
            self._to_say = self._chip.boot_log

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.clients += 1
            before = replace(self.faults)
            with connection, contextlib.suppress(OSError, LineBroken):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._converse(connection)
            self._client_gone(before)

    def _converse(self, connection: socket.socket) -> None:
        manager = None
        if self._rfc2217:
            manager = PortManager(_Adapter(self.circuit), _Wire(connection))
        while data := connection.recv(1 << 16):
            if manager is not None:
                data = b"".join(manager.filter(data))
            if data:
                self.circuit.settle()
            said, self._to_say = self._to_say, b""
            answer = said + self._chip.feed(data)
            if answer:
                connection.sendall(
                    b"".join(manager.escape(answer)) if manager is not None else answer
                )

    def _client_gone(self, before: Faults) -> None:
        self.circuit.settle()
        if not isinstance(self._chip, RomLoader):
            return
        if self.faults.no_sync > 0 and _SYNC in self._chip.seen and not self._chip.answered_sync:
            self.faults.no_sync -= 1
        if not self._rfc2217:
            # Whoever sits there holds BOOT again after a failure.
            written = self._chip.blocks > 0 and replace(self.faults) == before
            self._start(download=not written)


class _Wire:
    def __init__(self, connection: socket.socket) -> None:
        self.write = connection.sendall
