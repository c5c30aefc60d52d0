"""Labelled photos as the rest of edgemcu sees them, wherever they came from."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.errors import DatasetError


@dataclass(frozen=True)
class DatasetSpec:
    """Which photos.

    Attributes:
        source: "cifar10", "fashion-mnist", or the path of a folder of class folders.
        classes: only these, in this order (the order of the network's outputs); None for all, in
            the source's own order (a folder's: sorted by name).
        test_fraction: the part of each class that is held back for the test, for a folder that
            brings no test photos of its own.
        seed: which photos those are; the same seed and photos give the same split anywhere.
    """

    source: str
    classes: tuple[str, ...] | None = None
    test_fraction: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class LabelledImages:
    """Photos of the network's size, each with its class.

    Attributes:
        images: uint8, (N, H, W, C); may be a read-only memory map.
        labels: int64, (N,), indices into `classes`.
        classes: the classes' names.
        ids: where each photo came from: its path inside the folder, or split and index.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> tuple[int, ...]:
        """How many photos each class has."""
        return tuple(np.bincount(self.labels, minlength=len(self.classes)).tolist())

    def take(self, indices: NDArray[np.integer[Any]] | Sequence[int]) -> LabelledImages:
        """Only the photos at `indices`, in that order."""
        rows = np.asarray(indices, dtype=np.int64)
        return LabelledImages(
            np.asarray(self.images[rows]),
            self.labels[rows],
            self.classes,
            tuple(self.ids[row] for row in rows),
        )

    def evenly(self, count: int) -> LabelledImages:
        """`count` of them (or all), as evenly over the classes as they allow, always the same."""
        random = np.random.default_rng(0)
        shuffled = random.permutation(len(self))
        rank = np.zeros(len(self), np.int64)
        for label in range(len(self.classes)):
            members = shuffled[self.labels[shuffled] == label]
            rank[members] = np.arange(len(members))
        # Round after round, one photo of each class.
        return self.take(np.lexsort((self.labels, rank))[:count])


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, why, and the class that it would have had."""

    path: str
    reason: str
    label: str


@dataclass(frozen=True)
class PhotoSizes:
    """Sizes of photos, each "width×height" in pixels, by their area.

    Attributes:
        smallest, median, largest: of all photos.
        commonest: the ten most frequent sizes, and how many photos have each.
    """

    smallest: str
    median: str
    largest: str
    commonest: Mapping[str, int]

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]]) -> PhotoSizes | None:
        """Sum up (width, height) pairs."""
        if not sizes:
            return None
        ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
        most = sorted(Counter(ordered).items(), key=lambda item: (-item[1], item[0]))
        return cls(
            smallest=_times(ordered[0]),
            median=_times(ordered[len(ordered) // 2]),
            largest=_times(ordered[-1]),
            commonest={_times(size): count for size, count in most[:10]},
        )


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


@dataclass(frozen=True)
class Findings:
    """What a look at a folder of photos brought up. Paths are relative to the folder, sorted.

    Attributes:
        broken: photos that cannot be read.
        unsupported: files that are not photos in a supported format.
        duplicates: groups of files with the very same pixels; the first one is kept.
        near_duplicates: groups of photos that show nearly the same (resized, recompressed,
            slightly edited, burst shots); all are kept, on one side of the split.
        conflicts: the same pixels under different classes; all of them are left out.
        leaks: training photos left out, since the test folder has the same or nearly the same.
        readable: how many files could be read.
        sizes: of these; None if there are none, or for a built-in dataset.
        grey: how many of these have no colour.
        notes: what else a person should know, in sentences.
    """

    broken: tuple[Skipped, ...] = ()
    unsupported: tuple[Skipped, ...] = ()
    duplicates: tuple[tuple[str, ...], ...] = ()
    near_duplicates: tuple[tuple[str, ...], ...] = ()
    conflicts: tuple[tuple[str, ...], ...] = ()
    leaks: tuple[Skipped, ...] = ()
    readable: int = 0
    sizes: PhotoSizes | None = None
    grey: int = 0
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Findings:
        """Read what `to_json` wrote."""

        def skipped(name: str) -> tuple[Skipped, ...]:
            return tuple(Skipped(**entry) for entry in value[name])

        def grouped(name: str) -> tuple[tuple[str, ...], ...]:
            return tuple(tuple(ids) for ids in value[name])

        return cls(
            broken=skipped("broken"),
            unsupported=skipped("unsupported"),
            duplicates=grouped("duplicates"),
            near_duplicates=grouped("near_duplicates"),
            conflicts=grouped("conflicts"),
            leaks=skipped("leaks"),
            readable=value["readable"],
            sizes=PhotoSizes(**value["sizes"]) if value["sizes"] else None,
            grey=value["grey"],
            notes=tuple(value["notes"]),
        )


@dataclass(frozen=True)
class Dataset:
    """Training and test photos that share no photo, nor a near duplicate of one.

    Attributes:
        train, test: the two sides of the split.
        digest: hex digest of what the data is: photos, classes and split, not of their size or
            colour after preprocessing.
        findings: what was noticed and left out.
    """

    train: LabelledImages
    test: LabelledImages
    digest: str
    findings: Findings = Findings()

    @property
    def classes(self) -> tuple[str, ...]:
        return self.train.classes


def choose_classes(
    available: Sequence[str], wanted: tuple[str, ...] | None, where: str
) -> tuple[str, ...]:
    """The classes that are asked for.

    Raises:
        DatasetError: one of them does not exist or is named twice, or fewer than two remain.
    """
    chosen = tuple(available) if wanted is None else wanted
    for name in chosen:
        if name not in available:
            close = difflib.get_close_matches(name, available, n=1)
            guess = f"; did you mean {close[0]!r}?" if close else ""
            raise DatasetError(
                f"there is no class {name!r}{guess}",
                where=where,
                hint=f"the classes are: {_listing(available)}",
            )
    if len(set(chosen)) != len(chosen):
        raise DatasetError("a class is named twice", where=where)
    if len(chosen) < 2:
        found = f"only the class {chosen[0]!r}" if chosen else "no class"
        raise DatasetError(
            f"there is {found}, and a classifier needs at least two to tell apart", where=where
        )
    return chosen


def _listing(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{shown}, … ({len(names)} in all)" if len(names) > 20 else shown
