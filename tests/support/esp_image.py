"""ESP32-S3 images for tests, made by esptool from ELF files that are written here byte by byte."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgemcu.device.protocol import FAULT_LINE, MESSAGES

_XTENSA = 94
_IRAM, _DROM, _IROM = 0x4037_8000, 0x3C00_0020, 0x4200_0020
_APP_DESCRIPTION = struct.Struct("<IIII32s32s16s16s32s32s80x")
MARK = b"identity of the firmware:\n"

BOOTLOADER_AT, PARTITIONS_AT, APP_AT = 0x0, 0x8000, 0x10000


def write_elf(path: Path, sections: Mapping[str, tuple[int, bytes]]) -> Path:
    """A linked Xtensa program with these sections: name → (address, contents)."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in sections) + b".shstrtab\0"
    offset, headers, body = 52, [bytes(40)], b""
    for name, (address, data) in sections.items():
        flags = 6 if "text" in name else 2  # SHF_ALLOC, and SHF_EXECINSTR
        start = names.index(b"\0" + name.encode() + b"\0") + 1
        headers.append(_section(start, 1, flags, address, offset + len(body), len(data)))
        body += data + bytes(-len(data) % 4)
    start = names.index(b"\0.shstrtab\0") + 1
    headers.append(_section(start, 3, 0, 0, offset + len(body), len(names)))
    body += names + bytes(-len(names) % 4)
    entry = next(address for name, (address, _) in sections.items() if "text" in name)
    identity = b"\x7fELF\x01\x01\x01" + bytes(9)
    header = struct.pack(
        "<HHIIIIIHHHHHH",
        *(2, _XTENSA, 1, entry, 0, offset + len(body), 0, 52, 0, 0, 40),
        *(len(headers), len(headers) - 1),
    )
    path.write_bytes(identity + header + body + b"".join(headers))
    return path


def _section(name: int, kind: int, flags: int, address: int, offset: int, size: int) -> bytes:
    return struct.pack("<10I", name, kind, flags, address, offset, size, 0, 0, 4, 0)


def identity_text(board: str, model: str, image: str) -> str:
    """What a firmware says about itself, as in docs/protocol.md."""
    values = {
        **{"protocol": 1, "firmware": "test", "image": image, "board": board, "model": model},
        **{"runtime": "compiled", "kernels": "portable", "model_ok": 1, "input_bytes": 192},
        **{"output_bytes": 3, "pixels": 1, "arena_planned": 500, "arena_used": 500},
        **{"counter_hz": 240_000_000, "max_payload": 512, "window": 1024, "messages": MESSAGES},
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def write_app(folder: Path, identity: str, weights: int = 60_000) -> Path:
    """firmware.elf: a program whose constants hold `identity`, and bytes that do not compress."""
    description = _APP_DESCRIPTION.pack(
        *(0xABCD5432, 0, 0, 0, b"1", b"edgemcu", b"12:00:00", b"Jan  1 2026", b"v5.3", b"")
    )
    noise = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(weights // 32))
    return write_elf(
        folder / "firmware.elf",
        {
            ".iram0.text": (_IRAM, bytes(range(256)) * 4),
            ".flash.appdesc": (_DROM, description),
            ".flash.rodata": (
                _DROM + len(description),
                MARK + identity.encode() + b"\0" + FAULT_LINE.encode() + noise,
            ),
            ".flash.text": (_IROM, bytes(range(255, -1, -1)) * 32),
        },
    )


def elf_to_image(elf: Path, image: Path, mode: str = "dio", size: str = "8MB") -> Path:
    """The image that esptool makes of an ELF file for an ESP32-S3 with such a flash."""
    command = [sys.executable, "-m", "esptool", "--chip", "esp32s3", "elf2image"]
    command += ["--flash-mode", mode, "--flash-freq", "80m", "--flash-size", size]
    done = subprocess.run(
        [*command, "-o", str(image), str(elf)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return image


@dataclass(frozen=True)
class ParsedImage:
    """An application or boot loader image, taken apart as Espressif documents its format.

    Attributes:
        mode, size: of the flash, as the header has them: 0 QIO, 2 DIO; 2^size MiB.
        chip: 9 for an ESP32-S3.
        segments: load address → contents.
    """

    mode: int
    size: int
    chip: int
    entry: int
    segments: dict[int, bytes]

    @classmethod
    def parse(cls, data: bytes) -> ParsedImage:
        """Fails where the magic number, the checksum or the digest is wrong."""
        magic, count, mode, size_and_speed, entry = struct.unpack_from("<BBBBI", data)
        chip, digest_appended = struct.unpack_from("<H9xB", data, 12)
        assert magic == 0xE9 and digest_appended == 1
        offset, checksum = 24, 0xEF
        segments = {}
        for _ in range(count):
            address, length = struct.unpack_from("<II", data, offset)
            content = data[offset + 8 : offset + 8 + length]
            assert len(content) == length
            segments[address] = content
            for byte in content:
                checksum ^= byte
            offset += 8 + length
        end = (offset + 16) & ~15
        assert data[end - 1] == checksum
        assert data[end:] == hashlib.sha256(data[:end]).digest()
        return cls(mode, size_and_speed >> 4, chip, entry, segments)

    def at(self, address: int, size: int) -> bytes:
        """What lies at `address` once the image is loaded."""
        start, content = next(
            (start, content)
            for start, content in self.segments.items()
            if start <= address < start + len(content)
        )
        return content[address - start : address - start + size]


_TYPES = {"app": 0, "data": 1}
_SUBTYPES = {"factory": 0x00, "nvs": 0x02, "phy": 0x01, "spiffs": 0x82}


def partition_table(csv: str) -> bytes:
    """ESP-IDF's binary form of a partitions.csv, closed by its MD5."""
    rows = b""
    for line in csv.splitlines():
        if line.strip() and not line.startswith("#"):
            name, kind, subtype, offset, size = (word.strip() for word in line.split(","))
            rows += struct.pack(
                "<2sBBII16sI",
                *(b"\xaa\x50", _TYPES[kind], _SUBTYPES[subtype], int(offset, 0), int(size, 0)),
                *(name.encode(), 0),
            )
    rows += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(rows).digest()
    return rows + b"\xff" * (0xC00 - len(rows))


TABLE = "app, app, factory, 0x10000, 0x7F0000\n"


def write_build(
    folder: Path, identity: str, weights: int = 60_000, table: str = TABLE
) -> dict[int, bytes]:
    """What a build leaves in `folder`: ELF, boot loader, partition table, application.

    Args:
        table: partitions.csv.

    Returns:
        Address → the bytes that must lie there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    loader = write_elf(folder / "bootloader.elf", {".iram0.text": (_IRAM, bytes(2048))})
    elf_to_image(loader, folder / "bootloader.bin")
    loader.unlink()
    (folder / "partitions.bin").write_bytes(partition_table(table))
    elf_to_image(write_app(folder, identity, weights), folder / "firmware.bin")
    names = {BOOTLOADER_AT: "bootloader", PARTITIONS_AT: "partitions", APP_AT: "firmware"}
    return {address: (folder / f"{name}.bin").read_bytes() for address, name in names.items()}
