"""edgemcu.toml: what a project is made of. One table per step; every key has a default but few."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from edgemcu.board_schema.values import Bytes
from edgemcu.errors import ProjectError
from edgemcu.preprocessing import Colour, Fit, Preprocessing
from edgemcu.schema import Table, check, read_toml

PROJECT_FILE = "edgemcu.toml"

Architecture = Literal["mobilenet_v1", "mobilenet_v2", "resnet8", "ds_cnn"]
Runtime = Literal["compiled", "tflm"]
Source = Literal["serial", "flash", "camera"]
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$"


class ProjectTable(Table):
    """[project]"""

    name: str = Field(default="classifier", pattern=NAME_PATTERN)


class DatasetTable(Table):
    """[dataset]: `source` is "cifar10", "fashion-mnist", or a folder of class folders."""

    source: str = Field(min_length=1)
    classes: tuple[str, ...] | None = None
    test_fraction: float = Field(default=0.2, ge=0.05, le=0.5)
    seed: int = Field(default=0, ge=0)

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if classes is not None and (len(classes) < 2 or len(set(classes)) != len(classes)):
            raise ValueError("name at least two different classes")
        return classes


class PreprocessingTable(Table):
    """[preprocessing]: how a photo becomes the network's input."""

    size: int = Field(default=32, ge=24, le=224)
    colour: Colour = "rgb"
    fit: Fit = "crop"


class ModelTable(Table):
    """[model]"""

    architecture: Architecture = "mobilenet_v1"
    width: float = Field(default=0.5, ge=0.05, le=2.0)


class TrainingTable(Table):
    """[training]: a preset, and whatever of it is to be different."""

    preset: str = "demo"
    epochs: int | None = Field(default=None, ge=1, le=10_000)
    min_epoch_photos: int | None = Field(default=None, ge=1, le=10_000_000)
    batch_size: int | None = Field(default=None, ge=1, le=4096)
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    label_smoothing: float | None = Field(default=None, ge=0, lt=1)
    weight_decay: float | None = Field(default=None, ge=0, le=1)
    validation_fraction: float | None = Field(default=None, ge=0.02, le=0.5)
    warmup_epochs: float | None = Field(default=None, ge=0, le=1000)
    patience: int | None = Field(default=None, ge=1)
    class_weights: bool | None = None
    flip: bool | None = None
    shift: float | None = Field(default=None, ge=0, le=0.5)
    cutout: float | None = Field(default=None, ge=0, le=0.9)
    brightness: float | None = Field(default=None, ge=0, le=0.9)
    seed: int = Field(default=0, ge=0, lt=2**31)
    init: str | None = None


class QuantizationTable(Table):
    """[quantization]"""

    calibration_images: int = Field(default=500, ge=10, le=20_000)


