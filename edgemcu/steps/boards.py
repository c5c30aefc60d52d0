"""Step: the boards, what each can hold, and whether their files are right."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemcu.board_schema import Board, CortexMStartup
from edgemcu.boards import board_files, list_boards, load_board, read_board
from edgemcu.console import QUIET, Console
from edgemcu.errors import EdgemcuError
from edgemcu.firmware.assemble import AppFacts, assemble
from edgemcu.firmware.fit import Needs, room
from edgemcu.firmware.runtime import ModelSource, runtime_sources
from edgemcu.graph.ir import DType, Graph, NoAttributes, Op, OpKind, Quantization, Tensor

COMPILE_TIMEOUT_S = 120.0
SHOWN_LINES = 12


@dataclass(frozen=True)
class BoardRoom:
    """A board, and the largest model that it could hold with the compiled runtime.

    Attributes:
        weights_bytes: constants, beside the sketch; None for a hosted board.
        arena_bytes: activations, beside the sketch; None for a hosted board.
    """

    board: Board
    weights_bytes: int | None
    arena_bytes: int | None

    def to_json(self) -> dict[str, Any]:
        room = {"weights_bytes": self.weights_bytes, "arena_bytes": self.arena_bytes}
        return {**self.board.to_json(), "room": room}


@dataclass(frozen=True)
class BoardList:
    """What `edgemcu boards` answers: every board, or the one that was asked for in detail."""

    boards: tuple[BoardRoom, ...]
    detailed: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"boards": [board.to_json() for board in self.boards]}


@dataclass(frozen=True)
class BoardFile:
    """A board's data file, to begin another one with."""

    path: Path
    text: str

    def to_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "text": self.text}


@dataclass(frozen=True)
class CheckedBoard:
    """What came of checking one file.

    Attributes:
        file: the board's data file.
        name: the board's; None where the file does not even say that.
        problem: what is wrong with it; None if nothing was found.
        generated: how many files its project has.
        compiled: how many C files its compiler took without a warning; None where it is not
            installed here, or the files need an SDK.
        not_compiled: why not.
    """

    file: Path
    name: str | None
    problem: str | None
    generated: int = 0
    compiled: int | None = None
    not_compiled: str = ""

    def to_json(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**facts, "file": str(self.file)}


@dataclass(frozen=True)
class BoardCheck:
    """What `edgemcu boards --check` answers."""

    boards: tuple[CheckedBoard, ...]

    @property
    def exit_code(self) -> int:
        """0 when nothing is wrong with any."""
        return 1 if any(board.problem for board in self.boards) else 0

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.exit_code == 0, "boards": [board.to_json() for board in self.boards]}


def describe_boards(name: str | None = None, project_directory: Path | None = None) -> BoardList:
    """Every board with what it can hold, or the one called `name`.

    Raises:
        BoardError: a data file breaks the schema, or there is no such board.
    """
    if name is not None:
        return BoardList((_with_room(load_board(name, project_directory)),), detailed=True)
    return BoardList(tuple(_with_room(board) for board in list_boards(project_directory)))


def board_file(name: str, project_directory: Path | None = None) -> BoardFile:
    """The data file of the board called `name`.

    Raises:
        BoardError: there is no such board, or its data file breaks the schema.
    """
    load_board(name, project_directory)
    path = board_files(project_directory)[name]
    return BoardFile(path, path.read_text(encoding="utf-8"))


def _with_room(board: Board) -> BoardRoom:
    if board.hosted:
        return BoardRoom(board, None, None)
    needs = Needs(arena=0, weights=0)
    return BoardRoom(board, room(needs, board, "model"), room(needs, board, "arena"))


def check_boards(
    names: Sequence[str | Path] = (),
    *,
    project_directory: Path | None = None,
    console: Console = QUIET,
) -> BoardCheck:
    """Check data files of boards: the schema, what the tables must agree on, and what comes of it.

    For each board the project of a one-layer network is generated, and its C files are compiled,
    warnings being errors, where the board's compiler is installed.

    Args:
        names: data files, or names of boards; by default all that ship, and the project's own.
        project_directory: the project.
    """
    known = board_files(project_directory)
    chosen = [_file(name, known) for name in names] or [known[name] for name in sorted(known)]
    checked = []
    with console.progress("checking boards", len(chosen), unit="boards") as bar:
        for file in chosen:
            checked.append(_check(file))
            bar.advance(1, file.stem)
    return BoardCheck(tuple(checked))


def _file(name: str | Path, known: Mapping[str, Path]) -> Path:
    return Path(name) if Path(name).is_file() else known.get(str(name), Path(name))


def _check(file: Path) -> CheckedBoard:
    try:
        board = read_board(file)
    except EdgemcuError as error:
        return CheckedBoard(file, None, error.message)
    try:
        sources = runtime_sources("compiled", _one_layer(), board, None)
        files = assemble(board, sources, _APP)
    except EdgemcuError as error:
        return CheckedBoard(file, board.name, error.message)
    reason = _cannot_compile(board)
    if reason:
        return CheckedBoard(file, board.name, None, len(files), None, reason)
    count, problem = _compile(board, files)
    return CheckedBoard(file, board.name, problem, len(files), count)


def _cannot_compile(board: Board) -> str:
    if not board.hosted and not isinstance(board.startup, CortexMStartup):
        return f"its files need the SDK of {board.platformio.framework or board.startup.driver}"
    if shutil.which(board.core.compiler) is None:
        return f"{board.core.compiler} is not installed"
    return ""


def _compile(board: Board, files: dict[str, str]) -> tuple[int, str | None]:
    """Compile and, for a bare-metal board, link; how many C files, and what went wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        sources = sorted(path for path in files if path.endswith(".c"))
        command = [board.core.compiler, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror"]
        command += [*board.core.flags, "-Iinclude", "-Isrc", "-Ilib/edgemcu_model"]
        if not board.hosted:
            command += ["-nostartfiles", f"-Tlinker/{board.name}.ld", "-Wl,--gc-sections"]
        try:
            done = subprocess.run(
                [*command, *sources, "-o", "firmware.elf"],
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=COMPILE_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            return 0, f"{board.core.compiler}: {problem}"
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()][:SHOWN_LINES]
        return 0, "its project does not compile:\n" + "\n".join(lines)
    return len(sources), None


_APP = AppFacts(
    title="check",
    model_name="one-layer.tflite",
    model_digest="0" * 64,
    model_bytes=0,
    input_text="1x16 int8",
    output_text="1x16 int8",
)


def _one_layer() -> ModelSource:
    """The smallest network there is: RELU of 16 values."""
    import numpy as np

    quantization = Quantization(np.array([0.5], np.float32), np.array([0], np.int32))
    tensors = tuple(Tensor(name, (1, 16), DType.INT8, quantization) for name in ("x", "y"))
    graph = Graph(tensors, (Op(OpKind.RELU, (0,), (1,), NoAttributes()),), (0,), (1,))
    return ModelSource(graph, b"", "0" * 64)
