"""The boards that ship against what PlatformIO and ST say of them (tools/board_facts.py)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edgemcu.board_schema import CortexMStartup, Stm32SerialLine, Stm32Timer
from edgemcu.boards import list_boards, load_board
from edgemcu.firmware.assemble import assemble
from tests.support.firmware import APP, stand_in

FACTS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "support/board_facts.json").read_text()
)
CHIPS = [name for name, facts in FACTS.items() if "chip" in facts]
# PlatformIO counts only a part of these chips' RAM.
MORE_RAM = {"nucleo-h743zi", "b-l475e-iot01a"}
BUS = {
    "APB1ENR": "apb1",
    "APB1ENR1": "apb1",
    "APB1LENR": "apb1",
    "APB1ENR2": "apb1-2",
    "APB2ENR": "apb2",
}


def test_every_board_that_platformio_knows_has_its_facts() -> None:
    known = {
        board.name
        for board in list_boards()
        if board.platformio.board is not None and not board.platformio.brings_platform
    }
    assert known == set(FACTS)


@pytest.mark.parametrize("name", sorted(FACTS))
def test_platformio_says_the_same(name: str) -> None:
    board, facts = load_board(name), FACTS[name]["platformio"]
    own = board.platformio.board
    assert own is not None
    assert own.id in (facts["id"], None)
    assert facts["mcu"] in (board.mcu, board.mcu.split("-")[0])
    assert board.clock_hz == facts["f_cpu"]
    if board.platformio.framework is not None:
        assert board.platformio.framework in facts["frameworks"]
        return
    assert f"-mcpu={facts['cpu']}" in board.core.flags
    assert board.flash_bytes == facts["flash"]
    assert board.ram_bytes == facts["ram"] or name in MORE_RAM
    assert set(own.upload) <= set(facts["protocols"])


@pytest.mark.parametrize("name", CHIPS)
def test_the_chip_s_header_says_the_same(name: str) -> None:
    board, facts = load_board(name), FACTS[name]["chip"]
    assert isinstance(board.startup, CortexMStartup)
    assert board.startup.interrupts == facts["interrupts"]
    serial, counter = board.serial, board.counter
    assert isinstance(serial, Stm32SerialLine) and isinstance(counter, Stm32Timer)
    assert serial.irq == facts["serial"]["irq"]
    assert (serial.bus, serial.enable_bit) == (
        BUS[facts["serial"]["register"]],
        facts["serial"]["bit"],
    )
    assert serial.driver == "stm32-lpuart" or not facts["serial"]["name"].startswith("LP")
    # Of 32 bits, on APB1.
    assert facts["counter"]["name"] in ("TIM2", "TIM5")
    assert BUS[facts["counter"]["register"]] == "apb1"
    assert counter.enable_bit == facts["counter"]["bit"]


@pytest.mark.parametrize("name", CHIPS)
def test_the_drivers_find_the_chip_s_registers(name: str) -> None:
    files, facts = assemble(load_board(name), stand_in(), APP), FACTS[name]["chip"]
    clock, header = files["src/clock.c"], files["src/clock.h"]

    def address(pattern: str, text: str) -> int:
        found = re.search(pattern + r"\D*?(0x[0-9A-Fa-f]+)u", text)
        assert found is not None, pattern
        return int(found[1], 16)

    assert address(r"#define RCC_BASE", clock) == facts["rcc"]
    assert address(r"#define PWR_(?:BASE|CR)\b", clock) == facts["pwr"]
    assert address(r"#define FLASH_ACR", clock) == facts["flash_registers"]
    assert address(r"#define GPIO_BASE", header) == facts["gpio"]
