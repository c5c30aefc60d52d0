"""Writing an image to a board: one attempt, its noise kept in a log, its failure explained."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edgemcu.artefacts import write_text
from edgemcu.board_schema import Board
from edgemcu.console import QUIET, Console, ProgressBar
from edgemcu.device.ports import open_failure
from edgemcu.errors import EdgemcuError, FlashError, ToolMissingError
from edgemcu.platformio.image import Image
from edgemcu.platformio.process import Finished, run_program
from edgemcu.platformio.uploaders import Uploader

SHOWN_LINES = 12

_ADDRESS = re.compile(r"^Writing at 0x([0-9a-f]{1,8})\b")
_PERCENT = re.compile(r"\b(\d{1,3})(?:\.\d+)? ?%")
_NOISE = re.compile(
    r"^\s*$|^[-=*.]{8,}|^(Verbose mode|LDF|PACKAGES|CONFIGURATION|PLATFORM|HARDWARE)"
)


@dataclass(frozen=True)
class _Cause:
    """What an uploader's output tells.

    Attributes:
        pattern: of the tool's own words.
        message: the same for people.
        again: whether another attempt may help.
        by_hand: whether it helps to bring the chip into its boot loader by hand.
    """

    pattern: re.Pattern[str]
    message: str
    again: bool = True
    by_hand: bool = True


def _cause(pattern: str, message: str, *, again: bool = True, by_hand: bool = True) -> _Cause:
    return _Cause(re.compile(pattern, re.I), message, again, by_hand)


# The first that fits is the one that is told. Words of esptool, OpenOCD, dfu-util and stm32flash.
_CAUSES = (
    _cause(
        r"This chip is (?!.*(?:revision))[^\n]*not|Unexpected chip|wrong.*--chip",
        "another chip is at this port than the board's",
        again=False,
        by_hand=False,
    ),
    _cause(
        r"MD5 of (file|data) does not match|verif\w* (failed|error)|contents differ|mismatch",
        "what the flash holds is not what was written",
    ),
    _cause(
        r"device disconnected|device reports readiness to read but|multiple access on port"
        r"|socket disconnected|Broken pipe|Connection reset|connection (was )?lost"
        r"|Write ?timeout|No such device|port is closed|chip stopped responding"
        r"|Lost connection|SerialException\(.*(read|write) failed",
        "the connection was lost while it was being written",
    ),
    _cause(
        r"Failed to connect to|No serial data received|Wrong boot mode|Failed to init device"
        r"|Invalid head of packet",
        "the chip's boot loader does not answer",
    ),
    _cause(
        r"No more data to read|Timed out waiting for packet|Timeout|timed out",
        "the chip stopped answering while it was being written",
    ),
    _cause(
        r"LIBUSB_ERROR_ACCESS|libusb.*permission|Cannot open DFU device",
        "this user may not use the USB device: a udev rule must allow it",
        again=False,
        by_hand=False,
    ),
    _cause(r"No DFU capable USB device", "no chip is in DFU mode", again=False),
    _cause(
        r"open failed|unable to find (a )?(matching|CMSIS-DAP)|no device found|No J-Link",
        "no debug probe was found on USB",
        again=False,
        by_hand=False,
    ),
    _cause(r"init mode failed|unable to connect to the target|target.*(not halted|unavailable)",
           "the debug probe does not reach the chip"),
)  # fmt: skip
_PORT_TROUBLE = re.compile(
    r"(Permission ?denied|PermissionError|Access is denied|Resource busy|exclusively lock"
    r"|FileNotFoundError|No such file or directory: '(?:/dev|COM))",
    re.I,
)
_DOWNLOAD = re.compile(r"HTTPClientError|UnknownPackageError|InternetConnection|UnknownPlatform")


class UploadFailed(Exception):  # noqa: N818 - a signal between two modules, no error
    """One attempt has failed.

    Attributes:
        error: what is raised if there is no other attempt.
        again: whether another one may help.
    """

    def __init__(self, error: EdgemcuError, *, again: bool) -> None:
        self.error = error
        self.again = again
        super().__init__(str(error))


def upload(
    uploader: Uploader,
    board: Board,
    image: Image,
    *,
    port: str | None,
    log: Path,
    timeout_s: float,
    console: Console = QUIET,
) -> None:
    """Write the image once.

    Args:
        port: for messages.
        log: keeps all that the tool says, whatever comes of it.
        timeout_s: the whole attempt may take so long.

    Raises:
        UploadFailed: it did not work; why, and whether to try again.
    """
    label = f"flashing {board.name} with {uploader.way}"
    with console.progress(label, total=image.bytes, unit="bytes") as bar:
        done = run_program(
            uploader.command,
            timeout_s=timeout_s,
            environment=uploader.environment,
            on_line=_Progress(bar, image).line,
        )
    write_text(log, f"$ {' '.join(uploader.command)}\n{done.output}")
    if done.code != 0:
        raise _failure(done, uploader, board, port, log, timeout_s)


class _Progress:
    """Moves a bar by the addresses (esptool) or percentages (others) that a tool prints."""

    def __init__(self, bar: ProgressBar, image: Image) -> None:
        self._bar = bar
        self._parts = [(part.address, part.file.stat().st_size) for part in image.parts]
        self._total = image.bytes
        self._shown = 0

    def line(self, line: str) -> None:
        if match := _ADDRESS.search(line):
            address = int(match[1], 16)
            self._reached(sum(min(max(0, address - at), size) for at, size in self._parts))
        elif len(self._parts) == 1 and (match := _PERCENT.search(line)):
            self._reached(self._total * min(int(match[1]), 100) // 100)

    def _reached(self, done: int) -> None:
        if done > self._shown:
            self._bar.advance(done - self._shown)
            self._shown = done


def _failure(
    done: Finished, uploader: Uploader, board: Board, port: str | None, log: Path, timeout_s: float
) -> UploadFailed:
    where = f"{board.name} at {port}" if port else board.name
    if done.timed_out:
        message = f"{uploader.way} did not end within {timeout_s:g} s"
        return UploadFailed(FlashError(message, where=where, hint=hint(board, log)), again=True)
    if _DOWNLOAD.search(done.output):
        missing = ToolMissingError(
            "PlatformIO could not get its upload tool", where=where,
            hint=f"is there a network? The whole log: {log}",
        )  # fmt: skip
        return UploadFailed(missing, again=False)
    if port is not None and (trouble := _PORT_TROUBLE.search(done.output)):
        return UploadFailed(open_failure(port, OSError(trouble[1])), again=False)
    for cause in _CAUSES:
        if cause.pattern.search(done.output):
            advice = hint(board, log) if cause.by_hand else f"the whole log: {log}"
            error = FlashError(cause.message, where=where, hint=advice)
            return UploadFailed(error, again=cause.again)
    error = FlashError(
        f"{uploader.way} ended with status {done.code}:\n{_excerpt(done.output)}",
        where=where,
        hint=hint(board, log),
    )
    return UploadFailed(error, again=True)


def hint(board: Board, log: Path | None) -> str:
    """How to recover a board by hand, as its data file says it, and where the log is."""
    facts = board.platformio.board
    recover = facts.recover if facts is not None else ""
    lines = [recover] if recover else ["check the cable and the board's power, then try again"]
    return "\n".join([*lines, *([f"the whole log: {log}"] if log is not None else [])])


def _excerpt(output: str) -> str:
    lines = [line for line in re.split(r"[\r\n]+", output) if not _NOISE.match(line)]
    return "\n".join(f"    {line}" for line in lines[-SHOWN_LINES:])
