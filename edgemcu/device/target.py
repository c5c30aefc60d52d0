"""Where a firmware runs, from the word that a person gives for it to a session with it.

`--on` of every verb is such a word: host, qemu, renode, or a port with a board (or something that
stands for one) at its other end.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from edgemcu.board_schema import Board, ProcessEmulator, QemuEmulator
from edgemcu.device.emulator import QEMU, QEMU_HINT, QemuMachine, start_process
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.device.transport import SerialTransport, Transport, connect_tcp
from edgemcu.errors import DeviceError, EmulatorError, ToolMissingError

if TYPE_CHECKING:
    from edgemcu.device.renode import RenodeMachine

TargetKind = Literal["host", "qemu", "renode", "port"]

DEFAULT_BAUD = 115_200
TARGETS_HINT = (
    "a target is host, qemu, renode, a serial port (/dev/ttyACM0, COM3), socket://HOST:PORT or "
    "rfc2217://HOST:PORT"
)

_COM = re.compile(r"COM[0-9]{1,3}", re.I)
_URL = re.compile(r"[a-z0-9+.-]+://", re.I)


@dataclass(frozen=True)
class Target:
    """Where a firmware runs.

    Attributes:
        kind: "host" (a process of this computer), "qemu", "renode", or "port": whatever answers
            at `port`, which is not started and not flashed here.
        port: a serial port's name, socket://HOST:PORT or rfc2217://HOST:PORT; None otherwise.
        baud: of a serial port.
    """

    kind: TargetKind
    port: str | None = None
    baud: int = DEFAULT_BAUD

    def __str__(self) -> str:
        return self.port or self.kind

    @property
    def emulated(self) -> bool:
        """Whether its time is none of the board's: nothing here is a latency."""
        return self.kind != "port"


def parse_target(text: str, board: Board, *, baud: int | None = None) -> Target:
    """Understand what was given as `--on`.

    Args:
        text: "host", "qemu", "renode", "/dev/ttyACM0", "COM3", "socket://host:port",
            "rfc2217://host:port".
        board: whose firmware is meant; its data file has the line's speed.
        baud: another speed than the board's.

    Raises:
        DeviceError: `text` is none of these.
    """
    if text in ("host", "qemu", "renode"):
        return Target(text)  # type: ignore[arg-type]
    speed = baud or int(getattr(board.serial, "baud", DEFAULT_BAUD))
    if _URL.match(text):
        return Target("port", _checked_url(text, "--on"), speed)
    if text.startswith(("/", "\\\\.\\")) or _COM.fullmatch(text):
        return Target("port", text, speed)
    raise DeviceError(f"{text!r} is no target", where="--on", hint=TARGETS_HINT)


def _checked_url(text: str, where: str) -> str:
    try:
        url = urlsplit(text)
        usable = url.scheme in ("socket", "rfc2217") and bool(url.hostname) and bool(url.port)
    except ValueError:
        usable = False
    if not usable:
        raise DeviceError(f"{text!r} is no target", where=where, hint=TARGETS_HINT)
    return text


def default_target(board: Board) -> Target:
    """Where the board's firmware runs without a board: what its data file says.

    Raises:
        EmulatorError: nowhere.
    """
    if isinstance(board.emulator, ProcessEmulator):
        return Target("host")
    if isinstance(board.emulator, QemuEmulator):
        return Target("qemu")
    raise EmulatorError(
        "this board cannot be emulated",
        where=board.name,
        hint="--on host runs its firmware on this computer, --on PORT on the board itself",
    )


def require_target(board: Board, target: Target) -> None:
    """Find out, before anything is built, whether `board` can run at `target` at all.

    Raises:
        ToolMissingError: the emulator is not installed.
        EmulatorError: the board is not emulated there.
    """
    if target.kind == "host" and not isinstance(board.emulator, ProcessEmulator):
        raise EmulatorError(
            "this board's firmware does not run as a process of this computer",
            where=board.name,
            hint="build it for the board `host`",
        )
    if target.kind == "renode":
        _renode(board)
    if target.kind == "qemu":
        if not isinstance(board.emulator, QemuEmulator):
            raise EmulatorError(
                "QEMU does not emulate this board", where=board.name, hint="see `edgemcu boards`"
            )
        if shutil.which(QEMU) is None:
            raise ToolMissingError(f"{QEMU} was not found", where=board.name, hint=QEMU_HINT)


