"""Seeded, stratified choices among labelled photos."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.errors import TrainingError

Indices = NDArray[np.int64]


def validation_split(
    labels: NDArray[np.integer[Any]], classes: tuple[str, ...], fraction: float, seed: int
) -> tuple[Indices, Indices]:
    """Hold `fraction` of each class out.

    Args:
        labels: class indices, (N,).
        classes: the classes' names.
        fraction: 0…1; at least one photo of each class is held out, and at least one is left.
        seed: of the choice.

    Returns:
        Indices to train on and indices to validate on, each sorted.

    Raises:
        TrainingError: a class has fewer than two photos.
    """
    random = np.random.default_rng(seed)
    held_out = []
    for index, name in enumerate(classes):
        members = np.flatnonzero(labels == index)
        if len(members) < 2:
            raise TrainingError(
                f"the class {name!r} has {len(members)} training photo(s)",
                hint="two are the least: one to train on, one to choose the best epoch by",
            )
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        held_out.append(random.permutation(members)[:count])
    validation = np.sort(np.concatenate(held_out))
    return np.setdiff1d(np.arange(len(labels)), validation), validation


def stratified_sample(labels: NDArray[np.integer[Any]], count: int, seed: int) -> Indices:
    """`count` indices (all, if there are fewer), the classes as even as they can be, sorted."""
    random = np.random.default_rng(seed)
    queues = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    # Deal one photo of each class in turn, as a card dealer would.
    rank = np.concatenate([np.arange(len(queue)) for queue in queues])
    dealt = np.concatenate(queues)[np.argsort(rank, kind="stable")]
    return np.sort(dealt[:count]).astype(np.int64)
