"""Firmware in Renode, where that is installed."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from edgemcu.board_schema import Board
from edgemcu.device.emulator import must_exist
from edgemcu.device.guarded import GuardedProcess
from edgemcu.device.renode_platform import RenodePlatform, renode_platform
from edgemcu.device.transport import SocketTransport, describe
from edgemcu.errors import DeviceError, EmulatorError, ToolMissingError

RENODE = "renode"
RENODE_HINT = (
    "download it from renode.io (a portable archive for Linux, packages for macOS and Windows) "
    "and put `renode` on the PATH"
)
START_S = 60.0
_ATTEMPTS = 3
_POLL_S = 0.1
_LAST_WORDS_S = 0.5
_LOG_LINES = 40


class RenodeTransport(SocketTransport):
    """The serial line of a machine in Renode, which ends when the transport is closed."""

    def __init__(
        self, connection: socket.socket, name: str, process: GuardedProcess, files: RenodeFiles
    ) -> None:
        super().__init__(connection, name)
        self._process = process
        self._files = files

    def failure(self, message: str, last_output: str) -> DeviceError:
        status = self._process.wait(_LAST_WORDS_S)
        running = "; Renode is still running" if status is None else f"; Renode ended ({status})"
        text = describe(message + running, last_output) + self._files.messages()
        return EmulatorError(text, where=self.name)

    def close(self) -> None:
        super().close()
        self._process.close()
        self._files.close()


class RenodeFiles:
    """The folder of one run: platform, script, and what Renode says."""

    def __init__(self, platform: RenodePlatform, log: Path | None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="edgemcu-renode-")
        self.log = log or Path(self._folder.name, "renode.log")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.platform = Path(self._folder.name, f"{platform.board.name}.repl")
        self.platform.write_text(platform.platform, encoding="utf-8")
        self.script = Path(self._folder.name, f"{platform.board.name}.resc")
        self.errors = Path(self._folder.name, "stderr.txt")

    def messages(self) -> str:
        """The last of what Renode has said, for a message."""
        lines: list[str] = []
        for file in (self.log, self.errors):
            with contextlib.suppress(OSError):
                lines += file.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return "\n".join(["\nits messages:", *(f"    {line}" for line in lines)]) if lines else ""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._folder.cleanup()


@dataclass(frozen=True)
class RenodeMachine:
    """A board as Renode emulates it.

    Attributes:
        board: an STM32 board.
        program: Renode itself.
        start_s: seconds that Renode may take until its end of the serial line is there.

    Raises:
        ToolMissingError: Renode is not installed.
        EmulatorError: the board is not described for Renode.
    """

    board: Board
    program: str = RENODE
    start_s: float = START_S
    platform: RenodePlatform = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "platform", renode_platform(self.board))
        if shutil.which(self.program) is None:
            raise ToolMissingError("Renode was not found", where=self.board.name, hint=RENODE_HINT)

    @property
    def instructions_per_tick(self) -> Fraction:
        return self.platform.instructions_per_tick

    def command(self, script: Path) -> list[str]:
        """Renode's command line: no window, no monitor on any port, no colours."""
        program = shutil.which(self.program) or self.program
        return [program, "--disable-gui", "--plain", "--port", "-1", str(script)]

    def boot(self, firmware: Path, log: Path | None = None) -> RenodeTransport:
        """Start `firmware` (ELF) and return its serial line.

        Args:
            log: file that keeps Renode's own messages.

        Raises:
            EmulatorError: there is no such file, or Renode ended or did not open the line.
        """
        must_exist(firmware)
        for attempt in range(1, _ATTEMPTS + 1):
            files = RenodeFiles(self.platform, log)
            try:
                transport = self._try(firmware, files)
            except BaseException:
                files.close()
                raise
            if transport is not None:
                return transport
            # Somebody else may have taken the port: the next attempt asks for another one.
            messages = files.messages()
            files.close()
            if attempt == _ATTEMPTS:
                raise EmulatorError(
                    f"Renode ended before the firmware's line was there{messages}",
                    where=f"{self.board.name} in Renode",
                )
        raise AssertionError("unreachable")

    def _try(self, firmware: Path, files: RenodeFiles) -> RenodeTransport | None:
        """None if Renode has ended at once."""
        port = _free_port()
        script = self.platform.script(str(files.platform), str(firmware.resolve()), port)
        files.script.write_text(script, encoding="utf-8")
        name = f"{self.board.name} in Renode"
        with files.log.open("w+b") as output:
            process = GuardedProcess(self.command(files.script), output, files.errors)
        try:
            deadline = time.monotonic() + self.start_s
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    connection = socket.create_connection(("127.0.0.1", port), _POLL_S)
                    return RenodeTransport(connection, name, process, files)
                if process.wait(_POLL_S) is not None:
                    process.close()
                    return None
            raise EmulatorError(
                f"Renode has not opened the firmware's line within {self.start_s:g} s"
                + files.messages(),
                where=name,
            )
        except BaseException:
            process.close()
            raise


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
