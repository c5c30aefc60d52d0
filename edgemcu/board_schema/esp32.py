"""Drivers of ESP32 chips under ESP-IDF, and the tables that only they have.

Facts from ESP-IDF 5.5.3: the chip's memories and limits (components/esp_system/ld/esp32s3), its
settings (the components' Kconfig files), the partition table (components/partition_table).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgemcu.board_schema.serial_line import SerialLine
from edgemcu.board_schema.values import Address, Bytes, Hertz
from edgemcu.schema import Table

Gpio = Annotated[int, Field(strict=True, ge=-1, le=48)]
"""A pin's number; -1 where nothing is connected."""

FIRST_PARTITION = 0x9000
APP_ALIGNMENT = 0x10000
DATA_ALIGNMENT = 0x1000

_SUBTYPES = {
    "app": ("factory", "test"),
    "data": ("nvs", "phy", "coredump", "fat", "spiffs", "littlefs"),
}


class UsbSerialJtag(SerialLine):
    """[serial] over the chip's own USB Serial/JTAG controller, which ignores the baud rate."""

    driver: Literal["usb-serial-jtag"]


class EspUart(SerialLine):
    """[serial] over a UART of the chip, through ESP-IDF's driver.

    Attributes:
        port: the UART's number.
        tx, rx: pins.
    """

    driver: Literal["esp-uart"]
    port: Literal[0, 1] = 0
    tx: Gpio = 43
    rx: Gpio = 44


class EspTimer(Table):
    """[counter] on ESP-IDF's microsecond timer."""

    driver: Literal["esp-timer"]

    @property
    def hz(self) -> int:
        return 1_000_000


class SpiFlash(Table):
    """[startup.flash]: the flash chip.

    Attributes:
        size: bytes; what lies beyond is never touched.
        mode: how it is wired.
        hz: clock of its bus.
    """

    size: Literal["4 MiB", "8 MiB", "16 MiB", "32 MiB"]
    mode: Literal["qio", "dio"] = "qio"
    hz: Literal[40_000_000, 80_000_000] = 80_000_000

    @property
    def bytes(self) -> int:
        return int(self.size.split()[0]) << 20


class Partition(Table):
    """[[startup.partitions]]: a part of the flash, as partitions.csv lists it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,14}$")
    type: Literal["app", "data"]
    subtype: str
    offset: Address
    size: Bytes

    @model_validator(mode="after")
    def _valid(self) -> Partition:
        if self.subtype not in _SUBTYPES[self.type]:
            known = ", ".join(_SUBTYPES[self.type])
            raise ValueError(f"subtype {self.subtype!r} of {self.type!r} is not one of {known}")
        alignment = APP_ALIGNMENT if self.type == "app" else DATA_ALIGNMENT
        if self.offset % alignment:
            raise ValueError(f"offset of {self.name!r} is no multiple of {alignment:#x}")
        if self.size % DATA_ALIGNMENT:
            raise ValueError(f"size of {self.name!r} is no multiple of {DATA_ALIGNMENT:#x}")
        return self


class Psram(Table):
    """[startup.psram]: RAM outside of the chip, behind a cache; slower than the internal one.

    Attributes:
        mode: "quad" (R2 modules) or "octal" (R8, R16 modules).
        hz: clock of its bus.
    """

    size: Bytes
    mode: Literal["quad", "octal"]
    hz: Literal[40_000_000, 80_000_000] = 80_000_000


class EspIdfStartup(Table):
    """[startup] under ESP-IDF: boot loader, FreeRTOS, and one task for the sketch.

    Attributes:
        stack: bytes of the sketch's task, which also runs the model.
        watchdog_seconds: after so long without a sign of life the chip restarts.
        inference_seconds: an inference may take so long before that counts as none.
        flash: the flash chip.
        partitions: what it is divided into; exactly one is the application.
        psram: RAM outside of the chip, where there is one.
    """

    driver: Literal["esp-idf"]
    stack: Bytes = 8 * 1024
    watchdog_seconds: int = Field(default=10, strict=True, ge=1, le=60)
    inference_seconds: int = Field(default=120, strict=True, ge=1, le=3600)
    flash: SpiFlash
    partitions: tuple[Partition, ...] = Field(min_length=1)
    psram: Psram | None = None

    @model_validator(mode="after")
    def _laid_out(self) -> EspIdfStartup:
        if len({p.name for p in self.partitions}) != len(self.partitions):
            raise ValueError("two partitions have the same name")
        ordered = sorted(self.partitions, key=lambda p: p.offset)
        for before, after in pairwise(ordered):
            if before.offset + before.size > after.offset:
                raise ValueError(f"partitions {before.name} and {after.name} overlap")
        if ordered[0].offset < FIRST_PARTITION:
            raise ValueError(f"partition {ordered[0].name} begins below {FIRST_PARTITION:#x}")
        if ordered[-1].offset + ordered[-1].size > self.flash.bytes:
            raise ValueError(f"partition {ordered[-1].name} ends beyond {self.flash.size} of flash")
        if sum(p.subtype == "factory" for p in self.partitions) != 1:
            raise ValueError("exactly one partition must be the application (app, factory)")
        return self

    @property
    def application(self) -> Partition:
        return next(p for p in self.partitions if p.subtype == "factory")


class CameraPins(Table):
    """[camera.pins]: GPIO numbers, under the names of the sensor's data sheet."""

    pwdn: Gpio = -1
    reset: Gpio = -1
    xclk: Gpio
    sda: Gpio
    scl: Gpio
    d0: Gpio
    d1: Gpio
    d2: Gpio
    d3: Gpio
    d4: Gpio
    d5: Gpio
    d6: Gpio
    d7: Gpio
    vsync: Gpio
    href: Gpio
    pclk: Gpio

    @model_validator(mode="after")
    def _distinct(self) -> CameraPins:
        used = [(pin, name) for name, pin in self if pin >= 0]
        for (pin, name), (other, other_name) in pairwise(sorted(used)):
            if pin == other:
                raise ValueError(f"{name} and {other_name} are both on GPIO {pin}")
        missing = [name for name, pin in self if pin < 0 and name not in ("pwdn", "reset")]
        if missing:
            raise ValueError(f"{', '.join(missing)} must be connected")
        return self


class Camera(Table):
    """[camera]: a parallel sensor, driven by Espressif's component esp32-camera.

    Attributes:
        sensor: its type, for people: the driver finds out which one answers.
        xclk_hz: clock that the sensor gets.
        frame_size: what it captures; the model's crop and resize work on that.
    """

    sensor: Literal["ov2640", "ov3660", "ov5640"]
    xclk_hz: Hertz = 20_000_000
    frame_size: Literal["96x96", "qqvga", "240x240", "qvga", "vga"] = "240x240"
    pins: CameraPins

    @property
    def pixels(self) -> tuple[int, int]:
        """(width, height) of a captured picture."""
        return FRAME_SIZES[self.frame_size]


FRAME_SIZES = {
    "96x96": (96, 96),
    "qqvga": (160, 120),
    "240x240": (240, 240),
    "qvga": (320, 240),
    "vga": (640, 480),
}
