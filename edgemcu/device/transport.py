"""Byte streams to a firmware: a socket (emulator, host process, network) or a serial port."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import TYPE_CHECKING, Protocol

from edgemcu.device.ports import open_failure
from edgemcu.errors import DeviceError

if TYPE_CHECKING:
    from serial import Serial

READ_BYTES = 1 << 16
POLL_S = 0.05


class Transport(Protocol):
    """A byte stream, and what is known about its other end when that falls silent.

    Attributes:
        name: for messages.
        bytes_per_second: of the line, so that time-outs allow for it; None where it does not count.
    """

    name: str
    bytes_per_second: float | None

    def read(self, timeout: float) -> bytes:
        """What has arrived; b"" when nothing did within `timeout` seconds.

        Raises:
            OSError: the other end is gone.
        """
        ...

    def write(self, data: bytes, timeout: float) -> None:
        """Send all of `data`.

        Raises:
            OSError: the other end is gone, or does not take the bytes (after `timeout` seconds).
        """
        ...

    def failure(self, message: str, last_output: str) -> DeviceError:
        """The error to raise when the firmware did not do as it must, with what is known of it."""
        ...

    def close(self) -> None:
        """Let go of the stream and of whatever was started for it. Never raises."""
        ...


def describe(message: str, last_output: str) -> str:
    """`message` with the last lines that came from the device."""
    if not last_output:
        return f"{message}; it has sent nothing that a person could read"
    return f"{message}; its last output:\n{last_output}"


class SocketTransport:
    """A connected stream socket; closing it ends the connection."""

    bytes_per_second: float | None = None

    def __init__(self, connection: socket.socket, name: str) -> None:
        self.name = name
        self._socket = connection
        self._socket.setblocking(False)
        with contextlib.suppress(OSError):
            # Requests are answered one by one: no waiting for more to send.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, timeout: float) -> bytes:
        if not self._ready(select.POLLIN, timeout):
            return b""
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionAbortedError("the other end has closed it")
        return data

    def write(self, data: bytes, timeout: float) -> None:
        rest = memoryview(data)
        while rest:
            if not self._ready(select.POLLOUT, timeout):
                raise TimeoutError(f"no byte was taken for {timeout:g} s")
            with contextlib.suppress(BlockingIOError):
                rest = rest[self._socket.send(rest) :]

    def _ready(self, events: int, timeout: float) -> bool:
        # poll, not select: file descriptors beyond 1023 are fine.
        poll = select.poll()
        poll.register(self._socket, events)
        return bool(poll.poll(max(0.0, timeout) * 1000))

    def failure(self, message: str, last_output: str) -> DeviceError:
        return DeviceError(describe(message, last_output), where=self.name)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()


def connect_tcp(host: str, port: int, timeout: float = 5.0) -> SocketTransport:
    """A serial line that something offers over TCP.

    Raises:
        DeviceError: nothing answers there within `timeout` seconds.
    """
    name = f"{host}:{port}"
    try:
        return SocketTransport(socket.create_connection((host, port), timeout), name)
    except (OSError, UnicodeError) as error:  # the latter for what cannot be a host's name
        raise DeviceError(
            f"no connection: {error}", where=name, hint="is something listening there?"
        ) from error


class SerialTransport:
    """A serial port, by name (/dev/ttyUSB0, COM3) or by pyserial's URL (rfc2217://…)."""

    def __init__(self, port: str, baud: int) -> None:
        """Raises: DeviceError: the port is not there, or cannot be opened."""
        import serial

        self.name = port
        # Over a network each change of a setting is a conversation: there the time-out is fixed.
        self._fixed = "://" in port
        # A start bit, eight data bits and a stop bit.
        self.bytes_per_second: float | None = baud / 10
        try:
            # Two programs on one port would each get a part of the bytes.
            self._port: Serial = serial.serial_for_url(
                port, baudrate=baud, timeout=POLL_S if self._fixed else 0, exclusive=True
            )
        except (OSError, ValueError) as error:
            raise open_failure(port, error) from error

    def read(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        try:
            if not self._fixed:
                self._port.timeout = max(0.0, timeout)
            first = self._port.read(1)
            while self._fixed and not first and time.monotonic() < deadline:
                first = self._port.read(1)
            return bytes(first + self._port.read(self._port.in_waiting)) if first else b""
        except TypeError as error:
            # That is how pyserial finds a port closed that vanishes in mid-read.
            raise ConnectionAbortedError("the port has vanished") from error

    def write(self, data: bytes, timeout: float) -> None:
        if not self._fixed:
            self._port.write_timeout = timeout
        self._port.write(data)

    def failure(self, message: str, last_output: str) -> DeviceError:
        return DeviceError(
            describe(message, last_output),
            where=self.name,
            hint="is this the board's port, and does an edgemcu firmware run there?",
        )

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._port.close()
