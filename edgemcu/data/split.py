"""Which photos are held back for the test: by content, so that names and order do not matter."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from edgemcu.errors import DatasetError


def shuffle_key(seed: int, digest: str) -> str:
    """A photo's place in a shuffled order that is the same everywhere."""
    return hashlib.sha256(f"{seed}:{digest}".encode()).hexdigest()


def grouped_split(
    labels: Sequence[str],
    digests: Sequence[str],
    groups: Sequence[int],
    fraction: float,
    seed: int,
    *,
    min_train: int,
) -> list[bool]:
    """Choose test photos: about `fraction` of each class, each group whole on one side.

    Args:
        labels: each photo's class.
        digests: each photo's content digest.
        groups: each photo's group; photos of a group show nearly the same.
        fraction: of each class, for the test.
        min_train: training photos that each class must keep.

    Returns:
        Whether each photo is a test photo.

    Raises:
        DatasetError: a class's photos are so alike that none can be held back.
    """
    members: dict[int, list[int]] = {}
    for index, name in enumerate(groups):
        members.setdefault(name, []).append(index)
    # A group's place hangs on its contents alone.
    order = sorted(
        members.values(),
        key=lambda group: min(shuffle_key(seed, digests[index]) for index in group),
    )
    totals = Counter(labels)
    target = {label: max(1, round(total * fraction)) for label, total in totals.items()}
    taken: Counter[str] = Counter()
    test = [False] * len(labels)

    def take(group: list[int]) -> None:
        for index in group:
            test[index] = True
            taken[labels[index]] += 1

    for group in order:
        sizes = Counter(labels[index] for index in group)
        if all(taken[label] + size <= target[label] for label, size in sizes.items()):
            take(group)
    for label in sorted(totals):
        if taken[label]:
            continue
        # Only groups larger than the target: the smallest that leaves enough for training.
        fitting = [
            group
            for group in order
            if any(labels[index] == label for index in group)
            and all(
                totals[other] - taken[other] - size >= min_train
                for other, size in Counter(labels[index] for index in group).items()
            )
        ]
        if not fitting:
            raise DatasetError(
                f"the photos of class {label!r} are nearly all the same, "
                "so none can be held back for an honest test",
                hint="add photos of other scenes, or a test/ folder of your own",
            )
        take(min(fitting, key=len))
    return test
