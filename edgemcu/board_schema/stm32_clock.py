"""The clock trees of STM32 chips: PLL factors, and what comes out of them for each bus.

Every driver starts from an oscillator, divides it by `m`, multiplies it by `n`, divides it again.
Limits are those of a supply of 2.7 to 3.6 V in the chips' data sheets and reference manuals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from edgemcu.board_schema.values import Hertz
from edgemcu.schema import Table

Bus = Literal["apb1", "apb1-2", "apb2"]
Divider = Literal[1, 2, 4, 8, 16]
Range = tuple[str, Fraction | int, int, int]


def check_ranges(ranges: Sequence[Range]) -> None:
    """Raises: ValueError: (what, value, lowest, highest) where the value is outside, in Hz."""
    for what, value, low, high in ranges:
        if not low <= value <= high:
            raise ValueError(f"{what} is {int(value)} Hz, allowed are {low} to {high} Hz")


class Stm32Clock(Table):
    """What all of them have in common.

    Attributes:
        source: "hsi", the chip's own oscillator, right for any board; or "hse", a crystal.
        flash_wait_states: of the flash at the clock that comes out.
    """

    hsi_hz: ClassVar[int]
    buses: ClassVar[tuple[Bus, ...]]

    driver: str
    source: Literal["hsi", "hse"]
    source_hz: Hertz
    flash_wait_states: int = Field(strict=True, ge=0, le=15)

    @model_validator(mode="after")
    def _checked(self) -> Stm32Clock:
        if self.source == "hsi" and self.source_hz != self.hsi_hz:
            raise ValueError(f"source_hz of the HSI is {self.hsi_hz}")
        check_ranges(self.ranges())
        needed = self.needed_wait_states()
        if self.flash_wait_states < needed:
            raise ValueError(
                f"flash_wait_states is {self.flash_wait_states}, "
                f"at {self.flash_hz // 1_000_000} MHz the flash needs {needed}"
            )
        return self

    @property
    def hz(self) -> int:
        """The core's clock."""
        raise NotImplementedError

    @property
    def flash_hz(self) -> int:
        """The clock that the flash is read with."""
        return self.hz

    def bus_hz(self, bus: Bus) -> int:
        """The clock of the peripherals on a bus."""
        raise NotImplementedError

    def ranges(self) -> Sequence[Range]:
        """What must lie within limits: (what, Hz, lowest, highest)."""
        raise NotImplementedError

    def needed_wait_states(self) -> int:
        raise NotImplementedError


@dataclass(frozen=True)
class F4Series:
    """An STM32F4's limits.

    Attributes:
        max_hz, max_apb1_hz, max_apb2_hz: of the core and the buses.
        plain_hz: what the core reaches without over-drive.
        min_vco_hz: of the PLL; the highest is 432 MHz.
        vos: the voltage scale's field that the highest clock needs.
        wait_states: the highest clock for 0, 1, 2, … wait states.
    """

    max_hz: int
    max_apb1_hz: int
    max_apb2_hz: int
    plain_hz: int
    min_vco_hz: int
    vos: int
    wait_states: tuple[int, ...]


_MHZ = 1_000_000
_EVERY_30_MHZ = tuple(30 * _MHZ * n for n in range(1, 10))

# Data sheets DS9716 (F401), DS8626 (F405/F407), DS10314 (F411), DS9405 (F429), DS10693 (F446), and
# the table of wait states in RM0368, RM0090, RM0383 and RM0390.
F4_SERIES: dict[str, F4Series] = {
    "f401": F4Series(
        *(84 * _MHZ, 42 * _MHZ, 84 * _MHZ, 84 * _MHZ, 192 * _MHZ, 2),
        wait_states=(30 * _MHZ, 60 * _MHZ, 84 * _MHZ),
    ),
    "f405": F4Series(
        *(168 * _MHZ, 42 * _MHZ, 84 * _MHZ, 168 * _MHZ, 100 * _MHZ, 1), wait_states=_EVERY_30_MHZ
    ),
    "f411": F4Series(
        *(100 * _MHZ, 50 * _MHZ, 100 * _MHZ, 100 * _MHZ, 100 * _MHZ, 3),
        wait_states=(30 * _MHZ, 64 * _MHZ, 90 * _MHZ, 100 * _MHZ),
    ),
    "f429": F4Series(
        *(180 * _MHZ, 45 * _MHZ, 90 * _MHZ, 168 * _MHZ, 100 * _MHZ, 3), wait_states=_EVERY_30_MHZ
    ),
    "f446": F4Series(
        *(180 * _MHZ, 45 * _MHZ, 90 * _MHZ, 168 * _MHZ, 100 * _MHZ, 3), wait_states=_EVERY_30_MHZ
    ),
}
_F7 = F4Series(
    *(216 * _MHZ, 54 * _MHZ, 108 * _MHZ, 180 * _MHZ, 100 * _MHZ, 3), wait_states=_EVERY_30_MHZ
)


