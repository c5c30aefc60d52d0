"""A board's data file as a whole, and what its tables must agree on."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from edgemcu.board_schema.chip import CONSTANT_ROLES, ROLES, Core, FixedClock, Memory, Role
from edgemcu.board_schema.cortex_m import CmsdkTimer, CmsdkUart, CortexMStartup, SseCounter
from edgemcu.board_schema.esp32 import (
    Camera,
    EspIdfStartup,
    EspTimer,
    EspUart,
    Psram,
    UsbSerialJtag,
)
from edgemcu.board_schema.hosted import HostedStartup, MonotonicClock, StdioSerial
from edgemcu.board_schema.serial_line import SerialLine, UsbId
from edgemcu.board_schema.stm32 import (
    Stm32Lpuart,
    Stm32SerialLine,
    Stm32Timer,
    Stm32Usart,
    Stm32UsartV2,
)
from edgemcu.board_schema.stm32_clock import (
    Stm32Clock,
    Stm32f4Clock,
    Stm32f7Clock,
    Stm32h7Clock,
    Stm32l4Clock,
)
from edgemcu.board_schema.tools import Kernels, Platformio, ProcessEmulator, QemuEmulator
from edgemcu.board_schema.values import Line, Token
from edgemcu.schema import Table

ESP32_CLOCKS = (80_000_000, 160_000_000, 240_000_000)


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
    startup: Annotated[
        CortexMStartup | EspIdfStartup | HostedStartup, Field(discriminator="driver")
    ]
    clock: (
        Annotated[
            FixedClock | Stm32f4Clock | Stm32f7Clock | Stm32h7Clock | Stm32l4Clock,
            Field(discriminator="driver"),
        ]
        | None
    ) = None
    memory: tuple[Memory, ...] = ()
    serial: Annotated[
        Stm32Usart | Stm32UsartV2 | Stm32Lpuart | CmsdkUart | EspUart | UsbSerialJtag | StdioSerial,
        Field(discriminator="driver"),
    ]
    counter: Annotated[
        Stm32Timer | CmsdkTimer | SseCounter | EspTimer | MonotonicClock,
        Field(discriminator="driver"),
    ]
    camera: Camera | None = None
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
        self._check_core()
        self._check_stm32()
        if isinstance(self.startup, EspIdfStartup):
            self._check_esp_idf(self.startup)
            return self
        if self.camera is not None:
            raise ValueError("camera: needs the startup driver esp-idf")
        if self.startup.caches and self.core.name != "cortex-m7":
            raise ValueError("startup.caches: are those of a cortex-m7")
        irq = getattr(self.serial, "irq", 0)
        if irq >= self.startup.interrupts:
            raise ValueError(
                f"serial.irq: is {irq}, but startup.interrupts is {self.startup.interrupts}"
            )
        return self

    def _check_core(self) -> None:
        for flag in self.core.flags:
            cpu = self.core.name.removesuffix("f")
            if flag.startswith("-mcpu=") and flag != f"-mcpu={cpu}":
                raise ValueError(f"core.flags: {flag} is not -mcpu={cpu}")

    def _check_stm32(self) -> None:
        clock, serial = self.clock, self.serial
        if isinstance(serial, Stm32SerialLine):
            if not isinstance(clock, Stm32Clock) or clock.driver not in serial.clocks:
                needed = " or ".join(serial.clocks)
                raise ValueError(f"clock.driver: {serial.driver} needs the clock driver {needed}")
            serial.check_clock(clock)
        if isinstance(self.counter, Stm32Timer) and not isinstance(clock, Stm32Clock):
            raise ValueError("clock.driver: stm32-timer needs the clock driver of an stm32")

    def _check_esp_idf(self, startup: EspIdfStartup) -> None:
        if self.platformio.framework != "espidf" or self.platformio.board is None:
            raise ValueError("platformio.framework: is espidf with the startup driver esp-idf")
        if not self.platformio.board.id:
            raise ValueError("platformio.board.id: is required with the startup driver esp-idf")
        if not isinstance(self.serial, EspUart | UsbSerialJtag):
            raise ValueError("serial.driver: esp-idf needs esp-uart or usb-serial-jtag")
        if not isinstance(self.counter, EspTimer):
            raise ValueError("counter.driver: esp-idf needs esp-timer")
        if self.clock_hz not in ESP32_CLOCKS:
            raise ValueError(f"clock.hz: is one of {', '.join(map(str, ESP32_CLOCKS))}")
        if self.region("code") != self.region("model"):
            raise ValueError("memory: one region holds code and model, the application's")
        if self.region("code").size != startup.application.size:
            raise ValueError(
                f"memory: {self.region('code').name} has {self.region('code').size} bytes, but the "
                f"application's partition {startup.application.size}"
            )

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
        assert not isinstance(self.startup, HostedStartup)
        if self.startup.stack >= self.region("stack").size:
            raise ValueError("startup.stack: is larger than the region that holds it")

    @property
    def hosted(self) -> bool:
        """Whether the firmware runs as a process, with no memory limits of its own."""
        return isinstance(self.startup, HostedStartup)

    @property
    def psram(self) -> Psram | None:
        """RAM outside of the chip, where there is one."""
        return self.startup.psram if isinstance(self.startup, EspIdfStartup) else None

    @property
    def stack_bytes(self) -> int:
        """RAM that is kept for the stack of what runs the model; 0 for a hosted board."""
        return 0 if isinstance(self.startup, HostedStartup) else self.startup.stack

    @property
    def clock_hz(self) -> int | None:
        return self.clock.hz if self.clock else None

    @property
    def usb(self) -> tuple[UsbId, ...]:
        """What its serial line is plugged in through; nothing for a hosted board."""
        return self.serial.usb if isinstance(self.serial, SerialLine) else ()

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
