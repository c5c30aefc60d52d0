"""Step: the PlatformIO project of a model for a board."""

from __future__ import annotations

from edgemcu.boards import list_boards, load_board
from edgemcu.console import QUIET, Console
from edgemcu.firmware import GeneratedProject, generate_project
from edgemcu.firmware.self_test import pattern_outputs_crc32
from edgemcu.steps.request import FirmwareRequest

PROJECT_FOLDER = "project"
ANSWERS_FOLDER = "reference"


def generate_firmware(
    request: FirmwareRequest, *, console: Console = QUIET, force: bool = False
) -> GeneratedProject:
    """Write the project of `request` into its folder's `project/`.

    Files that would come out the same are left untouched, so that a build after it compiles only
    what changed.

    Args:
        force: overwrite files that were edited by hand.

    Raises:
        ModelError: there is no such model, or it is damaged.
        UnsupportedModelError: a valid model that edgemcu cannot run.
        BoardError: there is no such board, or its data file breaks the schema.
        DoesNotFitError: the model cannot fit the board.
        ProjectError: the folder holds something else, or was edited by hand.
    """
    board = load_board(request.board, request.project_directory)
    model = request.existing_model()
    generated = generate_project(
        model,
        board,
        request.runtime,
        request.folder / PROJECT_FOLDER,
        title=request.project.name if request.project else None,
        library=request.tflm_library,
        others=list_boards(request.project_directory),
        known_answer=lambda: pattern_outputs_crc32(model, request.folder / ANSWERS_FOLDER, console),
        force=force,
    )
    done = f"{generated.changed} files written" if generated.changed else "unchanged"
    console.info(f"firmware for {board.name} ({request.runtime}): {generated.path}, {done}")
    return generated
