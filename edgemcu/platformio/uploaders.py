"""Which program writes a board's flash, and its command line.

PlatformIO's own upload is used where its platform is installed. Elsewhere the same tools that it
would call can be called directly, if this computer has them: esptool comes with edgemcu.
"""

from __future__ import annotations

import configparser
import io
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgemcu.artefacts import write_text
from edgemcu.board_schema import Board
from edgemcu.errors import FlashError, ToolMissingError
from edgemcu.platformio.build import platformio_environment
from edgemcu.platformio.core import CoreFolder
from edgemcu.platformio.image import Image, is_esp
from edgemcu.platformio.process import python_module

ESPTOOL_BAUD = 460_800
STM32FLASH_BAUD = 115_200
UPLOAD_INI = "upload.ini"

# The upload protocols that go over the serial line itself; the others have a cable of their own.
_OVER_SERIAL = {"esptool", "serial"}

# Upload protocol → OpenOCD's name of the probe.
_PROBES = {"stlink": "stlink", "jlink": "jlink", "cmsis-dap": "cmsis-dap"}


@dataclass(frozen=True)
class Uploader:
    """A program that writes an image.

    Attributes:
        way: "platformio", or the tool's own name: "esptool", "openocd", "dfu-util", "stm32flash".
        protocol: the upload protocol, by PlatformIO's name.
        command: the program and its arguments.
        environment: its environment variables; None for this process' own.
        resets: whether the firmware runs afterwards without a hand on the board.
    """

    way: str
    protocol: str
    command: tuple[str, ...]
    environment: Mapping[str, str] | None = None
    resets: bool = True


def upload_protocol(board: Board, wanted: str | None) -> str:
    """The protocol to upload with: `wanted`, or the board's first.

    Raises:
        FlashError: the board knows no such protocol, or none at all.
    """
    known = board.platformio.board.upload if board.platformio.board is not None else ()
    if not known and not is_esp(board):
        raise FlashError(
            "nothing is known about how to flash this board",
            where=board.name,
            hint="an emulated one runs with --emulator; for another, its board file lists "
            "protocols in platformio.board.upload",
        )
    known = known or ("esptool",)
    if wanted is None:
        return known[0]
    if wanted not in known:
        raise FlashError(
            f"this board is not flashed by {wanted!r}",
            where="--protocol",
            hint=f"{board.name} knows: {', '.join(known)}",
        )
    return wanted


def over_serial(protocol: str) -> bool:
    """Whether the firmware goes through the board's serial port."""
    return protocol in _OVER_SERIAL


def platformio_upload(
    project: Path,
    board: Board,
    core: CoreFolder,
    protocol: str,
    port: str | None,
    baud: int | None,
) -> Uploader:
    """PlatformIO's upload of a project that has been built."""
    settings = {"upload_protocol": protocol} | ({"upload_speed": str(baud)} if baud else {})
    command = python_module(
        "platformio",
        # With a settings file of its own PlatformIO would take the build for out of date.
        *("run", "--disable-auto-clean", "-d", str(project)),
        *("-c", str(_with_settings(project, board.name, settings))),
        *("-e", board.name, "-t", "upload"),
        *(("--upload-port", port) if port and over_serial(protocol) else ()),
    )
    return Uploader("platformio", protocol, tuple(command), platformio_environment(core))


def _with_settings(project: Path, environment: str, settings: Mapping[str, str]) -> Path:
    """The project's platformio.ini with other upload settings, beside its build folders.

    Raises:
        FlashError: it cannot be read: somebody has edited it.
    """
    ini = configparser.ConfigParser(interpolation=None)
    original = project / "platformio.ini"
    try:
        ini.read(original, encoding="utf-8")
        for key, value in settings.items():
            ini.set(f"env:{environment}", key, value)
    except (configparser.Error, UnicodeDecodeError) as error:
        raise FlashError(
            f"cannot be read: {error}",
            where=str(original),
            hint="make it anew: edgemcu build --force",
        ) from None
    text = io.StringIO()
    ini.write(text)
    path = project / ".pio" / UPLOAD_INI
    write_text(path, text.getvalue())
    return path


