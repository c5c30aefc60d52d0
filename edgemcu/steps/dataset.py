"""`edgemcu dataset`: what photos there are, what is wrong with them, and a sheet to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgemcu.artefacts import StepFolder, write_bytes
from edgemcu.console import QUIET, Console
from edgemcu.data import (
    BUILT_IN,
    Dataset,
    DatasetSpec,
    Findings,
    LabelledImages,
    dataset_inventory,
    load_dataset,
)
from edgemcu.data.contact_sheet import contact_sheet
from edgemcu.preprocessing import Preprocessing
from edgemcu.project import Project

CONTACT_SHEET = "contact-sheet.png"

# The largest class may have this many times the training photos of the smallest.
_BALANCED = 3.0
_FEW_TRAIN = 50
_FEW_TEST = 20


@dataclass(frozen=True)
class ClassCount:
    """How many photos of a class are used."""

    name: str
    train: int
    test: int


@dataclass(frozen=True)
class DatasetReport:
    """What `edgemcu dataset` answers.

    Attributes:
        source: as in the project file, a folder as an absolute path.
        classes: in the order of the network's outputs.
        shape: (height, width, channels) after preprocessing.
        mean, std: of the training photos, for each channel, in grey levels 0…255.
        findings: broken files, duplicates, conflicts; empty for a built-in dataset.
        warnings: what will hurt the result, in sentences.
        digest: of photos, classes and split.
        contact_sheet: a PNG file.
        unchanged: the report is that of an earlier run.
    """

    source: str
    classes: tuple[ClassCount, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    findings: Findings
    warnings: tuple[str, ...]
    digest: str
    contact_sheet: Path
    unchanged: bool = False

    @property
    def train(self) -> int:
        """Training photos in all."""
        return sum(count.train for count in self.classes)

    @property
    def test(self) -> int:
        """Test photos in all."""
        return sum(count.test for count in self.classes)

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "findings": self.findings.to_json(),
            "contact_sheet": str(self.contact_sheet),
            "train": self.train,
            "test": self.test,
        }


def dataset_spec(project: Project) -> DatasetSpec:
    """Which photos a project is about."""
    table = project.file.dataset
    return DatasetSpec(
        source=project.dataset_source,
        classes=table.classes,
        test_fraction=table.test_fraction,
        seed=table.seed,
    )


def describe_dataset(
    project: Project, *, console: Console = QUIET, force: bool = False
) -> DatasetReport:
    """Look at a project's photos and write `build/dataset/`.

    Args:
        force: look again though nothing changed.

    Raises:
        DatasetError: the photos are missing or cannot be used.
        DownloadError: a built-in dataset cannot be fetched.
    """
    spec = dataset_spec(project)
    preprocessing = project.preprocessing
    step = StepFolder(project.build / "dataset", "dataset")
    inputs = {
        "photos": dataset_inventory(spec),
        "spec": asdict(spec),
        "preprocessing": preprocessing.to_json(),
        "name": project.name,
    }
    known = None if force else step.result(inputs)
    if known is not None:
        return _from_result(known, step.path)
    dataset = load_dataset(spec, preprocessing, console=console)
    mean, std = channel_statistics(dataset.train)
    result = {
        "source": spec.source,
        "classes": _counts(dataset),
        "shape": preprocessing.shape,
        "mean": mean,
        "std": std,
        "findings": dataset.findings.to_json(),
        "warnings": find_warnings(dataset, preprocessing),
        "digest": dataset.digest,
    }
    with step.rewriting(inputs) as staged:
        sheet = contact_sheet(dataset, project.name, _subtitle(spec, dataset))
        write_bytes(staged.path / CONTACT_SHEET, sheet)
        staged.result.update(result)
    return _from_result(result, step.path, unchanged=False)


def _from_result(
    result: Mapping[str, Any], folder: Path, *, unchanged: bool = True
) -> DatasetReport:
    return DatasetReport(
        source=result["source"],
        classes=tuple(ClassCount(**count) for count in result["classes"]),
        shape=tuple(result["shape"]),
        mean=tuple(result["mean"]),
        std=tuple(result["std"]),
        findings=Findings.from_json(result["findings"]),
        warnings=tuple(result["warnings"]),
        digest=result["digest"],
        contact_sheet=folder / CONTACT_SHEET,
        unchanged=unchanged,
    )


def _counts(dataset: Dataset) -> list[dict[str, Any]]:
    sides = zip(dataset.classes, dataset.train.counts(), dataset.test.counts(), strict=True)
    return [asdict(ClassCount(name, train, test)) for name, train, test in sides]


def _subtitle(spec: DatasetSpec, dataset: Dataset) -> str:
    source = BUILT_IN[spec.source].title if spec.source in BUILT_IN else Path(spec.source).name
    shape = "×".join(str(side) for side in dataset.train.images.shape[1:])
    return (
        f"{source}  ·  {len(dataset.train):,} training and {len(dataset.test):,} test photos"
        f"  ·  as the network sees them, {shape}"
    )


def channel_statistics(photos: LabelledImages) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, in grey levels, to two decimals.

    Counted exactly from histograms, so that neither order nor memory matters.
    """
    channels = photos.images.shape[-1]
    histogram = np.zeros((channels, 256), np.int64)
    for start in range(0, len(photos), 1024):
        block = photos.images[start : start + 1024]
        for channel in range(channels):
            histogram[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    levels = np.arange(256)
    total = histogram.sum(axis=1)
    mean = (histogram * levels).sum(axis=1) / total
    variance = (histogram * (levels - mean[:, None]) ** 2).sum(axis=1) / total
    return [round(v, 2) for v in mean.tolist()], [round(v**0.5, 2) for v in variance.tolist()]


def find_warnings(dataset: Dataset, preprocessing: Preprocessing) -> list[str]:
    """What a person should know before training, in sentences."""
    warnings = []
    train = dict(zip(dataset.classes, dataset.train.counts(), strict=True))
    test = dict(zip(dataset.classes, dataset.test.counts(), strict=True))
    most, least = max(train, key=train.__getitem__), min(train, key=train.__getitem__)
    if train[most] > _BALANCED * train[least]:
        warnings.append(
            f"unbalanced: {train[most]} training photos of {most!r}, {train[least]} of {least!r}"
        )
    if few := [name for name, count in train.items() if count < _FEW_TRAIN]:
        warnings.append(f"fewer than {_FEW_TRAIN} training photos: {', '.join(few)}")
    if few := [name for name, count in test.items() if count < _FEW_TEST]:
        warnings.append(
            f"fewer than {_FEW_TEST} test photos, so one more or less right moves the accuracy "
            f"by over {100 // _FEW_TEST} points: {', '.join(few)}"
        )
    findings = dataset.findings
    for found, what, trouble in (
        (findings.broken, "file", "cannot be read"),
        (findings.unsupported, "file", "not JPEG, PNG, WebP or BMP: ignored"),
        (findings.conflicts, "photo", "in more than one class: left out"),
        (findings.leaks, "training photo", "(nearly) the same as a test photo: left out"),
    ):
        if found:
            warnings.append(f"{len(found)} {what}{'s' if len(found) > 1 else ''} {trouble}")
    if findings.sizes:
        width, height = map(int, findings.sizes.median.split("×"))
        if min(width, height) < min(preprocessing.height, preprocessing.width):
            warnings.append(
                f"half of the photos are {findings.sizes.median} pixels or smaller, less than the "
                f"input's {preprocessing.width}×{preprocessing.height}: "
                "a smaller input is as good and faster"
            )
    if findings.readable and findings.grey == findings.readable and preprocessing.colour == "rgb":
        warnings.append('all photos are grey: colour = "grey" makes the network smaller')
    return [*warnings, *findings.notes]