class _F4OrF7Clock(Stm32Clock):
    """hz = source_hz / m × n / p."""

    hsi_hz: ClassVar[int] = 16_000_000
    buses: ClassVar[tuple[Bus, ...]] = ("apb1", "apb2")

    m: int = Field(strict=True, ge=2, le=63)
    n: int = Field(strict=True, ge=50, le=432)
    p: Literal[2, 4, 6, 8]
    apb1: Divider
    apb2: Divider

    @property
    def limits(self) -> F4Series:
        raise NotImplementedError

    def ranges(self) -> Sequence[Range]:
        vco_in, limits = Fraction(self.source_hz, self.m), self.limits
        return (
            ("source_hz / m", vco_in, 950_000, 2_100_000),
            ("source_hz / m × n", vco_in * self.n, limits.min_vco_hz, 432_000_000),
            ("source_hz / m × n / p", vco_in * self.n / self.p, 1_000_000, limits.max_hz),
            ("the APB1 clock", Fraction(self.hz, self.apb1), 1_000_000, limits.max_apb1_hz),
            ("the APB2 clock", Fraction(self.hz, self.apb2), 1_000_000, limits.max_apb2_hz),
        )

    def needed_wait_states(self) -> int:
        return sum(self.hz > most for most in self.limits.wait_states)

    @property
    def hz(self) -> int:
        return self.source_hz * self.n // (self.m * self.p)

    def bus_hz(self, bus: Bus) -> int:
        return self.hz // (self.apb1 if bus == "apb1" else self.apb2)

    @property
    def overdrive(self) -> bool:
        """Whether the core needs a higher voltage than the scale alone gives."""
        return self.hz > self.limits.plain_hz

    @property
    def hz_without_overdrive(self) -> int:
        return self.limits.plain_hz

    @property
    def q(self) -> int:
        """The divider of the PLL's 48 MHz output: unused here, but it must stay within limits."""
        vco_hz = self.source_hz * self.n // self.m
        return min(15, max(2, math.ceil(vco_hz / 48_000_000)))


class Stm32f4Clock(_F4OrF7Clock):
    """[clock] of an STM32F4; when the PLL does not lock, the chip stays at its 16 MHz HSI.

    Attributes:
        series: whose limits count; "f405" is the F405, F407, F415 and F417, "f429" also the F427,
            F437, F439, F469 and F479.
    """

    driver: Literal["stm32f4-pll"]
    series: Literal["f401", "f405", "f411", "f429", "f446"] = "f405"

    @property
    def limits(self) -> F4Series:
        return F4_SERIES[self.series]


class Stm32f7Clock(_F4OrF7Clock):
    """[clock] of an STM32F7: as the F4's, with limits of the F74x (DS10916, RM0385)."""

    driver: Literal["stm32f7-pll"]

    @property
    def limits(self) -> F4Series:
        return _F7


