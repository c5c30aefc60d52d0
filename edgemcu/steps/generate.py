"""Step: the PlatformIO project of a model for a board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgemcu.boards import list_boards, load_board
from edgemcu.console import QUIET, Console
from edgemcu.errors import ProjectError
from edgemcu.firmware import GeneratedProject, generate_project
from edgemcu.firmware.pictures import Pictures
from edgemcu.firmware.self_test import pattern_outputs_crc32
from edgemcu.steps.request import FirmwareRequest
from edgemcu.tflite import ModelMetadata

if TYPE_CHECKING:
    from edgemcu.data import LabelledImages

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
        pictures=_pictures(request, console),
        kernels=request.kernels,
        no_passes=request.no_passes,
        others=list_boards(request.project_directory),
        known_answer=lambda: pattern_outputs_crc32(model, request.folder / ANSWERS_FOLDER, console),
        force=force,
    )
    done = f"{generated.changed} files written" if generated.changed else "unchanged"
    console.info(f"firmware for {board.name} ({request.runtime}): {generated.path}, {done}")
    if generated.arena_memory == "psram":
        console.info(
            f"{generated.arena_bytes} bytes of activations do not fit into the internal RAM of "
            f"{board.name}: they lie in PSRAM, which is slower"
        )
    promised = board.kernels.tflm
    if generated.runtime == "tflm" and generated.kernels == "reference" != promised:
        console.warn(
            f"this library of TensorFlow Lite Micro has reference kernels, {board.name}'s file "
            f"promises {promised}: it is several times slower, and `verify` will say so; "
            "tools/make_tflm_library.py makes one with them (docs/tflm.md)"
        )
    if generated.source == "flash":
        console.info(f"{generated.photos} test photos in flash")
    return generated


def _pictures(request: FirmwareRequest, console: Console) -> Pictures:
    """Where the pictures come from; test photos are only looked for where they are wanted."""
    if request.source != "flash":
        return Pictures(request.source)
    project = request.project
    if project is None:
        raise ProjectError(
            'the source "flash" takes test photos from a project, and there is none here',
            where="--source",
            hint="point at one with --project, or create one with `edgemcu init DIRECTORY`",
        )

    def choose(count: int, metadata: ModelMetadata) -> LabelledImages:
        from edgemcu.data import load_dataset
        from edgemcu.steps.dataset import dataset_spec

        photos = load_dataset(dataset_spec(project), metadata.preprocessing, console=console).test
        if photos.classes != metadata.classes:
            raise ProjectError(
                f"the project's classes are {', '.join(photos.classes)[:200]}, "
                f"the model's are {', '.join(metadata.classes)[:200]}",
                where=str(request.model),
            )
        return photos.evenly(count)

    return Pictures("flash", project.file.firmware.flash_photos, choose)
