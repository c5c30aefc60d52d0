"""What a valid model may hold and edgemcu cannot run, collected so that it is reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgemcu.errors import UnsupportedModelError


class UnsupportedError(Exception):
    """Raised while one operator is read; the reader collects them."""


@dataclass(frozen=True)
class UnsupportedOperator:
    """One operator, or an input of the model, that edgemcu cannot run.

    Attributes:
        index: in the file's order of execution; None for an input of the model.
        name: TensorFlow Lite's name.
        reason: what about it is not supported.
    """

    index: int | None
    name: str
    reason: str


class UnsupportedOperatorsError(UnsupportedModelError):
    """Everything of a model that edgemcu cannot run.

    Attributes:
        operators: all of it, in the order of the file.
    """

    def __init__(
        self, operators: Sequence[UnsupportedOperator], *, where: str, hint: str | None = None
    ) -> None:
        self.operators = tuple(operators)
        groups: dict[tuple[str, str], list[int | None]] = {}
        for operator in self.operators:
            groups.setdefault((operator.name, operator.reason), []).append(operator.index)
        count = sum(operator.index is not None for operator in self.operators)
        what = "its input is" if count == 0 else "1 operator is" if count == 1 else None
        lines = [f"{what or f'{count} operators are'} not supported:"]
        lines += [
            f"  {name}{_enumerate(indices)}: {reason}" for (name, reason), indices in groups.items()
        ]
        super().__init__("\n".join(lines), where=where, hint=hint)


def _enumerate(indices: Sequence[int | None], limit: int = 8) -> str:
    numbers = [str(index) for index in indices if index is not None]
    if not numbers:
        return ""
    shown = ", ".join(numbers[:limit]) + (", …" if len(numbers) > limit else "")
    return f" ({len(numbers)}×, at {shown})"
