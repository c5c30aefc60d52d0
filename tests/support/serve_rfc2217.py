"""A program behind an RFC 2217 server, which carries a serial port's settings over TCP."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serial.rfc2217 import PortManager


class _Port:
    """What PortManager sets and asks: the settings of a port that is none."""

    def __init__(self) -> None:
        self.baudrate, self.bytesize, self.parity, self.stopbits = 115_200, 8, "N", 1
        self.xonxoff = self.rtscts = self.dsrdtr = self.break_condition = False
        self.dtr = self.rts = self.ri = False
        self.cts = self.dsr = self.cd = True

    def reset_input_buffer(self) -> None: ...

    def reset_output_buffer(self) -> None: ...


class _Connection:
    """What PortManager answers its client through."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)


@contextmanager
def serve_rfc2217(program: Path) -> Iterator[str]:
    """Start `program` for one client; yields rfc2217://HOST:PORT."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    _converse(connection, program)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


def _converse(connection: socket.socket, program: Path) -> None:
    manager = PortManager(_Port(), _Connection(connection))
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        said = process.stdout

        def forward() -> None:
            with contextlib.suppress(OSError):
                while data := said.read1():  # type: ignore[union-attr]
                    connection.sendall(b"".join(manager.escape(data)))

        forwarder = threading.Thread(target=forward)
        forwarder.start()
        with contextlib.suppress(OSError):
            while data := connection.recv(1 << 16):
                process.stdin.write(b"".join(manager.filter(data)))
                process.stdin.flush()
        process.kill()
        forwarder.join()
