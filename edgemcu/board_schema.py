"""The schema of a board's data file.

A board says what its chip is, which memory holds what, which drivers its firmware needs and with
which registers, how PlatformIO builds for it and how it is emulated. What belongs to one driver
is in that driver's table only: `driver` says which one it is.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from edgemcu.schema import Table

_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_SIZE = re.compile(r"(\d{1,9}) ?(B|KiB|MiB)")
_ADDRESS_SPACE = 1 << 32


def _size(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError('sizes are whole numbers of bytes, or text such as "128 KiB" or "1 MiB"')
    return int(match[1]) * _UNITS[match[2]]


Bytes = Annotated[int, BeforeValidator(_size), Field(strict=True, gt=0, lt=_ADDRESS_SPACE)]
Address = Annotated[int, Field(strict=True, ge=0, lt=_ADDRESS_SPACE)]
Hertz = Annotated[int, Field(strict=True, gt=0, lt=10**10)]
Interrupt = Annotated[int, Field(strict=True, ge=0, lt=480)]
Bit = Annotated[int, Field(strict=True, ge=0, lt=32)]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+$")]
Flag = Annotated[str, Field(max_length=200, pattern=r"^-[A-Za-z0-9][A-Za-z0-9_=.,+:/-]*$")]
Token = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9_=.,@^~*<>:/+-]*$")]

CoreName = Literal["cortex-m3", "cortex-m4f", "cortex-m7", "cortex-m33", "cortex-m55", "native"]
Role = Literal["code", "model", "data", "arena", "stack"]
ROLES: tuple[Role, ...] = ("code", "model", "data", "arena", "stack")
CONSTANT_ROLES: tuple[Role, ...] = ("code", "model")


class Core(Table):
    """[core]: the processor, and how a compiler is told about it.

    Attributes:
        name: decides which kernels can be used.
        compiler: the C compiler's command.
        flags: machine flags, given to the compiler, the assembler and the linker alike.
    """

    name: CoreName
    compiler: Token
    flags: tuple[Flag, ...] = ()


class CortexMStartup(Table):
    """[startup] of a bare-metal Cortex-M: vector table, FPU, .data and .bss, fault handlers.

    Attributes:
        interrupts: external interrupts of the chip, the length of its vector table beyond 16.
        stack: bytes of RAM that are kept for the stack.
    """

    driver: Literal["cortex-m"]
    interrupts: int = Field(strict=True, ge=1, le=480)
    stack: Bytes = 8 * 1024


class HostedStartup(Table):
    """[startup] of a firmware that runs as a process of an operating system."""

    driver: Literal["hosted"]


class FixedClock(Table):
    """[clock] of a board that needs no set-up."""

    driver: Literal["fixed"]
    hz: Hertz


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


class Memory(Table):
    """[[memory]]: a region, and what the linker puts there."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    origin: Address
    size: Bytes
    holds: tuple[Role, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_address_space(self) -> Memory:
        if self.origin + self.size > _ADDRESS_SPACE:
            raise ValueError("origin + size is beyond 32 bits")
        return self


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


class _Serial(Table):
    baud: int = Field(default=115_200, strict=True, ge=1200, le=10_000_000)


class Stm32Usart(_Serial):
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


class CmsdkUart(_Serial):
    """[serial] on the UART of Arm's Cortex-M System Design Kit.

    Attributes:
        irq: its receive interrupt.
        hz: the clock that its baud rate is divided from.
    """

    driver: Literal["cmsdk-uart"]
    base: Address
    irq: Interrupt
    hz: Hertz


class StdioSerial(Table):
    """[serial] on stdin and stdout."""

    driver: Literal["stdio"]


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


class CmsdkTimer(Table):
    """[counter] on a 32-bit timer of Arm's Cortex-M System Design Kit."""

    driver: Literal["cmsdk-timer"]
    base: Address
    hz: Hertz


class SseCounter(Table):
    """[counter] on the system counter of Arm's SSE-300, read through one of its timers.

    Attributes:
        control, timer: base addresses of the counter's control frame and of the timer.
    """

    driver: Literal["sse-counter"]
    control: Address
    timer: Address
    hz: Hertz


class MonotonicClock(Table):
    """[counter] on POSIX's monotonic clock, in nanoseconds."""

    driver: Literal["clock-monotonic"]


class PlatformioBoard(Table):
    """[platformio.board]: what goes into the project's boards/NAME.json.

    Attributes:
        upload: the upload protocols that PlatformIO offers for it, the default one first.
        debug: names that its debug tools know the chip by, such as openocd_target.
    """

    vendor: Line
    url: Line
    upload: tuple[Token, ...] = ()
    debug: dict[Token, Token] = Field(default_factory=dict)


class Platformio(Table):
    """[platformio]: how PlatformIO builds for the board.

    Attributes:
        platform: as in platformio.ini; "symlink://platform" is a platform that the generated
            project brings along, for boards that the registry has none for.
        packages: `platform_packages` of platformio.ini.
        program: the file that comes out, in the environment's build folder.
        variants: further environments, by name: flags that are added to compiling and linking.
    """

    platform: Token
    packages: tuple[Token, ...] = ()
    program: str = Field(pattern=r"^[a-z]+(\.elf)?$")
    board: PlatformioBoard | None = None
    variants: dict[Token, tuple[Flag, ...]] = Field(default_factory=dict)

    @property
    def brings_platform(self) -> bool:
        return self.platform.startswith("symlink://")


class QemuEmulator(Table):
    """[emulator] in QEMU.

    Attributes:
        machine: QEMU's `-M`.
        icount_shift: one instruction takes 2**icount_shift nanoseconds of virtual time.
        counter_hz: ticks of the board's counter per second of virtual time.
        serial: which `-serial` of QEMU's command line is the board's serial line.
        arguments: anything else that the command line needs.
    """

    kind: Literal["qemu"]
    machine: Token
    icount_shift: int = Field(strict=True, ge=0, le=10)
    counter_hz: Hertz
    serial: int = Field(default=0, strict=True, ge=0, le=9)
    arguments: tuple[Line, ...] = ()

    @property
    def instructions_per_tick(self) -> Fraction:
        """instructions = ticks × this; exact, because virtual time follows instructions."""
        return Fraction(10**9, self.counter_hz << self.icount_shift)


class ProcessEmulator(Table):
    """[emulator] of a firmware that is a process itself: it is started, nothing else."""

    kind: Literal["process"]


class Kernels(Table):
    """[kernels]: what a board's firmware computes with, for each runtime.

    It is a promise: `verify` checks that the firmware on the board keeps it.

    Attributes:
        compiled: a kernel set of the compiled runtime (`edgemcu.compiler.kernels.targets`).
        tflm: the kernels that its TensorFlow Lite Micro library brings.
    """

    compiled: str = Field(default="portable", pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    tflm: Literal["reference", "cmsis-nn"] = "reference"


class Board(Table):
    """A board's data file.

    Attributes:
        name: the file's name without .toml.
        title: for people.
        mcu: the chip, as its vendor names it.
        notes: what a user of this board must know.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    title: Line
    mcu: Token
    notes: str = Field(default="", max_length=4000)
    core: Core
    startup: Annotated[CortexMStartup | HostedStartup, Field(discriminator="driver")]
    clock: Annotated[FixedClock | Stm32f4Clock, Field(discriminator="driver")] | None = None
    memory: tuple[Memory, ...] = ()
    serial: Annotated[Stm32Usart | CmsdkUart | StdioSerial, Field(discriminator="driver")]
    counter: Annotated[
        Stm32Timer | CmsdkTimer | SseCounter | MonotonicClock, Field(discriminator="driver")
    ]
    kernels: Kernels = Kernels()
    platformio: Platformio
    emulator: Annotated[QemuEmulator | ProcessEmulator, Field(discriminator="kind")] | None = None

    @field_validator("notes")
    @classmethod
    def _trimmed(cls, notes: str) -> str:
        return notes.strip()

    @model_validator(mode="after")
    def _consistent(self) -> Board:
        if isinstance(self.startup, HostedStartup):
            if self.memory:
                raise ValueError("memory: a hosted board has no memory map of its own")
            return self
        self._check_memory()
        if self.clock is None:
            raise ValueError("clock: is required on a board that is not hosted")
        if self.platformio.board is None:
            raise ValueError("platformio.board: is required on a board that is not hosted")
        needs_stm32_clock = isinstance(self.serial, Stm32Usart) or isinstance(
            self.counter, Stm32Timer
        )
        if needs_stm32_clock and not isinstance(self.clock, Stm32f4Clock):
            raise ValueError("clock.driver: stm32 drivers need the clock driver stm32f4-pll")
        irq = getattr(self.serial, "irq", 0)
        if irq >= self.startup.interrupts:
            raise ValueError(
                f"serial.irq: is {irq}, but startup.interrupts is {self.startup.interrupts}"
            )
        return self

    def _check_memory(self) -> None:
        for role in ROLES:
            holders = [region.name for region in self.memory if role in region.holds]
            if len(holders) != 1:
                found = " and ".join(holders) or "none does"
                raise ValueError(f"memory: exactly one region must hold {role!r} (found {found})")
        ordered = sorted(self.memory, key=lambda region: region.origin)
        for before, after in pairwise(ordered):
            if before.origin + before.size > after.origin:
                raise ValueError(f"memory: {before.name} and {after.name} overlap")
        if len({region.name for region in self.memory}) != len(self.memory):
            raise ValueError("memory: two regions have the same name")
        assert isinstance(self.startup, CortexMStartup)
        if self.startup.stack >= self.region("stack").size:
            raise ValueError("startup.stack: is larger than the region that holds it")

    @property
    def hosted(self) -> bool:
        """Whether the firmware runs as a process, with no memory limits of its own."""
        return isinstance(self.startup, HostedStartup)

    @property
    def clock_hz(self) -> int | None:
        return self.clock.hz if self.clock else None

    def region(self, role: Role) -> Memory:
        """The region that holds `role`; only for boards that are not hosted."""
        return next(region for region in self.memory if role in region.holds)

    @property
    def flash(self) -> tuple[Memory, ...]:
        """The regions for what is constant: code and model."""
        return tuple(r for r in self.memory if any(role in r.holds for role in CONSTANT_ROLES))

    @property
    def ram(self) -> tuple[Memory, ...]:
        """The regions for what changes, without those that hold code or model as well."""
        return tuple(r for r in self.memory if r not in self.flash)

    @property
    def flash_bytes(self) -> int | None:
        """The flash's size; None for a hosted board."""
        return sum(region.size for region in self.flash) or None

    @property
    def ram_bytes(self) -> int | None:
        """The RAM's size; None for a hosted board."""
        return sum(region.size for region in self.ram) or None

    def to_json(self) -> dict[str, Any]:
        facts = self.model_dump(mode="json", exclude_none=True)
        return {**facts, "flash_bytes": self.flash_bytes, "ram_bytes": self.ram_bytes}
