"""Whether a model can fit a board at all, before anything is built.

The sketch's share is a lower bound, so that nothing is refused that would have fitted; the last
word is the linker's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgemcu.board_schema import Board, CortexMStartup, Memory, Role
from edgemcu.errors import DoesNotFitError

# Start-up, drivers and protocol at -O2 on a Cortex-M4: 7.6 KiB of code, 5.2 KiB of variables.
SKETCH_CODE_BYTES = 6 * 1024
SKETCH_DATA_BYTES = 5 * 1024

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


def check_fit(needs: Needs, board: Board, others: Iterable[Board] = ()) -> None:
    """Refuse a model that cannot fit.

    Args:
        others: boards that may be proposed instead.

    Raises:
        DoesNotFitError: with each memory that is too small, by how much, and what would fit.
    """
    if not (problems := _problems(needs, board)):
        return
    fitting = [other.name for other in others if other != board and not _problems(needs, other)]
    if fitting:
        hint = f"it would fit on: {', '.join(fitting)}"
    else:
        hint = "use a smaller input, a smaller width, or fewer layers"
    room = _room(needs, board)
    raise DoesNotFitError(
        "the model is too large: " + "; ".join(problems),
        where=board.name,
        hint=f"{hint}; {board.name} takes about {room}",
    )


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
    stack = board.startup.stack if isinstance(board.startup, CortexMStartup) else 0
    return {
        "code": SKETCH_CODE_BYTES + needs.code,
        "model": needs.weights,
        "data": SKETCH_DATA_BYTES,
        "arena": needs.arena,
        "stack": stack,
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


def _room(needs: Needs, board: Board) -> str:
    """The largest activations and weights that the board would take."""

    def left(region: Memory, role: Role) -> int:
        others = (size for name, size in by_role.items() if name in region.holds and name != role)
        return max(0, region.size - sum(others))

    by_role = _bytes_by_role(needs, board)
    arena = left(board.region("arena"), "arena")
    weights = left(board.region("model"), "model")
    return f"{arena} bytes of activations and {weights} bytes of weights"
