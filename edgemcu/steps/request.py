"""Which firmware is asked for: a model, a board, a runtime, and where its files go."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from edgemcu.errors import ModelError, ProjectError
from edgemcu.project import PROJECT_FILE, Project, Runtime, Source, load_project

DEFAULT_BOARD = "stm32f405"
DEFAULT_RUNTIME: Runtime = "compiled"
DEFAULT_SOURCE: Source = "serial"
DEFAULT_KERNELS = "auto"
TFLM_LIBRARY_VARIABLE = "EDGEMCU_TFLM_LIBRARY"


@dataclass(frozen=True)
class FirmwareRequest:
    """What generate, build and run work on.

    Attributes:
        project: None for a model that came without one.
        model: the .tflite; for a project without --model the one that `quantize` writes.
        own_model: whether `model` is what the project's own steps make.
        board: a board's name, not yet looked up.
        runtime: "compiled" or "tflm".
        folder: holds `project/` (the PlatformIO project) and what build and run write beside it.
        kernels: the compiled runtime's kernel set, or "auto" for the board's.
        no_passes: lossless passes of the compiled runtime to leave out.
        source: where the firmware's pictures come from: "serial", "flash" or "camera".
    """

    project: Project | None
    model: Path
    own_model: bool
    board: str
    runtime: Runtime
    folder: Path
    kernels: str = DEFAULT_KERNELS
    no_passes: tuple[str, ...] = ()
    source: Source = DEFAULT_SOURCE

    @property
    def project_directory(self) -> Path | None:
        """Where a user's own boards/ lie."""
        return self.project.directory if self.project else None

    @property
    def tflm_library(self) -> str | None:
        """The project's own source of TensorFlow Lite Micro, or EDGEMCU_TFLM_LIBRARY's.

        Folders become absolute; everything else is PlatformIO's to understand.
        """
        library = self.project.file.tflm.library if self.project else None
        base = self.project.directory if self.project else Path.cwd()
        if library is None:
            library, base = os.environ.get(TFLM_LIBRARY_VARIABLE) or None, Path.cwd()
        if library is None:
            return None
        scheme, separator, rest = library.partition("://")
        if separator and scheme in ("symlink", "file"):
            return library if rest.startswith("/") else f"{scheme}://{(base / rest).resolve()}"
        folder = base / Path(library).expanduser()
        if not separator and (folder.is_dir() or library.startswith((".", "/", "~"))):
            return f"symlink://{folder.resolve()}"
        return library

    @property
    def build_folder(self) -> Path:
        """What several boards' firmware has in common goes here: above `folder`, or, where that
        was chosen by --out, into it."""
        usual = self.folder.name.startswith(f"{self.board}-{self.runtime}")
        return self.folder.parent if usual else self.folder

    def on_board(self, board: str) -> FirmwareRequest:
        """The same model for another board, with that board's kernels and no pictures of its own,
        in a folder beside this one's."""
        return replace(
            self,
            board=board,
            folder=self.build_folder / f"{board}-{self.runtime}",
            kernels=DEFAULT_KERNELS,
            source=DEFAULT_SOURCE,
        )

    def with_training(self, changes: Mapping[str, Any]) -> FirmwareRequest:
        """The same request with other [training] keys, None meaning as the project has them.

        Raises:
            ProjectError: a value out of range, or no project to train in.
        """
        if all(value is None for value in changes.values()):
            return self
        if self.project is None or not self.own_model:
            raise ProjectError("a model that was brought along is not trained here")
        return replace(self, project=self.project.with_training(changes))

    def existing_model(self) -> Path:
        """The model's path.

        Raises:
            ModelError: there is no such file.
        """
        if self.model.is_file():
            return self.model
        hint = (
            "make it with `edgemcu train` and `edgemcu quantize`, or all at once with `edgemcu run`"
            if self.own_model
            else None
        )
        raise ModelError("there is no such model", where=str(self.model), hint=hint)


def firmware_request(
    project_path: Path,
    *,
    model: Path | None = None,
    board: str | None = None,
    runtime: str | None = None,
    source: str | None = None,
    kernels: str | None = None,
    no_pass: tuple[str, ...] = (),
    out: Path | None = None,
) -> FirmwareRequest:
    """Fill in what was not said from the project, if there is one.

    Raises:
        ProjectError: neither a model nor a project, a project that cannot be read, or `kernels`
            for a runtime that brings its own.
    """
    has_project = project_path.is_file() or (project_path / PROJECT_FILE).is_file()
    project = load_project(project_path) if has_project or model is None else None
    settings = project.file.firmware if project else None
    chosen_board = board or (settings.board if settings else DEFAULT_BOARD)
    chosen_runtime = cast(Runtime, runtime or (settings.runtime if settings else DEFAULT_RUNTIME))
    chosen_source = cast(Source, source or (settings.source if settings else DEFAULT_SOURCE))
    if kernels is not None and chosen_runtime != "compiled":
        raise ProjectError(
            f"the {chosen_runtime} runtime brings its own kernels",
            where="--kernels",
            hint="Leave it out, or add --runtime compiled.",
        )
    variant = f"{chosen_board}-{chosen_runtime}"
    if chosen_source != DEFAULT_SOURCE:
        variant += f"-{chosen_source}"
    if model is not None:
        base = Path("build") / model.stem
    else:
        assert project is not None and settings is not None
        base = project.build
        if settings.model is not None:
            model = project.directory / Path(settings.model).expanduser()
    return FirmwareRequest(
        project=project,
        model=model if model is not None else base / "quantize" / "model.tflite",
        own_model=model is None,
        board=chosen_board,
        runtime=chosen_runtime,
        source=chosen_source,
        folder=(out or base / variant).absolute(),
        kernels=kernels or (settings.kernels if settings else DEFAULT_KERNELS),
        no_passes=no_pass or (settings.no_passes if settings else ()),
    )
