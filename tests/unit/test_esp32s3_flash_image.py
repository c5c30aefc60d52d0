"""ESP32-S3 images: made by esptool, read back, and flashed whole, the partition table included."""

from __future__ import annotations

import csv
import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from edgemcu.board_schema import EspIdfStartup
from edgemcu.boards import list_boards, load_board
from edgemcu.firmware.assemble import assemble
from edgemcu.platformio.elf import memory_use
from edgemcu.platformio.image import find_image
from tests.support.esp_image import elf_to_image, identity_text, write_app, write_build, write_elf
from tests.support.fake_esp import FakeBoard
from tests.support.firmware import APP, stand_in
from tests.unit.test_flash import IMAGE, MODEL, a_job, assert_flash_holds, ready

BOARDS = [b.name for b in list_boards() if isinstance(b.startup, EspIdfStartup)]
TABLE_BYTES = 0xC00
ROW = struct.Struct("<2sBBII16sI")
TYPES = {"app": 0, "data": 1}
SUBTYPES = {"factory": 0, "nvs": 2, "phy": 1}


def partition_table(text: str) -> bytes:
    """partitions.csv in the form that lies in flash: rows, an MD5 of them, erased bytes."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    rows = b""
    for name, kind, subtype, offset, size in csv.reader(lines, skipinitialspace=True):
        facts = (TYPES[kind], SUBTYPES[subtype], int(offset, 0), int(size, 0), name.encode(), 0)
        rows += ROW.pack(b"\xaa\x50", *facts)
    closed = rows + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(rows).digest()
    return closed.ljust(TABLE_BYTES, b"\xff")


def table_of(board: str) -> bytes:
    return partition_table(assemble(load_board(board), stand_in(), APP)["partitions.csv"])


def esptool(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "esptool", "--chip", "esp32s3", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_an_image_reads_back_whole(tmp_path: Path) -> None:
    image = elf_to_image(write_app(tmp_path, "board=esp32s3"), tmp_path / "firmware.bin")
    said = esptool("image-info", image)
    assert "Checksum" in said and "(valid)" in said and "invalid" not in said.lower()
    for address in ("0x3c000020", "0x42000020", "0x40378000"):
        assert address in said
    again = elf_to_image(tmp_path / "firmware.elf", tmp_path / "again.bin")
    assert again.read_bytes() == image.read_bytes()
    # That a damaged one is noticed is what makes this a check.
    damaged = bytearray(image.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged.bin").write_bytes(damaged)
    assert "invalid" in esptool("image-info", tmp_path / "damaged.bin").lower()


@pytest.mark.parametrize("name", BOARDS)
def test_partitions_lie_in_the_flash(name: str) -> None:
    board = load_board(name)
    assert isinstance(board.startup, EspIdfStartup)
    table = table_of(name)
    magic, kind, subtype, offset, size, label, _ = ROW.unpack_from(table)
    assert (magic, kind, subtype) == (b"\xaa\x50", 0, 0)
    assert (offset, label.rstrip(b"\0")) == (0x10000, b"app")
    assert offset + size == board.startup.flash.bytes
    assert board.flash_bytes == size


@pytest.mark.parametrize("name", BOARDS)
def test_the_table_is_what_esp_idf_makes_of_it(name: str, tmp_path: Path) -> None:
    checkout = os.environ.get("EDGEMCU_ESP_IDF")
    if not checkout:
        pytest.skip("EDGEMCU_ESP_IDF does not name a checkout of ESP-IDF")
    tool = Path(checkout, "components/partition_table/gen_esp32part.py")
    board = load_board(name)
    assert isinstance(board.startup, EspIdfStartup)
    source, made = tmp_path / "partitions.csv", tmp_path / "partitions.bin"
    source.write_text(assemble(board, stand_in(), APP)["partitions.csv"])
    size = f"{board.startup.flash.bytes >> 20}MB"
    command = [sys.executable, tool, "-q", "--flash-size", size, source, made]
    subprocess.run(command, check=True)
    assert made.read_bytes() == table_of(name)


@pytest.mark.slow
def test_all_of_it_is_flashed(tmp_path: Path) -> None:
    board = load_board("esp32s3")
    build = tmp_path / "build"
    write_build(build, identity_text("esp32s3", MODEL, IMAGE))
    (build / "partitions.bin").write_bytes(table_of("esp32s3"))
    with FakeBoard() as fake:
        job = a_job(board, fake, tmp_path)
        job.answer(job.write(ready(board, build)))
        assert_flash_holds(fake, find_image(board, build))
        assert bytes(fake.flash[0x8000 : 0x8000 + TABLE_BYTES]) == table_of("esp32s3")


def test_what_a_program_takes_of_each_memory(tmp_path: Path) -> None:
    elf = write_elf(
        tmp_path / "firmware.elf",
        {
            ".iram0.text": (0x4037_8000, bytes(1000)),
            ".dram0.dummy": (0x3FC8_8000, bytes(1000)),
            ".dram0.data": (0x3FC8_83E8, bytes(200)),
            ".flash.text": (0x4200_0020, bytes(3000)),
            ".flash_rodata_dummy": (0x3C00_0020, bytes(3000)),
            ".flash.rodata": (0x3C01_0020, bytes(500)),
        },
    )
    use = memory_use(elf, load_board("esp32s3"))
    assert use.regions == {"flash": 1000 + 200 + 3000 + 500, "sram": 1200}
    assert (use.flash_bytes, use.ram_bytes) == (4700, 1200)
