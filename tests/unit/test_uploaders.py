"""Which program writes which board, with which command line, and what its failures mean.

PlatformIO itself runs here, with a platform whose upload only says what it was asked to do; the
tools of STM32 boards are judged by their command lines and by what they are known to print. Neither
has a board at its other end.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgemcu.board_schema import Board
from edgemcu.boards import list_boards, load_board
from edgemcu.errors import EdgemcuError, FlashError, ToolMissingError
from edgemcu.platformio.build import build_project
from edgemcu.platformio.core import CoreFolder, core_folder
from edgemcu.platformio.image import Image, Part, find_image
from edgemcu.platformio.upload import UploadFailed, upload
from edgemcu.platformio.uploaders import (
    Uploader,
    choose_uploader,
    direct_upload,
    over_serial,
    platformio_upload,
    upload_protocol,
)
from tests.support.firmware import write_stand_in

needs_arm = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)


FLASHED = [b.name for b in list_boards() if not (b.hosted or b.platformio.brings_platform)]


@pytest.fixture
def board() -> Board:
    return load_board("stm32f405")


@pytest.fixture
def image(tmp_path: Path) -> Image:
    file = tmp_path / "firmware.bin"
    file.write_bytes(bytes(1000))
    return Image((Part(0x0800_0000, file),))


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with openocd, dfu-util and stm32flash that do nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("openocd", "dfu-util", "stm32flash"):
        tool = folder / name
        tool.write_text("#!/bin/sh\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


# ---- Protocols ---------------------------------------------------------------------------------


def test_the_protocol_is_the_boards_first_or_one_that_it_knows(board: Board) -> None:
    assert upload_protocol(board, None) == "stlink"
    assert upload_protocol(board, "dfu") == "dfu"
    with pytest.raises(FlashError, match="not flashed by 'espota'") as error:
        upload_protocol(board, "espota")
    assert "stm32f405 knows: stlink, dfu" in str(error.value)
    assert [over_serial(name) for name in ("esptool", "serial", "stlink", "dfu")] == [
        True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["host", "mps2-an386"])
def test_a_board_that_nothing_is_uploaded_to(name: str) -> None:
    with pytest.raises(FlashError, match="nothing is known") as error:
        upload_protocol(load_board(name), None)
    assert "--emulator" in str(error.value)


# ---- Images ------------------------------------------------------------------------------------


def test_a_raw_image_lies_where_the_code_does(board: Board, tmp_path: Path) -> None:
    with pytest.raises(FlashError, match=r"lacks firmware\.bin"):
        find_image(board, tmp_path)
    (tmp_path / "firmware.bin").write_bytes(bytes(10))
    (tmp_path / "firmware.elf").touch()
    found = find_image(board, tmp_path)
    assert found.parts == (Part(0x0800_0000, tmp_path / "firmware.bin"),)
    assert found.elf == tmp_path / "firmware.elf" and found.bytes == 10


def test_an_image_of_esp_idf_says_what_lies_where(board: Board, tmp_path: Path) -> None:
    files = {"0x10000": "app.bin", "0x0": "bootloader/bootloader.bin", "0x8000": "table.bin"}
    (tmp_path / "flasher_args.json").write_text(json.dumps({"flash_files": files}))
    (tmp_path / "bootloader").mkdir()
    for name in files.values():
        (tmp_path / name).touch()
    parts = find_image(load_board("esp32s3"), tmp_path).parts
    assert [(part.address, part.file.name) for part in parts] == [
        (0x0, "bootloader.bin"), (0x8000, "table.bin"), (0x10000, "app.bin"),
    ]  # fmt: skip
    (tmp_path / "table.bin").unlink()
    with pytest.raises(FlashError, match=r"lacks table\.bin"):
        find_image(load_board("esp32s3"), tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"flash_files": 3}', '{"flash_files": {"x": "a"}}'])
def test_a_list_of_files_that_is_none(text: str, board: Board, tmp_path: Path) -> None:
    (tmp_path / "flasher_args.json").write_text(text)
    with pytest.raises(FlashError, match="does not say what is flashed where"):
        find_image(load_board("esp32s3"), tmp_path)


# ---- Command lines -----------------------------------------------------------------------------


def test_the_tools_of_an_stm32(board: Board, image: Image, tools: Path) -> None:
    file = str(image.parts[0].file)

    def command(protocol: str, port: str | None = None) -> list[str]:
        return list(direct_upload(board, image, protocol, port, None).command)

    assert command("stlink") == [
        *(str(tools / "openocd"), "-f", "interface/stlink.cfg", "-f", "target/stm32f4x.cfg"),
        *("-c", f"program {{{file}}} 0x8000000 verify reset exit"),
    ]
    assert "interface/jlink.cfg" in command("jlink")
    assert command("dfu") == [
        *(str(tools / "dfu-util"), "-d", "0483:df11", "-a", "0"),
        *("-s", "0x8000000:leave", "-D", file),
    ]
    assert command("serial", "/dev/ttyUSB0") == [
        *(str(tools / "stm32flash"), "-b", "115200", "-w", file, "-v", "-g", "0x8000000"),
        "/dev/ttyUSB0",
    ]
    with pytest.raises(FlashError, match="only PlatformIO's own upload speaks 'blackmagic'"):
        command("blackmagic")


@pytest.mark.parametrize("name", FLASHED)
def test_every_boards_default_has_a_tool_of_its_own(name: str, image: Image, tools: Path) -> None:
    board = load_board(name)
    protocol = upload_protocol(board, None)
    assert direct_upload(board, image, protocol, "/dev/ttyUSB0", None).command
    assert board.usb and board.platformio.board and board.platformio.board.recover


def test_a_tool_that_is_not_installed(
    board: Board, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissingError, match="openocd is not installed") as error:
        direct_upload(board, image, "stlink", None, None)
    assert "sudo apt-get install openocd" in str(error.value)
    assert 'pio pkg install -g -p "platformio/ststm32@^19.0.0"' in str(error.value)


def test_esptool_resets_the_chip_unless_the_line_cannot(board: Board, image: Image) -> None:
    command = direct_upload(
        load_board("esp32s3"), image, "esptool", "/dev/ttyACM0", 921_600
    ).command
    assert command[1:] == (
        *("-m", "esptool", "--chip", "esp32s3", "--port", "/dev/ttyACM0", "--baud", "921600"),
        *("--before", "default-reset", "--after", "hard-reset"),
        *("write-flash", "--flash-mode", "keep", "--flash-freq", "keep", "--flash-size", "keep"),
        *("0x8000000", str(image.parts[0].file)),
    )
    bridge = direct_upload(load_board("esp32s3"), image, "esptool", "socket://bridge:4000", None)
    assert "default-reset" not in bridge.command and not bridge.resets


@needs_arm
@pytest.mark.slow
def test_platformio_uploads_where_its_platform_is_installed(board: Board, tmp_path: Path) -> None:
    """PlatformIO runs with what flash asks for, and compiles nothing again."""
    project = write_stand_in(board, tmp_path / "project")
    built = build_project(project, board)
    core = tmp_path / "core"
    shutil.copytree(core_folder(board).path, core)
    with (core / "platforms/ststm32/builder/main.py").open("a") as builder:
        builder.write(
            'said = "UPLOAD $SOURCE $UPLOAD_PROTOCOL $UPLOAD_PORT $UPLOAD_SPEED"\n'
            'action = env.VerboseAction("echo " + said, "Uploading")\n'
            'AlwaysBuild(env.Alias("upload", image, action))\n'
        )
    image = find_image(board, built.elf.parent)
    before = built.elf.stat().st_mtime_ns
    for protocol, port, baud, says in (
        ("stlink", None, None, "firmware.bin stlink"),
        # A debug probe has a cable of its own: the port is where the firmware answers.
        ("stlink", "/dev/ttyUSB9", None, "firmware.bin stlink"),
        ("serial", "/dev/ttyUSB9", 57_600, "firmware.bin serial /dev/ttyUSB9 57600"),
    ):
        uploader = choose_uploader(
            project, board, CoreFolder(core, "installed", ""), image, protocol, port, baud
        )
        assert uploader.way == "platformio"
        log = tmp_path / "flash.log"
        upload(uploader, board, image, port=port, log=log, timeout_s=120)
        [said] = [line for line in log.read_text().splitlines() if line.startswith("UPLOAD ")]
        assert said.rstrip().endswith(says)
        assert "Compiling" not in log.read_text()
    assert built.elf.stat().st_mtime_ns == before
    assert build_project(project, board).skipped


@pytest.mark.parametrize(
    "text", ["no section\n", "[env:another]\n", "[a]\n[a]\n", "[a]\nb = \xe4\n"]
)
def test_an_edited_platformio_ini_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "platformio.ini").write_text(text, encoding="latin-1")
    core = CoreFolder(tmp_path, "installed", "")
    with pytest.raises(FlashError, match=r"platformio\.ini: cannot be read"):
        platformio_upload(tmp_path, load_board("stm32f405"), core, "stlink", None, None)


def test_without_the_platform_the_tool_itself_is_used(
    board: Board, image: Image, tools: Path
) -> None:
    for core in (None, CoreFolder(tools, "stand-in", "")):
        assert choose_uploader(tools, board, core, image, "dfu", None, None).way == "dfu-util"
    installed = CoreFolder(tools, "installed", "")
    # PlatformIO knows no ports of other computers.
    away = choose_uploader(tools, board, installed, image, "serial", "rfc2217://there:4000", None)
    assert away.way == "stm32flash"
    # An image from elsewhere has no project that PlatformIO could upload.
    assert choose_uploader(None, board, installed, image, "dfu", None, None).way == "dfu-util"


# ---- What failures mean ------------------------------------------------------------------------

# What a tool prints; whether another attempt may help; what the error says.
FAILURES = {
    "esptool, silence": (
        "A fatal error occurred: Failed to connect to ESP32-S3: No serial data received.",
        True,
        "boot loader does not answer",
    ),
    "esptool, wrong chip": (
        "A fatal error occurred: This chip is ESP32, not ESP32-S3. Wrong --chip argument?",
        False,
        "another chip is at this port",
    ),
    "esptool, MD5": (
        "A fatal error occurred: MD5 of file does not match data in flash!",
        True,
        "not what was written",
    ),
    "esptool, cable": (
        "serial.serialutil.SerialException: device reports readiness to read but returned no "
        "data (device disconnected or multiple access on port?)",
        True,
        "connection was lost",
    ),
    "busy": (
        "Could not exclusively lock port /dev/ttyUSB9: [Errno 11] Resource temporarily unavailable",
        False,
        "is in use",
    ),
    "permission": (
        "[Errno 13] could not open port /dev/ttyUSB9: [Errno 13] Permission denied",
        False,
        "you may not use this port",
    ),
    "openocd, no probe": ("Error: open failed\n** OpenOCD init failed **", False, "no debug probe"),
    "openocd, no J-Link": ("Error: No J-Link device found", False, "no debug probe"),
    "openocd, no target": (
        "Error: init mode failed (unable to connect to the target)",
        True,
        "does not reach the chip",
    ),
    "openocd, verify": ("** Verify Failed **", True, "not what was written"),
    "dfu-util, none": ("dfu-util: No DFU capable USB device available", False, "in DFU mode"),
    "dfu-util, udev": (
        "dfu-util: Cannot open DFU device 0483:df11 found on devnum 5 (LIBUSB_ERROR_ACCESS)",
        False,
        "udev rule",
    ),
    "stm32flash": ("Failed to init device, timeout.", True, "boot loader does not answer"),
    "PlatformIO, no network": ("HTTPClientError: ", False, "could not get its upload tool"),
    "anything else": ("something\n\nunheard of", True, "ended with status 3:\n    something"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failures_are_explained(case: str, board: Board, image: Image, tmp_path: Path) -> None:
    text, again, says = FAILURES[case]
    script = tmp_path / "tool.sh"
    script.write_text(f"cat <<'EOF'\n{text}\nEOF\nexit 3\n")
    uploader = Uploader("tool", "stlink", ("/bin/sh", str(script)))
    log = tmp_path / "folder" / "flash.log"
    with pytest.raises(UploadFailed) as failed:
        upload(uploader, board, image, port="/dev/ttyUSB9", log=log, timeout_s=10)
    error: EdgemcuError = failed.value.error
    assert says in str(error)
    assert failed.value.again is again
    assert text in log.read_text()
    if again:
        # What is done by hand comes from the board's file.
        assert "BOOT0" in str(error) and str(log) in str(error)
