"""Peripherals of STM32 chips; their clocks are in `stm32_clock`."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from edgemcu.board_schema.serial_line import SerialLine
from edgemcu.board_schema.stm32_clock import Bus, Stm32Clock
from edgemcu.board_schema.values import Address, Bit, Interrupt
from edgemcu.schema import Table

# A byte is ten bits long: both ends together may be off by 5 %, and the oscillator by 1 %.
MAX_BAUD_ERROR = Fraction(2, 100)


class Stm32Pin(Table):
    """A pin such as "PA9", and the alternate function that connects it."""

    port: str = Field(pattern=r"^[A-I]$")
    number: int = Field(ge=0, le=15)


def _pin(value: Any) -> Any:
    match = re.fullmatch(r"P([A-I])(\d|1[0-5])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("pins are named PA0 to PI15")
    return {"port": match[1], "number": int(match[2])}


Pin = Annotated[Stm32Pin, BeforeValidator(_pin)]


class Stm32SerialLine(SerialLine):
    """[serial] on a USART.

    Attributes:
        bus, enable_bit: which RCC register enables its clock, and which bit; "apb1-2" is the second
            register of APB1 where there are two.
        tx, rx: its pins, and the `alternate_function` that connects them to it.
    """

    driver: str
    base: Address
    irq: Interrupt
    bus: Bus
    enable_bit: Bit
    tx: Pin
    rx: Pin
    alternate_function: int = Field(strict=True, ge=0, le=15)

    # The clock of a bit is counted in units of 1 / this.
    units: ClassVar[int] = 1
    divisors: ClassVar[tuple[int, int]] = (16, 0xFFFF)
    clocks: ClassVar[tuple[str, ...]]

    def check_clock(self, clock: Stm32Clock) -> None:
        """See whether the line can be had from a clock tree.

        Raises:
            ValueError: this chip has no such bus, or its clock is not good for the baud rate.
        """
        if self.bus not in clock.buses:
            raise ValueError(f"serial.bus: must be one of {', '.join(clock.buses)}")
        hz = clock.bus_hz(self.bus)
        divisor = round(Fraction(hz * self.units, self.baud))
        low, high = self.divisors
        error = abs(Fraction(hz * self.units, max(divisor, 1)) / self.baud - 1)
        if not low <= divisor <= high or error > MAX_BAUD_ERROR:
            raise ValueError(
                f"serial.baud: {self.baud} baud cannot be made from a bus clock of {hz} Hz "
                f"within {float(MAX_BAUD_ERROR):.0%}"
            )


class Stm32Usart(Stm32SerialLine):
    """[serial] on an STM32F2/F4 USART."""

    driver: Literal["stm32-usart"]
    clocks: ClassVar[tuple[str, ...]] = ("stm32f4-pll",)


class Stm32UsartV2(Stm32SerialLine):
    """[serial] on a USART of the STM32F7, H7 and L4."""

    driver: Literal["stm32-usart-v2"]
    clocks: ClassVar[tuple[str, ...]] = ("stm32f7-pll", "stm32h7-pll", "stm32l4-pll")


class Stm32Lpuart(Stm32SerialLine):
    """[serial] on an LPUART of the STM32L4."""

    driver: Literal["stm32-lpuart"]
    clocks: ClassVar[tuple[str, ...]] = ("stm32l4-pll",)
    units: ClassVar[int] = 256
    divisors: ClassVar[tuple[int, int]] = (0x300, 0xFFFFF)


class Stm32Timer(Table):
    """[counter] on a 32-bit STM32 timer (TIM2, TIM5) of APB1.

    Attributes:
        prescaler: clocks of the timer per tick; more than one, so that the longest inference does
            not wrap the counter.
    """

    driver: Literal["stm32-timer"]
    base: Address
    enable_bit: Bit
    prescaler: int = Field(strict=True, ge=1, le=65_536)
