"""A client for the debugger's door of QEMU: breakpoints, registers, monitor commands.

The protocol is GDB's remote serial protocol ("Debugging with GDB", appendix E); QEMU runs commands
of its monitor that are packed into qRcmd.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import TracebackType

from edgemcu.errors import EmulatorError

_STACK_POINTER, _LINK_REGISTER, _PROGRAM_COUNTER = 13, 14, 15

# Of memory, in one packet: QEMU's buffer holds 4096 characters.
_MOST_BYTES = 1024


class GdbStub:
    """A stopped or running machine behind a Unix socket; attaching stops it.

    Args:
        path: of the socket that QEMU was started with (-gdb unix:PATH,server=on,wait=off).
        timeout_s: for answers, and for the socket to appear.
    """

    def __init__(self, path: Path, timeout_s: float = 20.0) -> None:
        """Raises: EmulatorError: nobody answers there."""
        self._timeout = timeout_s
        self._data = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError as problem:
                if time.monotonic() > deadline:
                    raise EmulatorError(f"no debugger's door: {problem}", where="QEMU") from None
                time.sleep(0.02)
        self._socket.settimeout(timeout_s)
        self.ask("qSupported")
        self.ask("?")

    def __enter__(self) -> GdbStub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._socket.close()

    def monitor(self, command: str) -> str:
        """Run a command of QEMU's monitor; what it printed."""
        self._send(f"qRcmd,{command.encode().hex()}")
        text = ""
        while (answer := self._receive()) != "OK":
            if not answer.startswith("O"):
                raise EmulatorError(f"the monitor refuses {command!r}: {answer}", where="QEMU")
            text += bytes.fromhex(answer[1:]).decode(errors="replace")
        return text

    def set_breakpoint(self, address: int) -> None:
        self.ask(f"Z0,{address:x},2", expected="OK")

    def clear_breakpoint(self, address: int) -> None:
        self.ask(f"z0,{address:x},2", expected="OK")

    def resume(self) -> None:
        """Let the machine run; returns at once."""
        self._send("c")

    def wait(self, timeout_s: float) -> int:
        """Wait until a breakpoint is met; the program counter there.

        Raises:
            EmulatorError: none was within `timeout_s` seconds.
        """
        self._socket.settimeout(timeout_s)
        answer = self._receive()
        self._socket.settimeout(self._timeout)
        if not answer.startswith(("T05", "S05")):
            raise EmulatorError(f"it stopped for another reason: {answer}", where="QEMU")
        return self.register(_PROGRAM_COUNTER)

    def link_register(self) -> int:
        return self.register(_LINK_REGISTER)

    def stack_pointer(self) -> int:
        return self.register(_STACK_POINTER)

    def read(self, address: int, size: int) -> bytes:
        """Memory of the machine."""
        data = b""
        while len(data) < size:
            part = min(size - len(data), _MOST_BYTES)
            data += bytes.fromhex(self.ask(f"m{address + len(data):x},{part:x}"))
        return data

    def write(self, address: int, data: bytes) -> None:
        for start in range(0, len(data), _MOST_BYTES):
            part = data[start : start + _MOST_BYTES]
            self.ask(f"M{address + start:x},{len(part):x}:{part.hex()}", expected="OK")

    def register(self, number: int) -> int:
        """One of r0…r15."""
        registers = bytes.fromhex(self.ask("g")[: 16 * 8])
        return int.from_bytes(registers[4 * number : 4 * number + 4], "little")

    def detach(self) -> None:
        """Let the machine run on without a debugger."""
        self.ask("D", expected="OK")

    def ask(self, command: str, expected: str | None = None) -> str:
        """Send a command; its answer.

        Raises:
            EmulatorError: it is not the one expected, or none came.
        """
        self._send(command)
        answer = self._receive()
        # Attaching stops the machine, which it reports whenever it comes to it.
        while command != "?" and answer.startswith("T"):
            answer = self._receive()
        if expected is not None and answer != expected:
            raise EmulatorError(f"the debugger's door answers {command!r} with {answer!r}")
        return answer

    def _send(self, command: str) -> None:
        try:
            self._socket.sendall(f"${command}#{sum(command.encode()) % 256:02x}".encode())
        except OSError:
            raise EmulatorError("the emulator has ended", where="QEMU") from None

    def _receive(self) -> str:
        """The next packet, which is acknowledged."""
        while True:
            start, end = self._data.find(b"$"), self._data.find(b"#")
            if 0 <= start < end and len(self._data) >= end + 3:
                packet = self._data[start + 1 : end]
                self._data = self._data[end + 3 :]
                self._socket.sendall(b"+")
                return packet.decode("latin-1")
            try:
                piece = self._socket.recv(1 << 16)
            except TimeoutError:
                raise EmulatorError("the debugger's door is silent", where="QEMU") from None
            except OSError:
                piece = b""
            if not piece:
                raise EmulatorError("the emulator has ended", where="QEMU")
            self._data += piece
