"""Step: a board's firmware is built, written to the board, and answers from there.

An image that the board runs already is not written again. Whatever was written counts only when
the firmware has been reset and has identified itself: the board, the model and the sources that it
names are those that were built.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemcu.board_schema import Board
from edgemcu.boards import load_board
from edgemcu.console import QUIET, Console
from edgemcu.device.ports import SerialPort, find_port, port_called
from edgemcu.device.protocol import Identity
from edgemcu.device.session import Limits
from edgemcu.device.target import open_target, require_target
from edgemcu.errors import DeviceError, FlashError, ToolMissingError
from edgemcu.platformio.core import core_folder
from edgemcu.platformio.image import find_image
from edgemcu.platformio.uploaders import over_serial, upload_protocol
from edgemcu.project import FlashTable
from edgemcu.steps.build import build_firmware
from edgemcu.steps.flash_board import Done, Expected, FlashLimits, Job, Ready, must_be
from edgemcu.steps.generate import generate_firmware
from edgemcu.steps.request import FirmwareRequest
from edgemcu.steps.subject import find_target

Choose = Callable[[Sequence[SerialPort]], SerialPort]


@dataclass(frozen=True)
class FlashResult:
    """What runs on the board now.

    Attributes:
        board: its name.
        port: where the firmware answers, or the emulator's name; None if it was not asked.
        protocol: the upload protocol; None where nothing is uploaded (an emulator).
        way: what wrote the image: "platformio", "esptool", "openocd", …, or the emulator.
        written: False if the board ran this image already.
        attempts: how many uploads it took.
        bytes: of all files that were written.
        image, model: digests of the sources and of the .tflite.
        identified: whether the firmware has said that it is this image.
        identity: all that it said; None if it was not asked.
        log: what the tool said; None if none was needed.
        seconds: from the first look at the board to its answer, the build not counted.
    """

    board: str
    port: str | None
    protocol: str | None
    way: str
    written: bool
    attempts: int
    bytes: int
    image: str
    model: str
    identity: Identity | None
    log: Path | None
    seconds: float

    @property
    def identified(self) -> bool:
        return self.identity is not None

    def to_json(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        identity = None if self.identity is None else dict(vars(self.identity))
        log = None if self.log is None else str(self.log)
        return {**facts, "identity": identity, "identified": self.identified, "log": log}


def flash_firmware(
    request: FirmwareRequest,
    *,
    port: str | None = None,
    emulator: str | None = None,
    protocol: str | None = None,
    baud: int | None = None,
    image: Path | None = None,
    verify: bool = True,
    force: bool = False,
    limits: FlashLimits | None = None,
    choose: Choose | None = None,
    console: Console = QUIET,
) -> FlashResult:
    """Build what is out of date, write it to the board, and wait until it has identified itself.

    Args:
        request: model, board and runtime.
        port: the board's serial port; by default found by its USB ids.
        emulator: "qemu", "renode" or "host": boots there in place of a board.
        protocol: one of the board's upload protocols; by default its first.
        baud: of an upload over the serial line.
        image: folder of an image that was built elsewhere from the same project.
        verify: False to leave it at the upload: the firmware is not asked who it is.
        force: write the image even if it is there already.
        limits: time-outs and retries; by default those of the project's [flash] table.
        choose: picks one of several ports that fit.

    Raises:
        FlashError: it could not be written, or something else answers than was built.
        DeviceError: there is no port, or it cannot be used.
        EmulatorError: the firmware does not boot in the emulator.
        EdgemcuError: of generating and building.
    """
    board = load_board(request.board, request.project_directory)
    limits = limits or flash_limits(request)
    if emulator is not None:
        return _boot(request, emulator, limits, console)
    table = _table(request)
    protocol = upload_protocol(board, protocol or table.protocol)
    # Before the build, which may take minutes.
    found = None
    if verify or over_serial(protocol):
        found = _port(board, port or table.port, choose, must=over_serial(protocol))
    ready = _prepare(request, board, image, console)
    job = Job(
        board, ready.expected, found, protocol, baud or table.baud, limits, request.folder, console
    )
    started = time.monotonic()
    present = job.present() if verify and not force else None
    if present is not None:
        done = Done("none", 0, None)
    else:
        done = job.write(ready)
        present = job.answer(done) if verify else None
    return FlashResult(
        board=board.name,
        port=found.device if found else None,
        protocol=protocol,
        way=done.way,
        written=done.attempts > 0,
        attempts=done.attempts,
        bytes=ready.image.bytes,
        image=ready.expected.image,
        model=ready.expected.model,
        identity=present,
        log=done.log,
        seconds=time.monotonic() - started,
    )


def flash_limits(
    request: FirmwareRequest, *, attempts: int | None = None, timeout_s: float | None = None
) -> FlashLimits:
    """The limits of the project's [flash] table, and what was said otherwise."""
    table = _table(request)
    return FlashLimits(attempts=attempts or table.attempts, upload_s=timeout_s or table.timeout_s)


def _table(request: FirmwareRequest) -> FlashTable:
    return request.project.file.flash if request.project else FlashTable()


# --- What is written ------------------------------------------------------------------------


def _prepare(
    request: FirmwareRequest, board: Board, folder: Path | None, console: Console
) -> Ready:
    if folder is not None:
        project = generate_firmware(request, console=console)
        return Ready(find_image(board, folder), Expected.of(project), None, None)
    try:
        built = build_firmware(request, console=console)
    except ToolMissingError as missing:
        return _built_before(request, board, missing, console)
    return Ready(
        find_image(board, built.build.elf.parent),
        Expected.of(built.project),
        built.project.path,
        core_folder(board),
    )


def _built_before(
    request: FirmwareRequest, board: Board, missing: ToolMissingError, console: Console
) -> Ready:
    """The image of an earlier build, where this computer cannot build it anew.

    Whether it is still the one for these sources shows when it identifies itself.
    """
    project = generate_firmware(request)
    try:
        image = find_image(board, project.path / ".pio" / "build" / board.name)
    except FlashError:
        raise missing from None
    console.warn(f"not built again ({missing.message}): flashing what an earlier build has left")
    return Ready(image, Expected.of(project), None, None)


# --- Where ----------------------------------------------------------------------------------


def _boot(
    request: FirmwareRequest, emulator: str, limits: FlashLimits, console: Console
) -> FlashResult:
    request, board, target = find_target(request, emulator)
    require_target(board, target)
    built = build_firmware(request, console=console)
    expected = Expected.of(built.project)
    started = time.monotonic()
    session = open_target(
        board,
        built.build.elf,
        target,
        model_digest=expected.model,
        limits=Limits(ready_s=limits.ready_s),
    )
    with session:
        identity = session.identity
    must_be(expected, identity, str(target))
    return FlashResult(
        board=board.name,
        port=str(target),
        protocol=None,
        way=str(target),
        written=True,
        attempts=1,
        bytes=built.build.flash_bytes,
        image=expected.image,
        model=expected.model,
        identity=identity,
        log=None,
        seconds=time.monotonic() - started,
    )


def _port(board: Board, wanted: str | None, choose: Choose | None, *, must: bool) -> SerialPort:
    if wanted is not None:
        return port_called(wanted, board)
    try:
        return find_port(board, choose=choose)
    except DeviceError as error:
        if not must:
            error.hint = f"{error.hint}\nwithout its serial line: --no-verify"
        raise
