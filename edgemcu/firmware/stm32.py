"""What the STM32 drivers find in board.h, and where their registers lie."""

from __future__ import annotations

from typing import Any

from edgemcu.board_schema import (
    Stm32Clock,
    Stm32f4Clock,
    Stm32f7Clock,
    Stm32h7Clock,
    Stm32l4Clock,
    Stm32Lpuart,
    Stm32SerialLine,
)

Constants = list[tuple[str, str]]

_F4_F7_BUSES = (("GPIO", 0x30), ("APB1", 0x40), ("APB2", 0x44))
# driver of the clock → offsets in the RCC of what enables peripherals, and the first GPIO port
_REGISTERS: dict[str, tuple[tuple[tuple[str, int], ...], int]] = {
    "stm32f4-pll": (_F4_F7_BUSES, 0x40020000),
    "stm32f7-pll": (_F4_F7_BUSES, 0x40020000),
    "stm32h7-pll": ((("GPIO", 0xE0), ("APB1", 0xE8), ("APB2", 0xF0)), 0x58020000),
    "stm32l4-pll": (
        (("GPIO", 0x4C), ("APB1", 0x58), ("APB1_2", 0x5C), ("APB2", 0x60)),
        0x48000000,
    ),
}


def clock_context(clock: Stm32Clock) -> dict[str, Any]:
    """What the header of a clock driver is filled in with."""
    buses, gpio = _REGISTERS[clock.driver]
    return {"clock_buses": buses, "gpio_base": gpio, "hsi_hz": clock.hsi_hz}


def clock_constants(clock: Stm32Clock) -> tuple[str, Constants]:
    """The clock's heading and #defines in board.h."""
    values: dict[str, int]
    if isinstance(clock, (Stm32f4Clock, Stm32f7Clock)):
        last = "P"
        values = {"M": clock.m, "N": clock.n, "P": clock.p, "Q": clock.q}
        values |= {"APB1": clock.apb1, "APB2": clock.apb2, "VOS": clock.limits.vos}
    elif isinstance(clock, Stm32l4Clock):
        last = "R"
        values = {"M": clock.m, "N": clock.n, "R": clock.r}
        values |= {"APB1": clock.apb1, "APB2": clock.apb2}
    else:
        assert isinstance(clock, Stm32h7Clock)
        last = "P"
        values = {"M": clock.m, "N": clock.n, "P": clock.p, "INPUT_RANGE": clock.input_range}
        values |= {"AHB": clock.ahb, "APB": clock.apb, "FLASH_DELAY": clock.flash_delay}
    values = {"HZ": clock.hz, **values, "FLASH_WAIT_STATES": clock.flash_wait_states}
    heading = f"Clock: {clock.source.upper()} of {clock.source_hz} Hz / M x N / {last}"
    return heading, [(f"CLOCK_{name}", f"{value}u") for name, value in values.items()]


def serial_constants(serial: Stm32SerialLine) -> tuple[str, Constants]:
    """The serial line's heading and #defines in board.h, without those that all lines have."""
    tx, rx = serial.tx, serial.rx
    heading = f"Serial line: TX on P{tx.port}{tx.number}, RX on P{rx.port}{rx.number}"
    constants = [
        ("SERIAL_BUS", f"BUS_{serial.bus.upper().replace('-', '_')}"),
        ("SERIAL_ENABLE_BIT", f"{serial.enable_bit}u"),
        ("SERIAL_TX_PORT", _port(tx.port)),
        ("SERIAL_TX_PIN", f"{tx.number}u"),
        ("SERIAL_RX_PORT", _port(rx.port)),
        ("SERIAL_RX_PIN", f"{rx.number}u"),
        ("SERIAL_ALTERNATE_FUNCTION", f"{serial.alternate_function}u"),
    ]
    if serial.driver != "stm32-usart":
        constants.append(("SERIAL_BRR_UNITS", "256u" if isinstance(serial, Stm32Lpuart) else "1u"))
    return heading, constants


def _port(letter: str) -> str:
    return f"{ord(letter) - ord('A')}u"