def open_target(
    board: Board,
    firmware: Path | None,
    target: Target,
    *,
    model_digest: str | None = None,
    limits: Limits | None = None,
    on_line: Callable[[str], None] | None = None,
    log: Path | None = None,
) -> DeviceSession:
    """Start `firmware`, or connect to the port where one runs, and wait until it has answered.

    Args:
        board: the board that the firmware must be for.
        firmware: the ELF file, or the program of a board that runs as a process. A port does
            not need one: what is on the board stays there.
        target: where.
        model_digest: SHA-256 (hex) of the .tflite file that the firmware must hold.
        limits: time-outs and retries.
        on_line: called with each line of the firmware that is for people.
        log: file that keeps the emulator's own messages.

    Raises:
        ToolMissingError: the emulator is not installed.
        EmulatorError: the board has none, or the firmware faulted or did not answer.
        DeviceError: nothing answers at the port, or this is another firmware than the board or
            `model_digest` asks for, or its model did not initialise.
    """
    transport, instructions_per_tick = start(board, firmware, target, log)
    session = DeviceSession(transport, limits, on_line, instructions_per_tick)
    try:
        _check(session, board, target, model_digest)
    except BaseException:
        session.close()
        raise
    return session


def start(
    board: Board, firmware: Path | None, target: Target, log: Path | None
) -> tuple[Transport, Fraction | None]:
    """The line to a firmware that is started at `target` or runs there, and the instructions per
    tick of its counter, where that follows instructions.

    Raises:
        As `open_target`; nothing has been asked yet.
    """
    if target.kind == "port":
        return connect(target), None
    if firmware is None:
        raise EmulatorError("there is no firmware to start", where=str(target))
    require_target(board, target)
    if target.kind == "renode":
        renode = _renode(board)
        return renode.boot(firmware, log), renode.instructions_per_tick
    emulator = board.emulator
    if not isinstance(emulator, QemuEmulator):
        return start_process(firmware, log), None
    machine = QemuMachine(
        machine=emulator.machine,
        icount_shift=emulator.icount_shift,
        serial=emulator.serial,
        arguments=emulator.arguments,
    )
    return machine.boot(firmware, log), emulator.instructions_per_tick


def connect(target: Target) -> Transport:
    """The line to a port.

    Raises:
        DeviceError: it cannot be opened, or is no port at all.
    """
    assert target.port is not None
    # Not every port has been through `parse_target`: those of `--port` and of [flash] have not.
    url = urlsplit(_checked_url(target.port, "--port")) if _URL.match(target.port) else None
    if url is not None and url.scheme == "socket":
        assert url.hostname is not None and url.port is not None
        return connect_tcp(url.hostname, url.port)
    return SerialTransport(target.port, target.baud)


def _renode(board: Board) -> RenodeMachine:
    from edgemcu.device.renode import RenodeMachine

    return RenodeMachine(board)


def _check(session: DeviceSession, board: Board, target: Target, model_digest: str | None) -> None:
    identity = session.identify()
    again = "flash it again" if target.kind == "port" else "build the firmware again"
    if identity.board != board.name:
        raise DeviceError(
            f"the firmware is for board {identity.board!r}, not {board.name!r}",
            where=str(target),
            hint=again,
        )
    if model_digest is not None and identity.model != model_digest:
        raise DeviceError(
            f"the firmware holds model {identity.model}, not {model_digest}",
            where=f"{board.name} at {target}" if target.port else board.name,
            hint=again,
        )
    if not identity.model_ok:
        raise DeviceError(
            "the model did not check out on the device; the firmware's log:\n"
            + "\n".join(session.log),
            where=board.name,
        )
