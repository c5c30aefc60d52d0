"""Building a PlatformIO project: as a subprocess, its noise kept in a log, its errors shown."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from edgemcu.artefacts import write_text
from edgemcu.board_schema import Board
from edgemcu.console import QUIET, Console, ProgressBar
from edgemcu.errors import BuildError, DoesNotFitError, EdgemcuError, ToolMissingError
from edgemcu.platformio.core import CoreFolder, core_folder, missing_compiler
from edgemcu.platformio.dependencies import require_libraries
from edgemcu.platformio.elf import memory_use
from edgemcu.platformio.process import python_module, run_program
from edgemcu.platformio.record import inputs_digest, recall, remember

BUILD_TIMEOUT_S = 900.0
DOWNLOAD_TIMEOUT_S = 3600.0
SHOWN_LINES = 24

_STEP = re.compile(r"^(Compiling|Archiving|Linking) ")
_PROBLEM = re.compile(r"(error:|warning:|undefined reference|overflowed by|will not fit)", re.I)
_OVERFLOW = re.compile(r"region [`'](\w+)' overflowed by (\d+) bytes")
_NO_COMPILER = re.compile(r"(\S*gcc): (?:command )?not found")
_NO_HEADER = r"fatal error: (?:{}): No such file"
_NO_LIBRARY = {
    "C library": re.compile(_NO_HEADER.format(r"std\w+\.h|string\.h") + r"|cannot find -l[cm]\b"),
    "C++ library": re.compile(
        _NO_HEADER.format(r"[a-z_]+") + r"|cannot find -lstdc\+\+|g\+\+: (?:command )?not found"
    ),
}
_DOWNLOAD = re.compile(r"HTTPClientError|UnknownPackageError|InternetConnection|VCSBaseException")
_NO_COMPONENT = re.compile(r"Cannot establish a connection to the component registry|Failed to get")
_A_NETWORK = "is there a network? A library can also be a local folder."
_HOW_TO_GET: dict[str | None, str] = {
    "espidf": "with a network it gets the platform espressif32, its toolchain, ESP-IDF and "
    "Espressif's components by itself (some gigabytes, once); without one, copy the folder "
    "~/.platformio from a computer that has built for this board, or build the project there "
    "with `pio run`.",
}
_INSTALLING = re.compile(r"^\w+ Manager: Installing (\S+)", re.M)


@dataclass(frozen=True)
class BuildResult:
    """A linked firmware.

    Attributes:
        elf: the program.
        flash_bytes, ram_bytes: what it takes, by its ELF file; RAM includes the stack.
        flash_limit, ram_limit: what the board has; None for a hosted board.
        regions: bytes by memory region of the board.
        log: everything that PlatformIO said.
        toolchain: the compiler's own version line.
        way: "installed" (the user's PlatformIO packages), "download" (PlatformIO got them for this
            build) or "stand-in" (this computer's compiler).
        seconds: how long it took.
        skipped: nothing had changed since the last build, so PlatformIO was not asked.
    """

    elf: Path
    flash_bytes: int
    ram_bytes: int
    flash_limit: int | None
    ram_limit: int | None
    regions: dict[str, int]
    log: Path
    toolchain: str
    way: str
    seconds: float
    skipped: bool = False

    def to_json(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**facts, "elf": str(self.elf), "log": str(self.log)}


def build_project(
    project: Path,
    board: Board,
    *,
    variant: str | None = None,
    console: Console = QUIET,
    timeout_s: float = BUILD_TIMEOUT_S,
    force: bool = False,
) -> BuildResult:
    """Build a generated project with PlatformIO; only what changed is compiled again.

    Args:
        project: the folder with platformio.ini.
        variant: one of the board's `platformio.variants`, such as "sanitize".
        force: ask PlatformIO even if nothing has changed.

    Raises:
        ToolMissingError: PlatformIO, the compiler or a library is not installed.
        DoesNotFitError: the linker found a memory too small.
        BuildError: anything else that PlatformIO or the compiler refused, or the time-out.
    """
    if not (project / "platformio.ini").is_file():
        raise BuildError("there is no platformio.ini here", where=str(project))
    if variant is not None and variant not in board.platformio.variants:
        known = ", ".join(sorted(board.platformio.variants)) or "none"
        raise BuildError(f"{board.name} has no variant {variant!r}", hint=f"it has: {known}")
    if importlib.util.find_spec("platformio") is None:
        raise ToolMissingError(
            "PlatformIO is not installed", hint=f"{sys.executable} -m pip install platformio"
        )
    core = core_folder(board)
    if core.way == "download":
        timeout_s += DOWNLOAD_TIMEOUT_S
        console.info(
            f"PlatformIO gets {board.platformio.platform} first: that takes a network, some "
            "minutes and some gigabytes, once"
        )
    environment = board.name if variant is None else f"{board.name}-{variant}"
    state = project / ".pio"
    state.mkdir(exist_ok=True)
    log, record = state / f"{environment}.log", state / f"{environment}.json"
    elf = state / "build" / environment / board.platformio.program
    started = time.monotonic()
    try:
        with FileLock(state / "build.lock", timeout=timeout_s):
            digest = inputs_digest(project, board, core.toolchain)
            skipped = not force and recall(record, digest, elf)
            if not skipped:
                require_libraries(project, environment)
                with console.progress(f"building for {board.name}", unit="files") as bar:
                    done = run_program(
                        python_module("platformio", "run", "-d", str(project), "-e", environment),
                        timeout_s=timeout_s,
                        environment=platformio_environment(core),
                        on_line=partial(_advance, bar),
                    )
                write_text(log, done.output)
                if done.code != 0:
                    raise explain_failure(done.output, done.code, log, board, timeout_s)
                if not elf.is_file():
                    raise BuildError(
                        f"PlatformIO built no {board.platformio.program}",
                        where=str(elf.parent),
                        hint="platformio.program in the board's file must name what it builds",
                    )
                remember(record, digest, elf)
    except Timeout:
        raise BuildError("another build of this project does not end", where=str(project)) from None
    use = memory_use(elf, board)
    return BuildResult(
        elf=elf,
        flash_bytes=use.flash_bytes,
        ram_bytes=use.ram_bytes,
        flash_limit=board.flash_bytes,
        ram_limit=board.ram_bytes,
        regions=use.regions,
        log=log,
        toolchain=core.toolchain,
        way=core.way,
        seconds=time.monotonic() - started,
        skipped=skipped,
    )


def platformio_environment(core: CoreFolder) -> dict[str, str]:
    """The environment variables that PlatformIO is run with: the user's own settings left out,
    since they would move its folders or change flags."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("PLATFORMIO_")}
    return {
        **kept,
        "PLATFORMIO_CORE_DIR": str(core.path),
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        # Without it PlatformIO asks the network for updates, and waits a minute where none answers.
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_NO_ANSI": "true",
        "PYTHONUNBUFFERED": "1",
    }


def _advance(bar: ProgressBar, line: str) -> None:
    if _STEP.match(line):
        bar.advance(1, Path(line.split()[-1]).name)
    elif match := _INSTALLING.match(line):
        bar.advance(0, f"getting {match[1]}")


def explain_failure(
    output: str, code: int, log: Path, board: Board, timeout_s: float
) -> EdgemcuError:
    """The error behind PlatformIO's output and exit status (-1: it was ended by the time-out)."""
    if code == -1:
        return BuildError(f"did not end within {timeout_s:g} s", where=str(log.parent.parent))
    if match := _NO_COMPILER.search(output):
        return missing_compiler(match[1])
    for part, pattern in _NO_LIBRARY.items():
        if pattern.search(output):
            return missing_compiler(board.core.compiler, part)
    if overflows := {name.lower(): int(n) for name, n in _OVERFLOW.findall(output)}:
        sizes = {region.name: region.size for region in board.memory}
        needs = [
            f"{name} needs {sizes.get(name, 0) + over} bytes, {board.name} has {sizes.get(name, 0)}"
            for name, over in sorted(overflows.items())
        ]
        return DoesNotFitError(
            "; ".join(needs),
            where=board.name,
            hint="use a smaller model or a board with more memory (`edgemcu boards`)",
        )
    if _DOWNLOAD.search(output):
        wanted = _INSTALLING.findall(output)
        return ToolMissingError(
            f"PlatformIO could not get {wanted[-1] if wanted else 'a package'}",
            where=board.name,
            hint=f"{_HOW_TO_GET.get(board.platformio.framework, _A_NETWORK)} The whole log: {log}",
        )
    if _NO_COMPONENT.search(output):
        return ToolMissingError(
            "ESP-IDF's component manager could not get a component",
            where=board.name,
            hint=f"{_HOW_TO_GET['espidf']} The whole log: {log}",
        )
    return BuildError(
        f"PlatformIO ended with status {code}:\n{_excerpt(output)}",
        where=str(log.parent.parent),
        hint=f"the whole log: {log}",
    )


def _excerpt(output: str) -> str:
    """The lines that say what is wrong, or the last ones."""
    lines = output.splitlines()
    picked = sorted(
        {
            number
            for index, line in enumerate(lines)
            if _PROBLEM.search(line)
            for number in range(index, min(index + 3, len(lines)))
        }
    )
    shown = [lines[number] for number in picked] or [line for line in lines if line.strip()][-12:]
    return "\n".join(shown[:SHOWN_LINES])
