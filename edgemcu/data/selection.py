"""Which of a folder's photos are used, and on which side: no photo on both, nor its double."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemcu.data.dataset import Skipped
from edgemcu.data.fingerprint import Fingerprint, groups, near_pairs
from edgemcu.data.scan import PhotoFile
from edgemcu.data.split import grouped_split, shuffle_key
from edgemcu.errors import DatasetError

# Different photos of a class below which nothing can be learnt, or measured.
MIN_TRAIN = 8
MIN_TEST = 1
MIN_PHOTOS = 10


FindPairs = Callable[[Sequence[Fingerprint], Sequence[str]], NDArray[np.int64]]


@dataclass(frozen=True)
class Photo:
    """A picture, whatever number of files show it.

    Attributes:
        file: the one that stands for it.
        digest: of the file's bytes.
        print: for comparing.
    """

    file: PhotoFile
    digest: str
    print: Fingerprint

    @property
    def label(self) -> str:
        return self.file.label


@dataclass(frozen=True)
class Selection:
    """The outcome; paths as in `Findings`."""

    train: list[Photo]
    test: list[Photo]
    duplicates: list[tuple[str, ...]]
    near_duplicates: list[tuple[str, ...]]
    conflicts: list[tuple[str, ...]]
    leaks: list[Skipped]
    notes: list[str]


def select(
    candidates: Iterable[Photo],
    classes: Sequence[str],
    broken: Sequence[Skipped],
    *,
    presplit: bool,
    fraction: float,
    seed: int,
    find_pairs: FindPairs = near_pairs,
) -> Selection:
    """Unite copies, leave out contradictions, and split without a leak.

    Args:
        candidates: every readable file.
        classes: that must all be there.
        broken: files that could not be read, for the message if a class has too few.
        presplit: the folder says which photos are for the test; training photos that it has
            too, or nearly so, are left out.
        fraction, seed: of the split otherwise.
        find_pairs: `near_pairs`, or one that remembers.

    Raises:
        DatasetError: too few photos of a class, or all of them nearly the same.
    """
    photos, duplicates, conflicts, leaks = _unite(candidates)
    photos.sort(key=lambda photo: shuffle_key(seed, photo.print.pixels))
    pairs = find_pairs([photo.print for photo in photos], [photo.label for photo in photos])
    group_of = groups(len(photos), pairs).tolist()
    lost = Counter((skip.label, "cannot be read") for skip in broken)
    for labels in conflicts.values():
        lost.update((label, "are in other classes, too") for label in labels)

    if presplit:
        near_leaks = _near_leaks(photos, pairs)
        leaks += near_leaks
        lost.update((skip.label, "are also test photos") for skip in leaks)
        gone = {skip.path for skip in near_leaks}
        train = [p for p in photos if p.file.split == "train" and p.file.id not in gone]
        test = [p for p in photos if p.file.split == "test"]
        _require(train, classes, MIN_TRAIN, "training photos", lost)
        _require(test, classes, MIN_TEST, "test photos", lost)
    else:
        _require(photos, classes, MIN_PHOTOS, "different photos", lost)
        held_back = grouped_split(
            [photo.label for photo in photos],
            [photo.print.pixels for photo in photos],
            group_of,
            fraction,
            seed,
            min_train=MIN_TRAIN,
        )
        train = [p for p, out in zip(photos, held_back, strict=True) if not out]
        test = [p for p, out in zip(photos, held_back, strict=True) if out]
        _require(train, classes, MIN_TRAIN, "training photos", lost)
    return Selection(
        train=train,
        test=test,
        duplicates=sorted(duplicates),
        near_duplicates=_named_groups(photos, group_of),
        conflicts=sorted(conflicts),
        leaks=sorted(leaks, key=lambda skip: skip.path),
        notes=_mixed_labels(photos, pairs),
    )


def _unite(
    candidates: Iterable[Photo],
) -> tuple[list[Photo], list[tuple[str, ...]], dict[tuple[str, ...], list[str]], list[Skipped]]:
    """One photo for all its copies; and duplicates, conflicts (with their classes), leaks."""
    by_pixels: dict[str, list[Photo]] = {}
    for photo in candidates:
        by_pixels.setdefault(photo.print.pixels, []).append(photo)
    photos: list[Photo] = []
    duplicates: list[tuple[str, ...]] = []
    conflicts: dict[tuple[str, ...], list[str]] = {}
    leaks: list[Skipped] = []
    for copies in by_pixels.values():
        # Where a photo is on both sides of a given split, the test keeps it.
        copies.sort(key=lambda photo: (photo.file.split != "test", photo.file.id))
        ids = tuple(sorted(photo.file.id for photo in copies))
        labels = sorted({photo.label for photo in copies})
        if len(labels) > 1:
            conflicts[ids] = labels
            continue
        if len(copies) > 1:
            duplicates.append(ids)
        kept = copies[0]
        if kept.file.split == "test":
            leaks += [
                Skipped(photo.file.id, f"is the test photo {kept.file.id}", photo.label)
                for photo in copies
                if photo.file.split == "train"
            ]
        photos.append(kept)
    return photos, duplicates, conflicts, leaks


def _near_leaks(photos: Sequence[Photo], pairs: NDArray[np.int64]) -> list[Skipped]:
    """Training photos that show nearly the same as a test photo."""
    leaks: dict[str, Skipped] = {}
    for i, j in pairs.tolist():
        for inside, tested in ((photos[i], photos[j]), (photos[j], photos[i])):
            if inside.file.split == "train" and tested.file.split == "test":
                reason = f"is nearly the test photo {tested.file.id}"
                leaks.setdefault(inside.file.id, Skipped(inside.file.id, reason, inside.label))
    return list(leaks.values())


def _require(
    photos: Sequence[Photo],
    classes: Sequence[str],
    minimum: int,
    what: str,
    lost: Counter[tuple[str, str]],
) -> None:
    counts = Counter(photo.label for photo in photos)
    problems = []
    for label in classes:
        if counts[label] < minimum:
            reasons = [
                f"{number} {reason}" for (of, reason), number in sorted(lost.items()) if of == label
            ]
            besides = f" (besides, {', '.join(reasons)})" if reasons else ""
            problems.append(f"class {label!r} has {counts[label]} usable {what}{besides}")
    if problems:
        raise DatasetError(
            f"too few photos, at least {minimum} {what} of each class are needed: "
            + "; ".join(problems[:8]),
            hint="add photos, or leave the class out with `classes` in the project file",
        )


def _named_groups(photos: Sequence[Photo], group_of: Sequence[int]) -> list[tuple[str, ...]]:
    members: dict[int, list[str]] = {}
    for photo, group in zip(photos, group_of, strict=True):
        members.setdefault(group, []).append(photo.file.id)
    return sorted(tuple(sorted(ids)) for ids in members.values() if len(ids) > 1)


def _mixed_labels(photos: Sequence[Photo], pairs: NDArray[np.int64]) -> list[str]:
    mixed = Counter(
        tuple(sorted((photos[i].label, photos[j].label)))
        for i, j in pairs.tolist()
        if photos[i].label != photos[j].label
    )
    return [
        f"{number} pairs of photos of {one!r} and {other!r} show nearly the same: check their class"
        for (one, other), number in sorted(mixed.items())
    ]
