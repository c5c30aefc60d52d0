"""A board's firmware, started where the board's data file says that it is emulated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgemcu.board_schema import Board
from edgemcu.device.session import DeviceSession, Limits
from edgemcu.device.target import default_target, open_target


def open_board(
    board: Board,
    firmware: Path,
    *,
    model_digest: str | None = None,
    limits: Limits | None = None,
    on_line: Callable[[str], None] | None = None,
    log: Path | None = None,
) -> DeviceSession:
    """`open_target` at the board's default target; arguments and errors are those."""
    return open_target(
        board,
        firmware,
        default_target(board),
        model_digest=model_digest,
        limits=limits,
        on_line=on_line,
        log=log,
    )