def direct_upload(
    board: Board, image: Image, protocol: str, port: str | None, baud: int | None
) -> Uploader:
    """The tool itself, without PlatformIO.

    Raises:
        ToolMissingError: it is not installed.
        FlashError: no tool that edgemcu knows speaks this protocol.
    """
    build = _DIRECT.get("openocd" if protocol in _PROBES else protocol)
    if build is None:
        raise FlashError(
            f"only PlatformIO's own upload speaks {protocol!r}",
            where=board.name,
            hint=_install_hint(board),
        )
    return build(board, image, protocol, port, baud)


def _esptool(
    board: Board, image: Image, protocol: str, port: str | None, baud: int | None
) -> Uploader:
    assert port is not None
    # A socket carries bytes alone: somebody else has to bring the chip into its boot loader.
    resets = not port.startswith("socket://")
    command = python_module(
        "esptool",
        *("--chip", esp_chip(board), "--port", port, "--baud", str(baud or ESPTOOL_BAUD)),
        *("--before", "default-reset" if resets else "no-reset"),
        *("--after", "hard-reset" if resets else "no-reset"),
        # The image's own header says how the flash is driven; what is written is what was built.
        *("write-flash", "--flash-mode", "keep", "--flash-freq", "keep", "--flash-size", "keep"),
        *(word for part in image.parts for word in (hex(part.address), str(part.file))),
    )
    return Uploader("esptool", protocol, tuple(command), resets=resets)


def esp_chip(board: Board) -> str:
    """esptool's name of the board's chip."""
    return board.mcu.lower()


def _openocd(
    board: Board, image: Image, protocol: str, port: str | None, baud: int | None
) -> Uploader:
    facts = board.platformio.board
    target = facts.debug.get("openocd_target") if facts is not None else None
    if target is None:
        raise FlashError(
            "OpenOCD needs to know the chip",
            where=board.name,
            hint="add openocd_target to platformio.board.debug in the board's file",
        )
    [part] = image.parts
    program = f"program {{{part.file}}} {part.address:#x} verify reset exit"
    command = (
        _found("openocd", board),
        *("-f", f"interface/{_PROBES[protocol]}.cfg", "-f", f"target/{target}.cfg"),
        *("-c", program),
    )
    return Uploader("openocd", protocol, command)


def _dfu_util(
    board: Board, image: Image, protocol: str, port: str | None, baud: int | None
) -> Uploader:
    [part] = image.parts
    command = (
        *(_found("dfu-util", board), "-d", "0483:df11", "-a", "0"),
        *("-s", f"{part.address:#x}:leave", "-D", str(part.file)),
    )
    return Uploader("dfu-util", protocol, command)


def _stm32flash(
    board: Board, image: Image, protocol: str, port: str | None, baud: int | None
) -> Uploader:
    assert port is not None
    [part] = image.parts
    command = (
        *(_found("stm32flash", board), "-b", str(baud or STM32FLASH_BAUD)),
        *("-w", str(part.file), "-v", "-g", f"{part.address:#x}", port),
    )
    return Uploader("stm32flash", protocol, command)


_DIRECT: dict[str, Callable[[Board, Image, str, str | None, int | None], Uploader]] = {
    "esptool": _esptool,
    "openocd": _openocd,
    "dfu": _dfu_util,
    "serial": _stm32flash,
}


def _found(tool: str, board: Board) -> str:
    program = shutil.which(tool)
    if program is None:
        raise ToolMissingError(
            f"{tool} is not installed, nor is PlatformIO's platform for this board",
            where=board.name,
            hint=f"on Debian and Ubuntu: sudo apt-get install {tool}; or {_install_hint(board)}",
        )
    return program


def _install_hint(board: Board) -> str:
    return f'with a network: pio pkg install -g -p "{board.platformio.platform}"'


def choose_uploader(
    project: Path | None,
    board: Board,
    core: CoreFolder | None,
    image: Image,
    protocol: str,
    port: str | None,
    baud: int | None,
) -> Uploader:
    """PlatformIO's upload where its platform is installed, the tool itself where it is not.

    Args:
        project: None for an image that was built elsewhere.
        core: PlatformIO's folder; None where it has no compiler for the board.
    """
    # PlatformIO looks for ports of this computer alone.
    elsewhere = over_serial(protocol) and port is not None and "://" in port
    if project is not None and core is not None and core.way == "installed" and not elsewhere:
        return platformio_upload(project, board, core, protocol, port, baud)
    return direct_upload(board, image, protocol, port, baud)