class FirmwareTable(Table):
    """[firmware]

    Attributes:
        kernels: a kernel set of the compiled runtime, or "auto" for the board's.
        no_passes: lossless passes of the compiled runtime to leave out, by name.
        source: where the firmware's pictures come from, beside the serial line.
        flash_photos: how many test photos the source "flash" compiles in.
        model: a finished .tflite in place of the one that the project's own steps make.
    """

    board: str = "stm32f405"
    runtime: Runtime = "compiled"
    kernels: str = Field(default="auto", pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    no_passes: tuple[str, ...] = ()
    source: Source = "serial"
    flash_photos: int = Field(default=8, ge=1, le=1000)
    model: str | None = Field(default=None, min_length=1)


class TflmTable(Table):
    """[tflm]: where PlatformIO gets TensorFlow Lite Micro from, when not from its default."""

    library: str | None = None


class FlashTable(Table):
    """[flash]: the board's port, and how it is written; what is not said is the board's default."""

    port: str | None = Field(default=None, min_length=1, max_length=300)
    protocol: str | None = Field(default=None, min_length=1, max_length=40)
    baud: int | None = Field(default=None, ge=1200, le=10_000_000)
    attempts: int = Field(default=3, ge=1, le=100)
    timeout_s: float = Field(default=180.0, gt=0, le=3600)


class RunTable(Table):
    """[run]: how many test photos are sent to the device."""

    images: int = Field(default=200, ge=1)


class VerifyTable(Table):
    """[verify]: what the firmware must keep to. A limit that is not set is not checked.

    Attributes:
        images: how many test photos are sent.
        photos: a folder of class folders, in place of the test photos.
        max_latency_ms, max_instructions: of the slowest inference.
        min_accuracy: 0…1.
        max_flash, max_ram: of the program.
        max_arena, max_stack: in use on the device.
        max_regression: by how much a figure may be worse than the baseline's: percent; of the
            accuracy, percentage points.
    """

    images: int = Field(default=200, ge=1)
    photos: str | None = Field(default=None, min_length=1)
    max_latency_ms: float | None = Field(default=None, gt=0)
    max_instructions: int | None = Field(default=None, gt=0)
    min_accuracy: float | None = Field(default=None, ge=0, le=1)
    max_flash: Bytes | None = None
    max_ram: Bytes | None = None
    max_arena: Bytes | None = None
    max_stack: Bytes | None = None
    max_regression: float | None = Field(default=None, ge=0, le=1000)


class ProjectFile(Table):
    """The whole of edgemcu.toml."""

    project: ProjectTable = ProjectTable()
    dataset: DatasetTable
    preprocessing: PreprocessingTable = PreprocessingTable()
    model: ModelTable = ModelTable()
    training: TrainingTable = TrainingTable()
    quantization: QuantizationTable = QuantizationTable()
    firmware: FirmwareTable = FirmwareTable()
    tflm: TflmTable = TflmTable()
    flash: FlashTable = FlashTable()
    run: RunTable = RunTable()
    verify: VerifyTable = VerifyTable()

    @model_validator(mode="after")
    def _grey_source(self) -> ProjectFile:
        if self.dataset.source == "fashion-mnist" and self.preprocessing.colour != "grey":
            raise ValueError('fashion-mnist is grey: set preprocessing.colour = "grey"')
        return self


@dataclass(frozen=True)
class Project:
    """A loaded project: its settings and where things are.

    Attributes:
        directory: the folder that holds edgemcu.toml.
        file: the checked settings.
    """

    directory: Path
    file: ProjectFile

    @property
    def name(self) -> str:
        return self.file.project.name

    @property
    def build(self) -> Path:
        return self.directory / "build"

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def preprocessing(self) -> Preprocessing:
        table = self.file.preprocessing
        return Preprocessing(
            height=table.size, width=table.size, colour=table.colour, fit=table.fit
        )

    def with_training(self, changes: Mapping[str, Any]) -> Project:
        """The same project with other [training] keys, None meaning as it is.

        Raises:
            ProjectError: a value out of range.
        """
        table = self.file.training
        wanted = {key: value for key, value in changes.items() if value is not None}
        changed = check(
            TrainingTable, table.model_dump() | wanted, Path("[training]"), ProjectError
        )
        return replace(self, file=self.file.model_copy(update={"training": changed}))

    @property
    def dataset_source(self) -> str:
        """A built-in source's name, or the absolute path of a folder of photos."""
        source = self.file.dataset.source
        if source in BUILT_IN_SOURCES:
            return source
        return str((self.directory / Path(source).expanduser()).resolve())


BUILT_IN_SOURCES = ("cifar10", "fashion-mnist")


def load_project(path: Path | str = ".") -> Project:
    """Read a project from its folder or its edgemcu.toml.

    Raises:
        ProjectError: no such file, not TOML, an unknown key, or a value out of range.
    """
    location = Path(path)
    file = location / PROJECT_FILE if location.is_dir() else location
    if not file.is_file():
        raise ProjectError(
            f"there is no {PROJECT_FILE} here",
            where=str(location),
            hint="create one with `edgemcu init DIRECTORY`, or point at one with --project",
        )
    settings = check(ProjectFile, read_toml(file, ProjectError), file, ProjectError)
    return Project(directory=file.resolve().parent, file=settings)
