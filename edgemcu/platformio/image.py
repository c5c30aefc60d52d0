"""What is written to a board's flash: files, and the address of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemcu.board_schema import Board, EspIdfStartup
from edgemcu.errors import FlashError

# ESP-IDF writes this file beside its images: {"flash_files": {"0x10000": "app.bin", …}, …}.
ESP_FILES = "flasher_args.json"

# Where the ROM of an ESP32-S3 expects the boot loader, and that the partition table.
_BOOTLOADER_AT, _PARTITIONS_AT = 0x0, 0x8000


@dataclass(frozen=True)
class Part:
    """A file and the address that it is written to."""

    address: int
    file: Path


@dataclass(frozen=True)
class Image:
    """All that is written at once.

    Attributes:
        parts: by address, ascending.
        elf: the linked program, where it is at hand.
    """

    parts: tuple[Part, ...]
    elf: Path | None = None

    @property
    def bytes(self) -> int:
        return sum(part.file.stat().st_size for part in self.parts)


def is_esp(board: Board) -> bool:
    """Whether the board's chip is flashed with esptool."""
    return isinstance(board.startup, EspIdfStartup)


def find_image(board: Board, folder: Path) -> Image:
    """The image in a build folder, or in a folder that it was copied to.

    Raises:
        FlashError: a file is missing, or says something impossible.
    """
    elf = folder / board.platformio.program
    if isinstance(board.startup, EspIdfStartup):
        parts = _esp_parts(board.startup, folder)
    else:
        name = f"{Path(board.platformio.program).stem}.bin"
        parts = [Part(board.region("code").origin, folder / name)]
    for part in parts:
        if not part.file.is_file():
            raise FlashError(
                f"the image lacks {part.file.name}",
                where=str(folder),
                hint="build it first: edgemcu build",
            )
    return Image(
        tuple(sorted(parts, key=lambda part: part.address)), elf if elf.is_file() else None
    )


def _esp_parts(startup: EspIdfStartup, folder: Path) -> list[Part]:
    # As PlatformIO calls what ESP-IDF builds.
    named = [
        Part(_BOOTLOADER_AT, folder / "bootloader.bin"),
        Part(_PARTITIONS_AT, folder / "partitions.bin"),
        Part(startup.application.offset, folder / "firmware.bin"),
    ]
    if all(part.file.is_file() for part in named) or not (folder / ESP_FILES).is_file():
        return named
    try:
        files: dict[str, Any] = json.loads((folder / ESP_FILES).read_text())["flash_files"]
        return [Part(int(address, 0), folder / str(name)) for address, name in files.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FlashError(
            f"does not say what is flashed where: {error!r}", where=str(folder / ESP_FILES)
        ) from None