class Stm32l4Clock(Stm32Clock):
    """[clock] of an STM32L4 or L4+: hz = source_hz / m × n / r.

    When the PLL does not lock, the chip stays at its 16 MHz HSI. Limits of range 1, from RM0351 and
    DS10969 (L4), RM0432 and DS12023 (L4+).

    Attributes:
        series: "l4", up to 80 MHz, or "l4plus", up to 120 MHz.
    """

    hsi_hz: ClassVar[int] = 16_000_000
    buses: ClassVar[tuple[Bus, ...]] = ("apb1", "apb1-2", "apb2")

    driver: Literal["stm32l4-pll"]
    series: Literal["l4", "l4plus"]
    m: int = Field(strict=True, ge=1, le=16)
    n: int = Field(strict=True, ge=8, le=127)
    r: Literal[2, 4, 6, 8]
    apb1: Divider
    apb2: Divider

    def ranges(self) -> Sequence[Range]:
        plus = self.series == "l4plus"
        if not plus and (self.m > 8 or self.n > 86):
            raise ValueError(f"an L4's m is at most 8 and its n at most 86 ({self.m} and {self.n})")
        highest = 120_000_000 if plus else 80_000_000
        vco_in = Fraction(self.source_hz, self.m)
        return (
            ("source_hz / m", vco_in, 2_660_000 if plus else 4_000_000, 16_000_000),
            ("source_hz / m × n", vco_in * self.n, 64_000_000, 344_000_000),
            ("source_hz / m × n / r", vco_in * self.n / self.r, 8_000_000, highest),
            ("the APB1 clock", Fraction(self.hz, self.apb1), 500_000, highest),
            ("the APB2 clock", Fraction(self.hz, self.apb2), 500_000, highest),
        )

    def needed_wait_states(self) -> int:
        step = 20_000_000 if self.series == "l4plus" else 16_000_000
        return -(-self.hz // step) - 1

    @property
    def hz(self) -> int:
        return self.source_hz * self.n // (self.m * self.r)

    def bus_hz(self, bus: Bus) -> int:
        return self.hz // (self.apb2 if bus == "apb2" else self.apb1)

    @property
    def boost(self) -> bool:
        """Whether the core needs the boost mode of range 1."""
        return self.hz > 80_000_000


class Stm32h7Clock(Stm32Clock):
    """[clock] of an STM32H742/743/750/753: hz = source_hz / m × n / p.

    When the PLL does not lock, the chip stays at its 64 MHz HSI. Limits of voltage scale 1, which
    every revision of the chip has, from RM0433 and DS12110.

    Attributes:
        ahb: divides the core's clock for AXI, AHB, SRAM and flash.
        apb: divides that once more, for all four peripheral buses.
    """

    hsi_hz: ClassVar[int] = 64_000_000
    buses: ClassVar[tuple[Bus, ...]] = ("apb1", "apb2")

    driver: Literal["stm32h7-pll"]
    m: int = Field(strict=True, ge=1, le=63)
    n: int = Field(strict=True, ge=4, le=512)
    p: int = Field(strict=True, ge=2, le=128, multiple_of=2)
    ahb: Divider
    apb: Divider

    def ranges(self) -> Sequence[Range]:
        vco_in = Fraction(self.source_hz, self.m)
        return (
            ("source_hz / m", vco_in, 2_000_000, 16_000_000),
            ("source_hz / m × n", vco_in * self.n, 192_000_000, 836_000_000),
            ("source_hz / m × n / p", vco_in * self.n / self.p, 1_500_000, 400_000_000),
            ("the AHB clock", Fraction(self.hz, self.ahb), 1_000_000, 200_000_000),
            ("the APB clock", Fraction(self.flash_hz, self.apb), 1_000_000, 100_000_000),
        )

    def needed_wait_states(self) -> int:
        return -(-self.flash_hz // 70_000_000) - 1

    @property
    def hz(self) -> int:
        return self.source_hz * self.n // (self.m * self.p)

    @property
    def flash_hz(self) -> int:
        return self.hz // self.ahb

    def bus_hz(self, bus: Bus) -> int:
        return self.flash_hz // self.apb

    @property
    def flash_delay(self) -> int:
        """WRHIGHFREQ: how long signals to the flash take to settle."""
        return sum(self.flash_hz > most for most in (70_000_000, 185_000_000))

    @property
    def input_range(self) -> int:
        """PLL1RGE: 1 to 2, 2 to 4, 4 to 8 or 8 to 16 MHz."""
        vco_in = Fraction(self.source_hz, self.m)
        return sum(vco_in >= low for low in (2_000_000, 4_000_000, 8_000_000))
