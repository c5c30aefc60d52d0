"""Whether a model can fit a board at all, before anything is built.

The sketch's share is a lower bound, so that nothing is refused that would have fitted; the last
word is the linker's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from edgemcu.board_schema import Board, EspIdfStartup, Role
from edgemcu.errors import DoesNotFitError

# Start-up, drivers and protocol at -O2 on a Cortex-M4: 17 KB of code and text, 5.3 KB of variables.
SKETCH_CODE_BYTES = 12 * 1024
SKETCH_DATA_BYTES = 5 * 1024
# ESP-IDF's own: the example in its documentation of `idf.py size` takes 170 KB of flash and 63 KB
# of RAM, with what is copied from one to the other counted in both.
IDF_CODE_BYTES = 160_000
IDF_DATA_BYTES = 60_000
# Left to its heap where activations can lie elsewhere: buffers of drivers, tasks, a camera's DMA.
IDF_HEAP_BYTES = 48 * 1024

ArenaMemory = Literal["internal", "psram"]

# Of a runtime's own variables nobody knows exactly before the linker.
_RESERVE_BYTES = 8 * 1024

_WHAT: dict[Role, str] = {
    "code": "code",
    "model": "weights",
    "data": "buffers",
    "arena": "activations",
    "stack": "stack",
}


@dataclass(frozen=True)
class Needs:
    """What a model needs, in bytes, beside the sketch.

    Attributes:
        arena: activations.
        weights: constants.
        code: kernels and interpreter, at least.
    """

    arena: int
    weights: int
    code: int = 0


def check_fit(needs: Needs, board: Board, others: Iterable[Board] = ()) -> ArenaMemory:
    """Where the activations go: "psram" only if they fit nowhere else.

    Args:
        others: boards that may be proposed instead.

    Raises:
        DoesNotFitError: with each memory that is too small, by how much, and what would fit.
    """
    heap = IDF_HEAP_BYTES if board.psram else 0
    if not _problems(replace(needs, arena=needs.arena + heap), board):
        return "internal"
    problems = _problems(needs, board)
    if not (problems_with_psram := _problems_with_psram(needs, board)):
        return "psram"
    if not problems:
        return "internal"
    if board.psram is not None:
        problems = problems_with_psram
    fitting = [other.name for other in others if other != board and fits(needs, other)]
    if fitting:
        hint = f"it would fit on: {', '.join(fitting)}"
    else:
        hint = "use a smaller input, a smaller width, or fewer layers"
    psram = board.psram.size if board.psram else 0
    arena, weights = max(room(needs, board, "arena"), psram), room(needs, board, "model")
    raise DoesNotFitError(
        "the model is too large: " + "; ".join(problems),
        where=board.name,
        hint=f"{hint}; {board.name} takes about {arena} bytes of activations and "
        f"{weights} bytes of weights",
    )


def fits(needs: Needs, board: Board) -> bool:
    return not _problems(needs, board) or not _problems_with_psram(needs, board)


def _problems_with_psram(needs: Needs, board: Board) -> list[str]:
    """What does not fit with the activations in PSRAM; where there is none, nothing does."""
    if board.psram is None:
        return ["there is no PSRAM"]
    problems = _problems(replace(needs, arena=0), board)
    if needs.arena > board.psram.size:
        problems.append(
            f"psram needs at least {needs.arena} bytes ({_WHAT['arena']}), "
            f"{board.name} has {board.psram.size}"
        )
    return problems


def has_room(needs: Needs, board: Board, more: int) -> bool:
    """Whether `more` bytes of variables certainly fit beside the model and the sketch.

    On a hosted board everything does.
    """
    by_role = _bytes_by_role(needs, board)
    return all(
        sum(by_role[role] for role in region.holds) + more + _RESERVE_BYTES <= region.size
        for region in board.memory
        if "data" in region.holds
    )


def _bytes_by_role(needs: Needs, board: Board) -> dict[Role, int]:
    idf = isinstance(board.startup, EspIdfStartup)
    return {
        "code": SKETCH_CODE_BYTES + needs.code + IDF_CODE_BYTES * idf,
        "model": needs.weights,
        "data": SKETCH_DATA_BYTES + IDF_DATA_BYTES * idf,
        "arena": needs.arena,
        "stack": board.stack_bytes,
    }


def _problems(needs: Needs, board: Board) -> list[str]:
    problems = []
    by_role = _bytes_by_role(needs, board)
    for region in board.memory:
        total = sum(by_role[role] for role in region.holds)
        if total > region.size:
            parts = " + ".join(f"{by_role[role]} {_WHAT[role]}" for role in region.holds)
            problems.append(
                f"{region.name} needs at least {total} bytes ({parts}), "
                f"{board.name} has {region.size}"
            )
    return problems


def room(needs: Needs, board: Board, role: Role) -> int:
    """Bytes that are left for `role` where it lies, beside whatever else lies there.

    Activations may take the whole PSRAM where there is one. Only for boards that are not hosted.
    """
    region, by_role = board.region(role), _bytes_by_role(needs, board)
    others = sum(size for name, size in by_role.items() if name in region.holds and name != role)
    psram = board.psram.size if role == "arena" and board.psram else 0
    return max(psram, region.size - others)
