"""STM32 firmwares from reset on, in models of their chips (tests/support/stm32_machine.py).

Test photos in flash are classified, so that nothing has to be received: start-up code, clock tree,
serial line and the network itself run as they would on the chip, at its addresses.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgemcu.board_schema import Stm32Clock
from edgemcu.boards import list_boards, load_board
from edgemcu.device.log import LogReader, LogRecord, LogStart
from edgemcu.firmware import generate_project
from edgemcu.firmware.pictures import Pictures
from edgemcu.platformio.build import build_project
from tests.emulator.test_flash_source import expected_outputs, photos
from tests.support.stm32_machine import Machine
from tests.support.tiny_classifier import tiny_classifier

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
    ),
]

BOARDS = [board.name for board in list_boards() if isinstance(board.clock, Stm32Clock)]
COUNT = 2


def build(name: str, folder: Path, old: str = "", new: str = "") -> Machine:
    """The board's chip with a firmware, one line of whose clock driver may be another."""
    board, model = load_board(name), folder / "tiny.tflite"
    model.write_bytes(tiny_classifier())
    pictures = Pictures("flash", COUNT, photos)
    project = generate_project(model, board, "compiled", folder / "out", pictures=pictures)
    clock = project.path / "src/clock.c"
    text = clock.read_text()
    assert old in text
    clock.write_text(text.replace(old, new, 1))
    return Machine(board, build_project(project.path, board).elf)


@pytest.mark.parametrize("name", BOARDS)
def test_it_starts_by_the_manual_and_gives_the_reference_s_bytes(name: str, tmp_path: Path) -> None:
    machine, board = build(name, tmp_path), load_board(name)

    def done(output: bytes) -> bool:
        return output.count(b" l 0000 ") > COUNT + 1

    output = machine.run(done)
    chip = machine.chip
    assert chip.violations == []
    assert chip.sysclk() == board.clock_hz == chip.highest
    assert isinstance(board.clock, Stm32Clock)
    assert chip.clocks()["apb1"] == board.clock.bus_hz("apb1")
    assert chip.clocks()["apb2"] == board.clock.bus_hz("apb2")
    events = LogReader().feed(output)
    start = next(event for event in events if isinstance(event, LogStart))
    assert start.identity.board == name
    assert start.identity.counter_hz > 0, "the firmware takes this for a chip, not an emulator"
    records = [event.outputs for event in events if isinstance(event, LogRecord)]
    expected = expected_outputs(tmp_path / "tiny.tflite", COUNT)
    assert records[: COUNT + 1] == [*expected, expected[0]]


# The board, a line of its clock driver, what is there instead, and what is noticed; "" where the
# driver itself sees that something did not happen.
MISTAKES = {
    "no over-drive": (
        *("nucleo-f446re", "PWR_CR |= PWR_ODSWEN;", ""),
        "",
    ),
    "no wait states": (
        *("stm32f405", "FLASH_ACR = ACR_ICEN_DCEN_PRFTEN | CLOCK_FLASH_WAIT_STATES;", ""),
        "",
    ),
    "no boost": ("nucleo-l4r5zi", "PWR_CR5 &= ~CR5_R1MODE;", "", "its limit is 80 MHz"),
    "boost in one step": ("nucleo-l4r5zi", "RCC_CFGR |= CFGR_HPRE_2;", "", "in one step"),
    "port G without supply": ("nucleo-l4r5zi", "PWR_CR2 |= CR2_IOSV;", "", "without its supply"),
    "no supply": (
        *("nucleo-h743zi", "PWR_CR3 = (PWR_CR3 & ~CR3_SUPPLY) | CR3_LDOEN;", ""),
        "",
    ),
    "buses undivided": ("nucleo-h743zi", "set_dividers(CLOCK_AHB, CLOCK_APB);", "", "apb1 runs at"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_clock_driver_is_noticed(mistake: str, tmp_path: Path) -> None:
    name, old, new, says = MISTAKES[mistake]
    machine = build(name, tmp_path, old, new)
    machine.run(lambda output: output.count(b"\n") > 2, instructions=20_000_000)
    if says:
        assert any(says in violation for violation in machine.chip.violations)
    else:
        assert machine.chip.sysclk() == machine.chip.hsi_hz
