"""Boards by name: those that ship with edgemcu, and a project's own.

Boards are data, one TOML file each. A new board that uses drivers which exist already is one new
file, shipped in `boards/` or lying in a project's `boards/` folder.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from edgemcu.board_schema import Board
from edgemcu.errors import BoardError
from edgemcu.schema import check, read_toml
from edgemcu.shipped import shipped

__all__ = ["Board", "board_files", "list_boards", "load_board", "read_board"]


def list_boards(project_dir: Path | None = None) -> list[Board]:
    """Every board, by name; one of the project's replaces a shipped one of the same name.

    Raises:
        BoardError: a data file breaks the schema.
    """
    return [read_board(path) for _, path in sorted(board_files(project_dir).items())]


def load_board(name: str, project_dir: Path | None = None) -> Board:
    """The board called `name`, from `project_dir`/boards/ or from those that ship with edgemcu.

    Raises:
        BoardError: there is no such board, or its data file breaks the schema.
    """
    files = board_files(project_dir)
    if name not in files:
        close = difflib.get_close_matches(name, files, n=1, cutoff=0.5)
        guess = f"did you mean {close[0]!r}? " if close else ""
        raise BoardError(
            f"there is no board {name!r}",
            where="--board",
            hint=f"{guess}there are: {', '.join(sorted(files))}; "
            "a board of your own is a file in the project's boards/ folder",
        )
    return read_board(files[name])


def board_files(project_dir: Path | None = None) -> dict[str, Path]:
    """Every board's name and data file; the project's in place of shipped ones of that name."""
    folders = [shipped("boards")]
    if project_dir is not None:
        folders.append(project_dir / "boards")
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.toml"))}


def read_board(path: Path) -> Board:
    """The board that a data file describes.

    Raises:
        BoardError: there is no such file, or it breaks the schema.
    """
    board = check(Board, read_toml(path, BoardError), path, BoardError)
    if board.name != path.stem:
        raise BoardError(
            f"name: is {board.name!r}, but the file is called {path.name}", where=str(path)
        )
    return board
