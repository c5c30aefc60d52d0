"""The table of docs/boards.md against the boards' files and what the tests do."""

from __future__ import annotations

import re

import pytest

from edgemcu.board_schema import Board, Stm32Clock
from edgemcu.boards import list_boards
from tests.docs.pages import ROOT

RUNTIMES = ("compiled", "tflm")
COLUMNS = ("generated", "compiled", "emulated", "fake", "hardware")
# Boards that a test or a run by hand stands behind, where the files do not say it.
TFLM_RAN = {"host", "mps2-an386", "mps2-an500", "mps3-an547", "nucleo-f446re", "stm32f405"}
TFLM_BUILT = {
    *("b-l475e-iot01a", "blackpill-f411ce", "disco-f746ng", "feather-stm32f405"),
    *("nucleo-h743zi", "nucleo-l4r5zi"),
}
TFLM_IN_MODEL = {
    *("b-l475e-iot01a", "blackpill-f411ce", "disco-f746ng", "feather-stm32f405"),
    *("nucleo-f446re", "nucleo-l4r5zi", "stm32f405"),
}
AGAINST_DECLARATIONS = {"esp32s3", "esp32s3-eye"}  # TYPICAL in tests/unit/test_esp_idf.py
FLASHED_TO_A_FAKE = {"esp32s3"}  # of tests/unit/test_flash.py


def table() -> dict[tuple[str, str], dict[str, str]]:
    text = (ROOT / "docs/boards.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (compiled|tflm) \| (.+) \|$", text, re.MULTILINE)
    return {
        (board, runtime): dict(zip(COLUMNS, cells.split(" | "), strict=True))
        for board, runtime, cells in rows
    }


def compiled(board: Board, runtime: str) -> str:
    if board.platformio.framework == "espidf":
        against = runtime == "compiled" and board.name in AGAINST_DECLARATIONS
        return "declarations" if against else "no"
    if runtime == "compiled":
        return "GCC, Clang"
    return "GCC" if board.name in TFLM_RAN | TFLM_BUILT else "no"


def emulated(board: Board, runtime: str) -> str:
    if runtime == "tflm" and board.name not in TFLM_RAN | TFLM_IN_MODEL:
        return "no"
    ways = []
    if board.emulator is not None and (runtime == "compiled" or board.name in TFLM_RAN):
        qemu = board.emulator.kind == "qemu"
        ways.append(f"QEMU {board.emulator.machine}" if qemu else "process")  # type: ignore[union-attr]
    in_model = isinstance(board.clock, Stm32Clock)
    if in_model and (runtime == "compiled" or board.name in TFLM_IN_MODEL):
        ways.append("model")
    return ", ".join(ways) or "no"


def test_every_board_has_a_row_for_each_runtime() -> None:
    boards = {(board.name, runtime) for board in list_boards() for runtime in RUNTIMES}
    assert set(table()) == boards


@pytest.mark.parametrize("board", list_boards(), ids=lambda board: board.name)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_row_says_what_was_done(board: Board, runtime: str) -> None:
    row = table()[board.name, runtime]
    no_chip = board.hosted or board.platformio.brings_platform
    assert row["generated"] == "yes"
    assert row["compiled"] == compiled(board, runtime)
    assert row["emulated"] == emulated(board, runtime)
    flashed = runtime == "compiled" and board.name in FLASHED_TO_A_FAKE
    assert row["fake"] == ("—" if no_chip else "yes" if flashed else "no")
    assert row["hardware"] == ("—" if no_chip else "no"), "no board was at hand"


def test_the_page_on_memories_is_true() -> None:
    text = (ROOT / "docs/boards.md").read_text(encoding="utf-8")
    for board in list_boards():
        if isinstance(board.clock, Stm32Clock):
            row = next(
                line
                for line in text.splitlines()
                if f"`{board.name}`" in line and "flash |" in line
            )
            assert f"{board.region('arena').size >> 10} KiB" in row
