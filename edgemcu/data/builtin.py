"""Public datasets that edgemcu fetches itself: what is common to them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemcu.artefacts import sha256_json
from edgemcu.console import Console
from edgemcu.data.cache import cache_directory, locked
from edgemcu.data.dataset import Dataset, DatasetSpec, LabelledImages, choose_classes
from edgemcu.errors import DownloadError
from edgemcu.preprocessing import Preprocessing, prepare_pixels

_PARTS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Arrays:
    """A whole dataset, decoded: images uint8 (N, H, W, C), labels uint8 (N,)."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


class NothingThereError(DownloadError):
    """An origin that has nothing to offer and need not be mentioned."""


@dataclass(frozen=True)
class Origin:
    """One way to get a dataset.

    Attributes:
        name: for a message.
        obtain: downloads into the given folder, checks, decodes; raises DownloadError.
    """

    name: str
    obtain: Callable[[Path, Console], Arrays]


@dataclass(frozen=True)
class BuiltInSource:
    """A public dataset.

    Attributes:
        name: as in the project file.
        title: as its authors write it.
        classes: by label.
        shape: of a photo, (H, W, C).
        counts: training and test photos.
        origins: tried in this order.
        by_hand: what a person without a network can do, with {folder} for the downloads folder.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: tuple[int, int]
    origins: tuple[Origin, ...]
    by_hand: str

    def digest(self, spec: DatasetSpec) -> str:
        """What the data is. The files behind it are pinned by digest, so their name is enough."""
        classes = choose_classes(self.classes, spec.classes, self.name)
        return sha256_json({"dataset": self.name, "split": "official", "classes": classes})

    def load(
        self, spec: DatasetSpec, preprocessing: Preprocessing, cache: Path | None, console: Console
    ) -> Dataset:
        """Fetch if needed, then the chosen classes in the authors' split and order."""
        classes = choose_classes(self.classes, spec.classes, self.name)
        arrays = self._arrays(cache or cache_directory(), console)
        renumbered = np.full(256, -1, np.int64)
        renumbered[[self.classes.index(name) for name in classes]] = np.arange(len(classes))

        def part(split: str, images: NDArray[np.uint8], old: NDArray[np.uint8]) -> LabelledImages:
            labels = renumbered[old]
            rows = np.flatnonzero(labels >= 0)
            chosen = np.asarray(images if len(rows) == len(images) else images[rows])
            return LabelledImages(
                prepare_pixels(chosen, preprocessing),
                labels[rows],
                classes,
                tuple(f"{split}/{row:05d}" for row in rows),
            )

        return Dataset(
            train=part("train", arrays.train_images, arrays.train_labels),
            test=part("test", arrays.test_images, arrays.test_labels),
            digest=self.digest(spec),
        )

    def _arrays(self, cache: Path, console: Console) -> Arrays:
        folder = cache / "datasets" / self.name
        found = self._read(folder)
        if found is None:
            with locked(cache / "downloads", console):
                # Whoever held the lock may have been fetching the same.
                found = self._read(folder)
                if found is None:
                    arrays = self._fetch(cache / "downloads", console)
                    _write(folder, arrays)
                    found = arrays
        return found

    def _read(self, folder: Path) -> Arrays | None:
        try:
            parts = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in _PARTS]
        except (OSError, ValueError, EOFError):
            return None
        shapes = []
        for count in self.counts:
            shapes += [(count, *self.shape), (count,)]
        if any(
            part.dtype != np.uint8 or part.shape != shape
            for part, shape in zip(parts, shapes, strict=True)
        ):
            return None
        return Arrays(*parts)

    def _fetch(self, downloads: Path, console: Console) -> Arrays:
        failures = []
        for origin in self.origins:
            try:
                return origin.obtain(downloads, console)
            except NothingThereError:
                continue
            except DownloadError as failure:
                place = f" ({failure.where})" if failure.where else ""
                failures.append(f"  {origin.name}{place}: {failure.message}")
        raise DownloadError(
            "\n".join([f"{self.title} could not be fetched from any of its sources:", *failures]),
            hint=self.by_hand.format(folder=downloads),
        )


def _write(folder: Path, arrays: Arrays) -> None:
    staging = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    for name in _PARTS:
        np.save(staging / f"{name}.npy", getattr(arrays, name))
    shutil.rmtree(folder, ignore_errors=True)
    staging.rename(folder)
