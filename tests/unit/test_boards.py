"""Boards are data: what ships is valid, and what is wrong in a file is said by file, key, value."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from edgemcu.board_schema import Stm32Clock
from edgemcu.boards import list_boards, load_board
from edgemcu.errors import BoardError
from edgemcu.shipped import shipped

SHIPPED = sorted(path.stem for path in shipped("boards").glob("*.toml"))


def text_of(board: str) -> str:
    return (shipped("boards") / f"{board}.toml").read_text()


def put(folder: Path, name: str, text: str) -> Path:
    (folder / "boards").mkdir(exist_ok=True)
    (folder / "boards" / f"{name}.toml").write_text(text)
    return folder


def test_all_shipped_boards_are_valid() -> None:
    assert [board.name for board in list_boards()] == SHIPPED


def test_memory_of_the_default_board() -> None:
    board = load_board("stm32f405")
    assert (board.flash_bytes, board.ram_bytes) == (1 << 20, 128 << 10)
    assert board.clock_hz == 168_000_000
    assert board.region("arena").name == "ram"


def test_a_hosted_board_has_no_limits() -> None:
    board = load_board("host")
    assert board.hosted
    assert (board.flash_bytes, board.ram_bytes, board.clock_hz) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stm32f405", Fraction(1)),
        ("mps2-an386", Fraction(5, 4)),
        ("mps3-an547", Fraction(1000, 1024)),
    ],
)
def test_instructions_per_tick_are_exact(name: str, expected: Fraction) -> None:
    emulator = load_board(name).emulator
    assert emulator is not None and emulator.kind == "qemu"
    assert emulator.instructions_per_tick == expected


def test_a_board_of_the_project_works_like_a_shipped_one(tmp_path: Path) -> None:
    text = text_of("stm32f405").replace('"stm32f405"', '"my-board"').replace("128 KiB", "192 KiB")
    board = load_board("my-board", put(tmp_path, "my-board", text))
    assert board.ram_bytes == 192 << 10
    assert "my-board" in [known.name for known in list_boards(tmp_path)]


def test_a_board_of_the_project_replaces_a_shipped_one(tmp_path: Path) -> None:
    text = text_of("stm32f405").replace('"1 MiB"', '"512 KiB"')
    assert load_board("stm32f405", put(tmp_path, "stm32f405", text)).flash_bytes == 512 << 10


def test_an_unknown_board_names_the_closest_and_all() -> None:
    with pytest.raises(BoardError) as error:
        load_board("stm32f450")
    assert "did you mean 'stm32f405'?" in str(error.value)
    assert all(name in str(error.value) for name in SHIPPED)


def test_json_is_plain_data() -> None:
    facts = load_board("stm32f405").to_json()
    assert facts["flash_bytes"] == 1 << 20
    assert facts["serial"]["driver"] == "stm32-usart"


# What is changed in stm32f405.toml, the key that the error names, and what else it says.
INVALID = {
    "not TOML": ("[core]", "[core", "not valid TOML", ""),
    "misspelt key": ("interrupts = 82", "interupts = 82", "startup.interupts", "interrupts"),
    "unknown table": ("[counter]", "[conter]", "conter", "counter"),
    "missing key": ("machine = ", "# machine = ", "emulator.machine", "required"),
    "name of another file": ('name = "stm32f405"', 'name = "other"', "name", "other"),
    "name with a slash": ('name = "stm32f405"', 'name = "a/b"', "name", "a/b"),
    "unknown core": ('name = "cortex-m4f"', 'name = "cortex-m4x"', "core.name", "cortex-m4f"),
    "flag that is none": ('"-mthumb"', '"; rm -rf /"', "core.flags", "rm -rf"),
    "unknown driver": ('driver = "stm32-usart"', 'driver = "uart"', "serial", "stm32-usart"),
    "key of another driver": ("irq = 37", "irq = 37\nhz = 1000", "serial.hz", "unknown key"),
    "size in another unit": ('"128 KiB"', '"128 kB"', "memory.1.size", "128 kB"),
    "negative size": ('"128 KiB"', "-5", "memory.1.size", "-5"),
    "beyond 32 bits": ("origin = 0x20000000", "origin = 0xFFFFFF00", "memory", "32 bits"),
    "overlap": ("origin = 0x20000000", "origin = 0x08000100", "memory", "overlap"),
    "role held twice": ('["code", "model"]', '["code", "model", "arena"]', "memory", "'arena'"),
    "role held by none": ('"arena", ', "", "memory", "'arena'"),
    "stack without room": ('stack = "8 KiB"', 'stack = "128 KiB"', "startup.stack", "larger"),
    "interrupt beyond the table": ("irq = 37", "irq = 99", "serial.irq", "82"),
    "interrupt as text": ("irq = 37", 'irq = "37"', "serial.irq", "'37'"),
    "pin that is none": ('"PA9"', '"PA16"', "serial.tx", "PA16"),
    "PLL beyond its limits": ("n = 168", "n = 400", "clock", "432000000"),
    "bus beyond its limits": ("apb1 = 4", "apb1 = 2", "clock", "42000000"),
    "drivers without their clock": (
        re.compile(r"\[clock\].*?\n\n", re.S),
        '[clock]\ndriver = "fixed"\nhz = 16_000_000\n\n',
        "clock.driver",
        "stm32f4-pll",
    ),
    "no clock": (re.compile(r"\[clock\].*?\n\n", re.S), "", "clock", "required"),
    "shift of icount": ("icount_shift = 3", "icount_shift = 33", "emulator.icount_shift", "33"),
    "USB id beyond 16 bits": ("vid = 0x0403", "vid = 0x10403", "serial.usb.0.vid", "66563"),
    "USB id as text": ("pid = 0x6001", 'pid = "6001"', "serial.usb.0.pid", "'6001'"),
    "the same USB id twice": (
        "vid = 0x0403, pid = 0x6001",
        "vid = 0x1a86, pid = 0x7523",
        "serial.usb",
        "same vid and pid",
    ),
    "program that leaves the folder": ('"firmware.elf"', '"../x"', "platformio.program", "../x"),
}


@pytest.mark.parametrize("case", INVALID)
def test_what_is_wrong_is_named(case: str, tmp_path: Path) -> None:
    old, new, key, says = INVALID[case]
    valid = text_of("stm32f405")
    text = old.sub(new, valid) if isinstance(old, re.Pattern) else valid.replace(old, new, 1)
    assert text != valid
    with pytest.raises(BoardError) as error:
        load_board("stm32f405", put(tmp_path, "stm32f405", text))
    message = str(error.value)
    assert str(tmp_path / "boards" / "stm32f405.toml") in message
    assert key in message
    assert says in message


# ---- STM32 clock trees -----------------------------------------------------------------------

# The board, what is changed in it, and what the error says.
CLOCKS = {
    "an F446 beyond 180 MHz": ("nucleo-f446re", "n = 180", "n = 184", "184000000 Hz"),
    "an F411 beyond 100 MHz": ("blackpill-f411ce", "n = 100", "n = 110", "110000000 Hz"),
    "an F446 as an F405": ("nucleo-f446re", 'series = "f446"', "", "180000000 Hz"),
    "too few wait states": ("nucleo-f446re", "wait_states = 5", "wait_states = 4", "needs 5"),
    "an F411's wait states": ("blackpill-f411ce", "wait_states = 3", "wait_states = 2", "needs 3"),
    "an F7's APB1": ("disco-f746ng", "apb1 = 4", "apb1 = 2", "108000000 Hz"),
    "an F7's wait states": ("disco-f746ng", "wait_states = 7", "wait_states = 6", "needs 7"),
    "an H7's PLL": ("nucleo-h743zi", "n = 100", "n = 110", "880000000 Hz"),
    "an H7's odd divider": ("nucleo-h743zi", "p = 2", "p = 3", "clock.p"),
    "an H7's AHB": ("nucleo-h743zi", "ahb = 2", "ahb = 1", "400000000 Hz"),
    "an H7's APB": ("nucleo-h743zi", "apb = 2", "apb = 1", "200000000 Hz"),
    "an H7's wait states": ("nucleo-h743zi", "wait_states = 2", "wait_states = 1", "needs 2"),
    "an H7's oscillator": ("nucleo-h743zi", "64_000_000", "16_000_000", "HSI is 64000000"),
    "an L4 that is an L4+": ("nucleo-l4r5zi", '"l4plus"', '"l4"', "120000000 Hz"),
    "an L4+ beyond 120 MHz": ("nucleo-l4r5zi", "n = 30", "n = 32", "128000000 Hz"),
    "an L4's factors": ("b-l475e-iot01a", "n = 10", "n = 90", "at most 86"),
    "an L4's wait states": ("b-l475e-iot01a", "wait_states = 4", "wait_states = 3", "needs 4"),
    "a bus that a chip lacks": ("nucleo-h743zi", '"apb1"', '"apb1-2"', "apb1, apb2"),
    "another family's line": ("nucleo-h743zi", "usart-v2", "usart", "stm32f4-pll"),
    "too high a baud rate": ("stm32f405", "irq = 37", "irq = 37\nbaud = 9000000", "9000000 baud"),
    "an LPUART's lowest": ("nucleo-l4r5zi", "irq = 70", "irq = 70\nbaud = 9600", "9600 baud"),
    "caches of a core without": ("stm32f405", 'stack = "8 KiB"', "caches = true", "cortex-m7"),
    "flags of another core": ("stm32f405", "-mcpu=cortex-m4", "-mcpu=cortex-m7", "core.flags"),
}


@pytest.mark.parametrize("case", CLOCKS)
def test_what_a_chip_cannot_do_is_refused(case: str, tmp_path: Path) -> None:
    name, old, new, says = CLOCKS[case]
    valid = text_of(name)
    text = valid.replace(old, new, 1)
    assert text != valid
    with pytest.raises(BoardError) as error:
        load_board(name, put(tmp_path, name, text))
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("name", "hz", "apb1", "apb2"),
    [
        ("stm32f405", 168, 42, 84),
        ("nucleo-f446re", 180, 45, 90),
        ("blackpill-f411ce", 100, 50, 100),
        ("disco-f746ng", 216, 54, 108),
        ("nucleo-h743zi", 400, 100, 100),
        ("nucleo-l4r5zi", 120, 120, 120),
        ("b-l475e-iot01a", 80, 80, 80),
    ],
)
def test_clocks_of_the_boards_that_ship(name: str, hz: int, apb1: int, apb2: int) -> None:
    clock = load_board(name).clock
    assert isinstance(clock, Stm32Clock)
    clocks = (clock.hz, clock.bus_hz("apb1"), clock.bus_hz("apb2"))
    assert clocks == tuple(mhz * 1_000_000 for mhz in (hz, apb1, apb2))
