"""`edgemcu init`: a project file that a person likes to read, with defaults from the photos."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgemcu.artefacts import write_text
from edgemcu.boards import load_board
from edgemcu.console import QUIET, Console
from edgemcu.data import BUILT_IN
from edgemcu.data.dataset import choose_classes
from edgemcu.data.fingerprint import is_grey
from edgemcu.data.scan import Scan, scan_folder
from edgemcu.errors import DatasetError, ProjectError
from edgemcu.photo import open_photo, quiet_decoder
from edgemcu.preprocessing import Colour
from edgemcu.project import (
    NAME_PATTERN,
    PROJECT_FILE,
    FirmwareTable,
    ModelTable,
    ProjectFile,
)
from edgemcu.schema import check

_TEMPLATE = Path(__file__).with_name("edgemcu.toml.jinja")

# Input sizes to choose from by the photos' own size, and the width that keeps each affordable.
_SIZES = (32, 48, 64, 96)
_WIDE_BELOW = 64
_WIDE, _NARROW = 0.5, 0.25
# Photos that are opened to see what the folder is like.
_SAMPLE = 40


@dataclass(frozen=True)
class CreatedProject:
    """What `edgemcu init` answers: where the project is and what was chosen for it."""

    path: Path
    name: str
    source: str
    classes: tuple[str, ...]
    size: int
    colour: str
    architecture: str
    width: float
    board: str

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path)}


@dataclass(frozen=True)
class _Photos:
    """What is known of the photos before the project is made."""

    source: str
    title: str
    classes: tuple[str, ...]
    size: int
    colour: Colour


def init_project(
    directory: Path,
    *,
    source: str,
    classes: Sequence[str] | None = None,
    size: int | None = None,
    colour: str | None = None,
    architecture: str | None = None,
    width: float | None = None,
    board: str | None = None,
    name: str | None = None,
    console: Console = QUIET,
) -> CreatedProject:
    """Write `directory`/edgemcu.toml, commented. What is None is chosen by a look at the photos.

    Args:
        directory: made if it is not there.
        source: "cifar10", "fashion-mnist", or a folder of class folders, relative to the
            current folder.
        name: the project's; None for the directory's.

    Raises:
        ProjectError: there is a project already, or a value that edgemcu.toml does not allow.
        DatasetError: no such folder or class.
        BoardError: no such board.
    """
    file = directory / PROJECT_FILE
    if file.exists():
        raise ProjectError(
            "there is a project already",
            where=str(file),
            hint="edit it, or choose another folder",
        )
    if directory.exists() and not directory.is_dir():
        raise ProjectError("is a file, not a folder", where=str(directory))
    photos = _built_in(source) if source in BUILT_IN else _look_at(Path(source), directory, console)
    if classes is not None:
        choose_classes(photos.classes, tuple(classes), source)
    chosen_board = board or FirmwareTable().board
    load_board(chosen_board, directory)
    chosen_size = photos.size if size is None else size
    default_width = _WIDE if chosen_size < _WIDE_BELOW else _NARROW
    created = CreatedProject(
        path=file,
        name=name or _name(directory),
        source=photos.source,
        classes=tuple(classes) if classes is not None else photos.classes,
        size=chosen_size,
        colour=colour or photos.colour,
        architecture=architecture or ModelTable().architecture,
        width=default_width if width is None else width,
        board=chosen_board,
    )
    # What edgemcu would refuse to read is not written.
    check(ProjectFile, _settings(created), file, ProjectError)
    text = render_project(created, photos.classes, photos.title, only=classes is not None)
    try:
        write_text(file, text)
    except OSError as problem:
        raise ProjectError(f"cannot be written: {problem.strerror}", where=str(file)) from None
    console.info(f"wrote {file}")
    return created


def _settings(created: CreatedProject) -> dict[str, Any]:
    return {
        "project": {"name": created.name},
        "dataset": {"source": created.source, "classes": created.classes},
        "preprocessing": {"size": created.size, "colour": created.colour},
        "model": {"architecture": created.architecture, "width": created.width},
        "firmware": {"board": created.board},
    }


def render_project(
    created: CreatedProject, available: Sequence[str], title: str, *, only: bool
) -> str:
    """The text of edgemcu.toml.

    Args:
        available: all classes of the photos.
        title: of a built-in dataset, or "".
        only: whether the classes are to be written down, not left to the folder.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["toml"] = toml_value
    environment.filters["listing"] = _listing
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        {
            **asdict(created),
            "classes": list(created.classes) if only else None,
            "available": list(available),
            "built_in": bool(title),
            "title": title,
        }
    )


def toml_value(value: str | Sequence[str]) -> str:
    """A string, or a list of strings, as TOML writes it."""
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return f"[{', '.join(toml_value(item) for item in value)}]"


def _listing(names: Sequence[str]) -> str:
    text = ", ".join(names[:12])
    return f"{text}, …" if len(names) > 12 else text


def _name(directory: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", directory.resolve().name).strip("-._")[:64]
    return name if re.match(NAME_PATTERN, name) else "classifier"


def _built_in(name: str) -> _Photos:
    source = BUILT_IN[name]
    colour: Colour = "grey" if source.shape[2] == 1 else "rgb"
    return _Photos(name, source.title, source.classes, source.shape[0], colour)


def _look_at(folder: Path, directory: Path, console: Console) -> _Photos:
    """What a folder's photos suggest: a few of every class are opened."""
    folder = folder.expanduser()
    scan = scan_folder(folder)
    choose_classes(scan.classes, None, str(folder))
    sides, coloured = [], 0
    with quiet_decoder():
        for path in _sample(scan):
            try:
                pixels = open_photo(path)
            except DatasetError:
                continue
            sides.append(min(pixels.shape[:2]))
            coloured += not is_grey(pixels)
    if not sides:
        raise DatasetError(
            "none of the photos can be read",
            where=str(folder),
            hint="edgemcu reads JPEG, PNG, WebP and BMP files",
        )
    median = sorted(sides)[len(sides) // 2]
    return _Photos(
        source=_written_path(folder, directory),
        title="",
        classes=scan.classes,
        size=max((size for size in _SIZES if size <= median), default=_SIZES[0]),
        colour="rgb" if coloured else "grey",
    )


def _sample(scan: Scan) -> list[Path]:
    files = scan.files
    count = min(_SAMPLE, len(files))
    return [files[index * len(files) // count].path for index in range(count)]


def _written_path(folder: Path, directory: Path) -> str:
    """Relative for photos inside the project, which can then be moved; absolute otherwise."""
    absolute, base = folder.resolve(), directory.resolve()
    if absolute.is_relative_to(base):
        return f"./{absolute.relative_to(base).as_posix()}"
    return absolute.as_posix()
