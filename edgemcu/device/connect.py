"""From a board and its firmware to a session, by what the board's data file says."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from edgemcu.board_schema import Board, QemuEmulator
from edgemcu.device.emulator import QemuMachine, start_process
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.device.transport import Transport
from edgemcu.errors import DeviceError, EmulatorError


def open_board(
    board: Board,
    firmware: Path,
    *,
    model_digest: str | None = None,
    limits: Limits | None = None,
    on_line: Callable[[str], None] | None = None,
    log: Path | None = None,
) -> DeviceSession:
    """Boot `firmware` as the board's data file says and wait until it has identified itself.

    Args:
        firmware: the ELF file, or the program of a board that runs as a process.
        model_digest: SHA-256 (hex) of the .tflite file that the firmware must hold.
        limits: time-outs and retries.
        on_line: called with each line of the firmware that is for people.
        log: file that keeps the emulator's own messages.

    Raises:
        ToolMissingError: the emulator is not installed.
        EmulatorError: the board has none, or the firmware faulted or did not answer.
        DeviceError: this is another firmware than the board or `model_digest` asks for, or its
            model did not check out at boot: damaged in flash, or it failed to initialise.
    """
    transport, instructions_per_tick = _start(board, firmware, log)
    session = DeviceSession(transport, limits, on_line, instructions_per_tick)
    try:
        _check(session, board, model_digest)
    except BaseException:
        session.close()
        raise
    return session


def _start(board: Board, firmware: Path, log: Path | None) -> tuple[Transport, Fraction | None]:
    emulator = board.emulator
    if emulator is None:
        raise EmulatorError(
            "this board cannot be emulated", where=board.name, hint="`edgemcu boards` lists them"
        )
    if not isinstance(emulator, QemuEmulator):
        return start_process(firmware, log), None
    machine = QemuMachine(
        machine=emulator.machine,
        icount_shift=emulator.icount_shift,
        serial=emulator.serial,
        arguments=emulator.arguments,
    )
    return machine.boot(firmware, log), emulator.instructions_per_tick


def _check(session: DeviceSession, board: Board, model_digest: str | None) -> None:
    identity = session.identify()
    if identity.board != board.name:
        raise DeviceError(f"the firmware is for board {identity.board!r}", where=board.name)
    if model_digest is not None and identity.model != model_digest:
        raise DeviceError(
            f"the firmware holds model {identity.model}, not {model_digest}",
            where=board.name,
            hint="build the firmware again",
        )
    if not identity.model_ok:
        raise DeviceError(
            "the model did not check out on the device; the firmware's log:\n"
            + "\n".join(session.log),
            where=board.name,
        )
