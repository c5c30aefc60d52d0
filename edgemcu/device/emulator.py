"""Firmware without a board: in QEMU, or as a process of this computer."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgemcu.device.guarded import GuardedProcess
from edgemcu.device.transport import SocketTransport, describe
from edgemcu.errors import DeviceError, EmulatorError, ToolMissingError

QEMU = "qemu-system-arm"
QEMU_HINT = "on Debian and Ubuntu: sudo apt-get install qemu-system-arm"

_LAST_WORDS_SECONDS = 0.3
_STDERR_LINES = 40


class ProcessTransport(SocketTransport):
    """A program whose stdin and stdout are the line; it ends when the transport is closed.

    Args:
        command: the program and its arguments.
        name: for messages.
        missing: what to do when there is no such program.
        log: file that keeps the program's stderr; by default it is kept no longer than needed.
    """

    def __init__(
        self, command: Sequence[str], name: str, missing: str, log: Path | None = None
    ) -> None:
        """Raises: ToolMissingError: there is no such program."""
        program = shutil.which(command[0])
        if program is None:
            raise ToolMissingError(f"{command[0]} was not found", where=name, hint=missing)
        self._folder = None if log else tempfile.TemporaryDirectory(prefix="edgemcu-")
        self._log = log or Path(self._folder.name, "stderr.txt")  # type: ignore[union-attr]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        super().__init__(ours, name)
        with theirs:
            try:
                self._process = GuardedProcess([program, *command[1:]], theirs, self._log)
            except BaseException as error:
                self._release()
                if isinstance(error, OSError):
                    raise EmulatorError(f"cannot be started: {error}", where=name) from error
                raise

    def failure(self, message: str, last_output: str) -> DeviceError:
        status = self._process.wait(_LAST_WORDS_SECONDS)
        if status is None:
            message += "; it is still running"
        elif status > 128:
            message += f"; it was ended by signal {status - 128}"
        else:
            message += f"; it ended with exit status {status}"
        lines = self._log.read_text(errors="replace").splitlines()[-_STDERR_LINES:]
        errors = "\n".join(["", "its messages:", *(f"    {line}" for line in lines)])
        return EmulatorError(
            describe(message, last_output) + (errors if lines else ""), where=self.name
        )

    def close(self) -> None:
        super().close()
        self._process.close()
        self._release()

    def _release(self) -> None:
        super().close()
        if self._folder is not None:
            self._folder.cleanup()


@dataclass(frozen=True)
class QemuMachine:
    """A board as QEMU emulates it.

    Attributes:
        machine: QEMU's name for it.
        icount_shift: one instruction takes 2**icount_shift nanoseconds of virtual time, so that
            timers count instructions; None lets virtual time follow the clock on the wall.
        serial: which of the machine's serial lines is the firmware's.
        arguments: more of QEMU's arguments.
        program: QEMU itself.
    """

    machine: str
    icount_shift: int | None = None
    serial: int = 0
    arguments: Sequence[str] = field(default=())
    program: str = QEMU

    def command(self, firmware: Path) -> list[str]:
        """QEMU's command line; its stdin, a socket, is the firmware's serial line.

        The emulated serial ports take one byte per turn of QEMU's main loop. A multiplexer, which
        has a buffer of 32, lets them be read three times as fast; its escape is Ctrl-A, a byte
        that the wire protocol never sends.
        """
        icount = [] if self.icount_shift is None else ["-icount", f"shift={self.icount_shift}"]
        return [
            *(self.program, "-machine", self.machine, "-nodefaults"),
            *("-display", "none", "-monitor", "none", "-chardev", "socket,id=line,fd=0,mux=on"),
            *(["-serial", "null"] * self.serial),
            *("-serial", "chardev:line"),
            *icount,
            *self.arguments,
            *("-kernel", str(firmware.resolve())),
        ]

    def boot(self, firmware: Path, log: Path | None = None) -> ProcessTransport:
        """Start `firmware` (ELF) and return its serial line.

        The session on that line reports a firmware that faults, hangs or says nothing, and a
        machine that QEMU refuses, as EmulatorError with QEMU's messages.

        Raises:
            ToolMissingError: QEMU is not installed.
            EmulatorError: there is no such file, or QEMU cannot be started.
        """
        must_exist(firmware)
        name = f"{self.machine} in QEMU"
        return ProcessTransport(self.command(firmware), name, QEMU_HINT, log)


def start_process(program: Path, log: Path | None = None) -> ProcessTransport:
    """Start a firmware that was built for this computer and return its serial line.

    Raises:
        EmulatorError: there is no such file, or it cannot be started.
    """
    must_exist(program)
    return ProcessTransport([str(program.resolve())], program.name, "is it executable?", log)


def must_exist(firmware: Path) -> None:
    """Raises: EmulatorError: there is no such file."""
    if not firmware.is_file():
        raise EmulatorError(
            "there is no such firmware", where=str(firmware), hint="build it first: edgemcu build"
        )
