"""Images for ESP32-S3 boards: made by esptool from ELF files, taken apart, laid out in flash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from edgemcu.board_schema import EspIdfStartup
from edgemcu.boards import list_boards, load_board
from edgemcu.firmware.assemble import assemble
from edgemcu.platformio.elf import memory_use
from edgemcu.platformio.image import find_image
from tests.support.esp_image import (
    APP_AT,
    MARK,
    ParsedImage,
    elf_to_image,
    identity_text,
    partition_table,
    write_app,
    write_build,
    write_elf,
)
from tests.support.fake_esp import FakeBoard
from tests.support.firmware import APP, stand_in
from tests.unit.test_flash import IMAGE, MODEL, a_job, assert_flash_holds, ready

ESP = [board.name for board in list_boards() if isinstance(board.startup, EspIdfStartup)]
IDENTITY = identity_text("esp32s3", "ab" * 32, "0123456789abcdef")


def test_an_image_holds_what_the_program_does(tmp_path: Path) -> None:
    elf = write_app(tmp_path, IDENTITY)
    image = elf_to_image(elf, tmp_path / "firmware.bin", mode="qio", size="16MB")
    parsed = ParsedImage.parse(image.read_bytes())
    assert (parsed.chip, parsed.mode, parsed.size) == (9, 0, 4)
    with elf.open("rb") as stream:
        program = ELFFile(stream)
        sections = [s for s in program.iter_sections() if s["sh_addr"] and s["sh_size"]]
        assert len(sections) == 4
        for section in sections:
            data = section.data()
            # Of the application's description esptool fills the ELF file's digest in.
            if section.name == ".flash.appdesc":
                data = data[:144]
            assert parsed.at(section["sh_addr"], len(data)) == data, section.name
        assert parsed.entry == program["e_entry"]
    assert (MARK + IDENTITY.encode()) in image.read_bytes()


def test_the_same_program_gives_the_same_image(tmp_path: Path) -> None:
    elf = write_app(tmp_path, IDENTITY, weights=2000)
    first = elf_to_image(elf, tmp_path / "1.bin").read_bytes()
    assert elf_to_image(elf, tmp_path / "2.bin").read_bytes() == first
    done = subprocess.run(
        [sys.executable, "-m", "esptool", "image-info", str(tmp_path / "1.bin")],
        capture_output=True,
        text=True,
        check=False,
    )
    # Its exit status says nothing about that.
    assert "(valid)" in done.stdout and "invalid" not in done.stdout


def test_a_flipped_bit_is_seen(tmp_path: Path) -> None:
    image = elf_to_image(write_app(tmp_path, IDENTITY, weights=2000), tmp_path / "app.bin")
    data = bytearray(image.read_bytes())
    data[len(data) // 2] ^= 1
    with pytest.raises(AssertionError):
        ParsedImage.parse(bytes(data))


@pytest.mark.parametrize("name", ESP)
def test_parts_lie_where_the_generated_project_has_them(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    startup = board.startup
    assert isinstance(startup, EspIdfStartup)
    csv = assemble(board, stand_in(), APP)["partitions.csv"]
    parts = write_build(tmp_path, IDENTITY, weights=2000, table=csv)
    found = find_image(board, tmp_path)
    assert {part.address: part.file.read_bytes() for part in found.parts} == parts
    app = startup.application
    assert app.offset == APP_AT
    table = parts[0x8000]
    assert table == partition_table(csv)
    # The row of the application, in ESP-IDF's binary form.
    row = b"\xaa\x50\x00\x00" + app.offset.to_bytes(4, "little") + app.size.to_bytes(4, "little")
    assert row + app.name.encode() in table
    assert len(parts[APP_AT]) <= app.size
    assert len(parts[0]) <= 0x8000
    assert app.offset + app.size <= startup.flash.bytes


def table_of(board: str) -> bytes:
    return partition_table(assemble(load_board(board), stand_in(), APP)["partitions.csv"])


@pytest.mark.parametrize("name", ESP)
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
    table = table_of("esp32s3")
    (build / "partitions.bin").write_bytes(table)
    with FakeBoard() as fake:
        job = a_job(board, fake, tmp_path)
        job.answer(job.write(ready(board, build)))
        assert_flash_holds(fake, find_image(board, build))
        assert bytes(fake.flash[0x8000 : 0x8000 + len(table)]) == table


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
