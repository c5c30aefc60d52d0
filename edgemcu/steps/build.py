"""Step: build the PlatformIO project of a model for a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgemcu.boards import load_board
from edgemcu.console import QUIET, Console
from edgemcu.firmware import GeneratedProject
from edgemcu.platformio.build import BuildResult, build_project
from edgemcu.steps.generate import generate_firmware
from edgemcu.steps.request import FirmwareRequest


@dataclass(frozen=True)
class BuiltFirmware:
    """A project and what was linked from it."""

    project: GeneratedProject
    build: BuildResult

    def to_json(self) -> dict[str, Any]:
        return {"project": self.project.to_json(), "build": self.build.to_json()}


def build_firmware(
    request: FirmwareRequest,
    *,
    variant: str | None = None,
    console: Console = QUIET,
    force: bool = False,
) -> BuiltFirmware:
    """Generate the project of `request` if it is out of date, and build it.

    Args:
        variant: one of the board's `platformio.variants`, such as "sanitize" on the host.
        force: overwrite files that were edited by hand, and build even if nothing changed.

    Raises:
        As `generate_firmware`, and
        ToolMissingError: PlatformIO or the compiler is not installed.
        DoesNotFitError: the linker found a memory too small.
        BuildError: PlatformIO or the compiler refused the project.
    """
    project = generate_firmware(request, console=console, force=force)
    board = load_board(request.board, request.project_directory)
    result = build_project(project.path, board, variant=variant, console=console, force=force)
    done = "up to date, built" if result.skipped else "built"
    console.info(f"{done} with {result.toolchain} ({_WAYS[result.way]}): {result.elf}")
    return BuiltFirmware(project=project, build=result)


_WAYS = {
    "installed": "from the PlatformIO packages that are installed",
    "stand-in": "this computer's own; PlatformIO needs no network",
    "download": "which PlatformIO has got from its registry",
}
