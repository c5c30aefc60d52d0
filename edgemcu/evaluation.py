"""How well a classifier did on labelled photos: accuracy, per class, and what it mixed up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Evaluation:
    """Counts of true against predicted classes.

    Attributes:
        classes: the classes' names.
        confusion: confusion[t][p] photos of class t were taken for class p.
    """

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def total(self) -> int:
        return sum(map(sum, self.confusion))

    @property
    def correct(self) -> int:
        return sum(row[index] for index, row in enumerate(self.confusion))

    @property
    def accuracy(self) -> float:
        """Right predictions over all, 0…1; 0 for no photos."""
        return self.correct / self.total if self.total else 0.0

    @property
    def per_class(self) -> tuple[float, ...]:
        """Recall of each class, 0…1; 0 for a class without photos."""
        return tuple(
            row[index] / sum(row) if sum(row) else 0.0 for index, row in enumerate(self.confusion)
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "accuracy": self.accuracy,
            "photos": self.total,
            "per_class": dict(zip(self.classes, self.per_class, strict=True)),
            "classes": list(self.classes),
            "confusion": [list(row) for row in self.confusion],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Evaluation:
        return cls(tuple(value["classes"]), tuple(tuple(row) for row in value["confusion"]))


def evaluate(
    labels: NDArray[np.integer[Any]],
    predictions: NDArray[np.integer[Any]],
    classes: tuple[str, ...],
) -> Evaluation:
    """Count `predictions` against `labels`, both class indices of shape (N,)."""
    count = len(classes)
    pairs = np.asarray(labels, np.int64) * count + np.asarray(predictions, np.int64)
    table = np.bincount(pairs, minlength=count * count).reshape(count, count)
    return Evaluation(classes, tuple(tuple(int(n) for n in row) for row in table))
