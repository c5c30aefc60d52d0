"""A session with a board's firmware, by what the board's data file says of its emulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgemcu.board_schema import Board
from edgemcu.device.emulator import QemuMachine, start_process
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.errors import EmulatorError


def open_board(
    board: Board,
    elf: Path,
    *,
    limits: Limits | None = None,
    on_line: Callable[[str], None] | None = None,
    log: Path | None = None,
) -> DeviceSession:
    """Boot `elf` in the board's emulator, or start it if it is a program of this computer.

    Args:
        limits: time-outs and retries.
        on_line: called with each line of the device that is for people.
        log: file that keeps the emulator's own messages.

    Raises:
        ToolMissingError: the emulator is not installed.
        EmulatorError: the board has none, there is no such file, or it cannot be started.
    """
    emulator = board.emulator
    if emulator is None:
        raise EmulatorError(f"{board.name} cannot be emulated", hint="see `edgemcu boards`")
    if emulator.kind == "process":
        return DeviceSession(start_process(elf, log), limits, on_line)
    machine = QemuMachine(
        emulator.machine, emulator.icount_shift, emulator.serial, emulator.arguments
    )
    return DeviceSession(machine.boot(elf, log), limits, on_line)
