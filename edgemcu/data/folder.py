"""A person's own photos: a folder of class folders, looked at, cleaned and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgemcu.artefacts import sha256_json
from edgemcu.console import Console
from edgemcu.data.cache import cache_directory, locked
from edgemcu.data.dataset import (
    Dataset,
    DatasetSpec,
    Findings,
    LabelledImages,
    PhotoSizes,
    Skipped,
    choose_classes,
)
from edgemcu.data.scan import PhotoFile, Scan, scan_folder
from edgemcu.data.selection import Photo, select
from edgemcu.data.store import Fact, PhotoStore, Pixels, store_folder
from edgemcu.errors import DatasetError
from edgemcu.preprocessing import Preprocessing

# Counts up when the same photos would be chosen or split in another way.
_METHOD = 1


def folder_digest(spec: DatasetSpec, cache: Path | None, console: Console) -> str:
    """Digest of the photos' bytes, classes and split, wherever they lie and whatever their names.

    Raises:
        DatasetError: no such folder or class.
    """
    found = _look(spec)
    folder = store_folder(cache or cache_directory(), found.root)
    with locked(folder, console):
        return found.digest(PhotoStore(folder).file_digests(found.files, console))


def load_folder(
    spec: DatasetSpec, preprocessing: Preprocessing, cache: Path | None, console: Console
) -> Dataset:
    """Open every photo, leave out what cannot or must not be used, split, and say so.

    Raises:
        DatasetError: no such folder or class, too few photos of a class, one class alone, or
            photos so alike that none can be held back.
    """
    found = _look(spec)
    folder = store_folder(cache or cache_directory(), found.root)
    with locked(folder, console):
        store = PhotoStore(folder)
        digests = store.file_digests(found.files, console)
        paths = {digests[file.id]: file.path for file in found.files if digests[file.id]}
        facts, pixels = store.open_all(paths, preprocessing, console)
        return _dataset(found, store, digests, facts, pixels)


@dataclass(frozen=True)
class _Found:
    """The folder's files of the classes asked for."""

    spec: DatasetSpec
    root: Path
    scan: Scan
    classes: tuple[str, ...]
    files: list[PhotoFile]

    def digest(self, digests: Mapping[str, str]) -> str:
        spec = self.spec
        split = None if self.scan.presplit else [spec.test_fraction, spec.seed]
        contents = sorted([file.split or "", file.label, digests[file.id]] for file in self.files)
        return sha256_json(
            {"method": _METHOD, "classes": self.classes, "split": split, "contents": contents}
        )


def _look(spec: DatasetSpec) -> _Found:
    root = Path(spec.source)
    scan = scan_folder(root)
    try:
        classes = choose_classes(scan.classes, spec.classes, str(root))
    except DatasetError as error:
        # One folder that holds the real class folders is a common slip.
        inner = sorted({parts[1] for file in scan.files if len(parts := file.id.split("/")) > 2})
        if error.hint is None and len(scan.classes) == 1 and len(inner) > 1:
            error = DatasetError(
                error.message,
                where=error.where,
                hint=f"its folders {', '.join(inner[:3])} look like classes: "
                f"use {root / scan.classes[0]}",
            )
        raise error from None
    return _Found(spec, root, scan, classes, [f for f in scan.files if f.label in classes])


def _dataset(
    found: _Found,
    store: PhotoStore,
    digests: Mapping[str, str],
    facts: Mapping[str, Fact],
    pixels: Pixels,
) -> Dataset:
    classes = found.classes
    broken = [skip for skip in found.scan.broken if skip.label in classes]
    photos: list[Photo] = []
    sizes: list[tuple[int, int]] = []
    grey = 0
    for file in found.files:
        fact = facts.get(digests[file.id])
        if fact is None or fact.print is None:
            reason = fact.problem if fact and fact.problem else "cannot be read"
            broken.append(Skipped(file.id, reason, file.label))
        else:
            photos.append(Photo(file, digests[file.id], fact.print))
            sizes.append((fact.width, fact.height))
            grey += fact.grey
    broken.sort(key=lambda skip: skip.path)
    try:
        chosen = select(
            photos,
            classes,
            broken,
            presplit=found.scan.presplit,
            fraction=found.spec.test_fraction,
            seed=found.spec.seed,
            find_pairs=store.near_pairs,
        )
    except DatasetError as error:
        raise DatasetError(error.message, where=str(found.root), hint=error.hint) from None

    def labelled(side: Sequence[Photo]) -> LabelledImages:
        return LabelledImages(
            images=pixels.take([photo.digest for photo in side]),
            labels=np.array([classes.index(photo.label) for photo in side], np.int64),
            classes=classes,
            ids=tuple(photo.file.id for photo in side),
        )

    findings = Findings(
        broken=tuple(broken),
        unsupported=tuple(skip for skip in found.scan.unsupported if skip.label in classes),
        duplicates=tuple(chosen.duplicates),
        near_duplicates=tuple(chosen.near_duplicates),
        conflicts=tuple(chosen.conflicts),
        leaks=tuple(chosen.leaks),
        readable=len(photos),
        sizes=PhotoSizes.of(sizes),
        grey=grey,
        notes=(*found.scan.notes, *chosen.notes),
    )
    return Dataset(labelled(chosen.train), labelled(chosen.test), found.digest(digests), findings)
