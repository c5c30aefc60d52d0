#!/usr/bin/env python3
"""Collect what PlatformIO and ST say about the boards that ship, for the tests to compare with.

    tools/board_facts.py --platforms CHECKOUT… --cmsis CHECKOUT… > tests/support/board_facts.json

The platforms are checkouts of platformio/platform-ststm32 and platform-espressif32, the others of
STMicroelectronics/cmsis_device_f4, _f7, _h7 and _l4. Only figures and names are taken over.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from edgemcu.board_schema import Board, Stm32SerialLine, Stm32Timer
from edgemcu.boards import list_boards

# A chip's header, by the beginning of its name.
HEADERS = {
    "stm32f405": "stm32f405xx.h",
    "stm32f411": "stm32f411xe.h",
    "stm32f446": "stm32f446xx.h",
    "stm32f746": "stm32f746xx.h",
    "stm32h743": "stm32h743xx.h",
    "stm32l475": "stm32l475xx.h",
    "stm32l4r5": "stm32l4r5xx.h",
}
# A board without a name of PlatformIO's own, and the one that it is meant to equal.
SAME_AS = {"stm32f405": "genericSTM32F405RG"}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--platforms", type=Path, nargs="+", required=True)
    parser.add_argument("--cmsis", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    facts: dict[str, Any] = {}
    for board in list_boards():
        if board.platformio.board is None or board.platformio.brings_platform:
            continue
        entry: dict[str, Any] = {"platformio": platformio(board, arguments.platforms)}
        if header := next((h for m, h in HEADERS.items() if board.mcu.startswith(m)), None):
            entry["chip"] = chip(board, find(arguments.cmsis, f"Include/{header}"))
        facts[board.name] = entry
    print(json.dumps(facts, indent=2, sort_keys=True))
    return 0


def find(folders: list[Path], name: str) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    sys.exit(f"board_facts: {name} is in none of {', '.join(map(str, folders))}")


def platformio(board: Board, platforms: list[Path]) -> dict[str, Any]:
    assert board.platformio.board is not None
    name = board.platformio.board.id or SAME_AS[board.name]
    known = json.loads(find(platforms, f"boards/{name}.json").read_text(encoding="utf-8"))
    build, upload = known["build"], known["upload"]
    return {
        "id": name,
        "mcu": build["mcu"],
        "cpu": build.get("cpu"),
        "f_cpu": int(build["f_cpu"].rstrip("L")),
        "flash": upload["maximum_size"],
        "ram": upload["maximum_ram_size"],
        "protocols": sorted(upload.get("protocols", [])),
        "frameworks": sorted(known["frameworks"]),
    }


def chip(board: Board, header: Path) -> dict[str, Any]:
    """Interrupts, and base address, interrupt and clock bit of the peripherals in use."""
    text = header.read_text(encoding="latin-1")
    interrupts = {
        name: int(number) for name, number in re.findall(r"^\s+(\w+)_IRQn\s*=\s*(\d+)", text, re.M)
    }
    bases = base_addresses(text)
    assert isinstance(board.serial, Stm32SerialLine) and isinstance(board.counter, Stm32Timer)
    serial = next(
        name
        for name, base in bases.items()
        if base == board.serial.base and re.fullmatch(r"(LP)?US?ART\d", name)
    )
    timer = next(
        name
        for name, base in bases.items()
        if base == board.counter.base and re.fullmatch(r"TIM\d+", name)
    )
    return {
        "header": header.name,
        "interrupts": max(interrupts.values()) + 1,
        "serial": {"name": serial, "irq": interrupts[serial], **enable(text, serial)},
        "counter": {"name": timer, **enable(text, timer)},
        "gpio": bases["GPIOA"],
        "rcc": bases["RCC"],
        "pwr": bases["PWR"],
        "flash_registers": bases.get("FLASH_R", 0),
    }


def base_addresses(text: str) -> dict[str, int]:
    """Every …_BASE, worked out from the sums that the header writes them as."""
    written = dict(re.findall(r"^#define\s+(\w+)\s+\(?([^/\n]*?)\)?\s*(?:/\*.*)?$", text, re.M))
    known: dict[str, int] = {}

    def value(expression: str) -> int:
        total = 0
        for term in expression.replace("(", " ").replace(")", " ").split("+"):
            word = term.strip().removesuffix("UL").removesuffix("U")
            if re.fullmatch(r"0[xX][0-9A-Fa-f]+", word):
                total += int(word, 16)
            else:
                total += value(written[word])
        return total

    for name, expression in written.items():
        if name.endswith("_BASE"):
            try:
                known[name.removesuffix("_BASE")] = value(expression)
            except KeyError:
                continue
    return known


def enable(text: str, peripheral: str) -> dict[str, Any]:
    """Which bit of which bus's register enables its clock."""
    match = re.search(rf"#define RCC_(\w+)_{peripheral}EN_Pos\s+\((\d+)U?\)", text)
    assert match is not None, peripheral
    return {"register": match[1], "bit": int(match[2])}


if __name__ == "__main__":
    sys.exit(main())
