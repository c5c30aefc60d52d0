"""What a board is built with and computes with, and how it is emulated."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field, field_validator

from edgemcu.board_schema.values import Flag, Hertz, Line, Token
from edgemcu.schema import Table


class PlatformioBoard(Table):
    """[platformio.board]: what goes into the project's boards/NAME.json.

    Attributes:
        id: PlatformIO's own board of that name, in place of a file of the project's.
        upload: the upload protocols that PlatformIO offers for it, the default one first.
        debug: names that its debug tools know the chip by, such as openocd_target.
        recover: what a person does by hand after an upload that failed: buttons and jumpers that
            bring the chip into its boot loader.
    """

    id: Token | None = None
    vendor: Line
    url: Line
    upload: tuple[Token, ...] = ()
    debug: dict[Token, Token] = Field(default_factory=dict)
    recover: str = Field(default="", max_length=2000)

    @field_validator("recover")
    @classmethod
    def _trimmed(cls, recover: str) -> str:
        return recover.strip()


class Platformio(Table):
    """[platformio]: how PlatformIO builds for the board.

    Attributes:
        platform: as in platformio.ini; "symlink://platform" is a platform that the generated
            project brings along, for boards that the registry has none for.
        packages: `platform_packages` of platformio.ini.
        framework: `framework` of platformio.ini, for a board whose firmware is built on one.
        program: the file that comes out, in the environment's build folder.
        variants: further environments, by name: flags that are added to compiling and linking.
    """

    platform: Token
    packages: tuple[Token, ...] = ()
    framework: Literal["espidf"] | None = None
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
    tflm: Literal["reference", "cmsis-nn", "esp-nn"] = "reference"
