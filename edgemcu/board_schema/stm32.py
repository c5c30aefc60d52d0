"""Drivers of STM32 chips."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from edgemcu.board_schema.serial_line import SerialLine
from edgemcu.board_schema.values import Address, Bit, Hertz, Interrupt
from edgemcu.schema import Table


class Stm32f4Clock(Table):
    """[clock] of an STM32F4: its PLL. Limits from ST's RM0090 and the STM32F405 data sheet.

    hz = source_hz / m × n / p; when the PLL does not lock, the chip stays at its 16 MHz HSI.
    """

    driver: Literal["stm32f4-pll"]
    source: Literal["hsi", "hse"]
    source_hz: Hertz
    m: int = Field(strict=True, ge=2, le=63)
    n: int = Field(strict=True, ge=50, le=432)
    p: Literal[2, 4, 6, 8]
    apb1: Literal[1, 2, 4, 8, 16]
    apb2: Literal[1, 2, 4, 8, 16]
    flash_wait_states: int = Field(strict=True, ge=0, le=7)

    @model_validator(mode="after")
    def _within_limits(self) -> Stm32f4Clock:
        vco_in = Fraction(self.source_hz, self.m)
        limits = (
            ("source_hz / m", vco_in, 950_000, 2_100_000),
            ("source_hz / m × n", vco_in * self.n, 100_000_000, 432_000_000),
            ("source_hz / m × n / p", vco_in * self.n / self.p, 1_000_000, 168_000_000),
            ("the APB1 clock", Fraction(self.hz, self.apb1), 1_000_000, 42_000_000),
            ("the APB2 clock", Fraction(self.hz, self.apb2), 1_000_000, 84_000_000),
        )
        for what, value, low, high in limits:
            if not low <= value <= high:
                raise ValueError(f"{what} is {int(value)} Hz, allowed are {low} to {high} Hz")
        if self.source == "hsi" and self.source_hz != 16_000_000:
            raise ValueError("source_hz of the HSI is 16000000")
        return self

    @property
    def hz(self) -> int:
        return self.source_hz * self.n // (self.m * self.p)


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


class Stm32Usart(SerialLine):
    """[serial] on an STM32F2/F4 USART.

    Attributes:
        bus, enable_bit: which RCC register enables its clock, and which bit.
    """

    driver: Literal["stm32-usart"]
    base: Address
    irq: Interrupt
    bus: Literal["apb1", "apb2"]
    enable_bit: Bit
    tx: Pin
    rx: Pin
    alternate_function: int = Field(strict=True, ge=0, le=15)


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
