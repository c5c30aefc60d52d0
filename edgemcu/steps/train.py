"""`edgemcu train`: fit the project's network to its photos, or read back what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemcu.artefacts import StepFolder, sha256_file, write_bytes
from edgemcu.console import QUIET, Console
from edgemcu.data import BUILT_IN, dataset_digest, load_dataset
from edgemcu.errors import TrainingError
from edgemcu.project import Project
from edgemcu.report.curves import draw_curves
from edgemcu.report.model import Epoch
from edgemcu.steps.dataset import dataset_spec
from edgemcu.training.architectures import NetworkConfig
from edgemcu.training.config import TrainingConfig, training_config
from edgemcu.training.loop import (
    CHECKPOINT_FILE,
    HISTORY_FILE,
    PREDICTIONS_FILE,
    WEIGHTS_FILE,
    TrainingResult,
    train,
)
from edgemcu.training.weights import ZOO_PREFIX, init_path

CURVES_FILE = "curves.png"


@dataclass(frozen=True)
class TrainedModel:
    """A project's trained network.

    Attributes:
        folder: `build/train`.
        result: what came out.
        history: one entry per epoch: "epoch" from 1, "learning_rate", "loss", "accuracy" over the
            training photos as augmented, "validation_loss", "validation_accuracy".
        recipe: how it was trained: "config", "network", "dataset".
        unchanged: it is that of an earlier run.
    """

    folder: Path
    result: TrainingResult
    history: tuple[dict[str, Any], ...]
    recipe: Mapping[str, Any]
    unchanged: bool

    @property
    def weights(self) -> Path:
        """The trained weights, for `quantize` and for `--init`."""
        return self.folder / WEIGHTS_FILE

    @property
    def curves(self) -> Path:
        """Accuracy and loss over the epochs: a PNG file."""
        return self.folder / CURVES_FILE

    @property
    def predictions(self) -> Path:
        """The float network's class probabilities for the test photos: float32, (N, classes)."""
        return self.folder / PREDICTIONS_FILE

    def to_json(self) -> dict[str, Any]:
        return {
            **self.result.to_json(),
            "weights": str(self.weights),
            "curves": str(self.curves),
            "history": [dict(epoch) for epoch in self.history],
            "recipe": dict(self.recipe),
            "unchanged": self.unchanged,
        }


def train_model(project: Project, *, console: Console = QUIET, force: bool = False) -> TrainedModel:
    """Train a project's network into `build/train/`.

    An interrupted training goes on where it stopped, as long as nothing that it depends on has
    changed.

    Args:
        force: train again, from the start, though nothing changed.

    Raises:
        TrainingError: the settings, the initial weights or the photos do not go together.
        DatasetError, DownloadError: the photos cannot be had.
        ToolMissingError: TensorFlow is not installed.
    """
    spec = dataset_spec(project)
    config = project_training_config(project)
    network = NetworkConfig(project.file.model.architecture, project.file.model.width)
    preprocessing = project.preprocessing
    step = StepFolder(project.build / "train", "train")
    inputs = {
        "photos": dataset_digest(spec, console=console),
        "preprocessing": preprocessing.to_json(),
        "network": network.to_json(),
        "config": {**config.to_json(), "init": _init_identity(config.init)},
    }
    if not force and step.result(inputs) is not None:
        return load_trained(project)
    work = project.build / ".training"
    if force:
        (work / CHECKPOINT_FILE).unlink(missing_ok=True)
    dataset = load_dataset(spec, preprocessing, console=console)
    console.info(
        f"training {network.architecture} (width {network.width:g}) on {len(dataset.train):,} "
        f"photos of {len(dataset.classes)} classes, preset {config.preset}"
    )
    with step.rewriting(inputs) as staged:
        result = train(
            dataset.train,
            dataset.test,
            preprocessing,
            network,
            config,
            out=staged.path,
            work=work,
            console=console,
        )
        history = json.loads((staged.path / HISTORY_FILE).read_text())
        curves = draw_curves([Epoch(**epoch) for epoch in history], result.best_epoch, project.name)
        write_bytes(staged.path / CURVES_FILE, curves)
        source = spec.source if spec.source in BUILT_IN else Path(spec.source).name
        staged.result = {
            "training": result.to_json(),
            "recipe": {
                "config": {**config.to_json(), "init": result.started_from},
                "network": network.to_json(),
                "dataset": {"source": source, "digest": dataset.digest},
            },
        }
    if work.is_dir() and not any(work.iterdir()):
        work.rmdir()
    return load_trained(project, unchanged=False)


def load_trained(project: Project, *, unchanged: bool = True) -> TrainedModel:
    """What the last training of a project left, whatever has changed since.

    Raises:
        TrainingError: there is none, or it is damaged.
    """
    folder = project.build / "train"
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        result = manifest["result"]
        history = json.loads((folder / HISTORY_FILE).read_text())
        return TrainedModel(
            folder,
            TrainingResult.from_json(result["training"]),
            tuple(history),
            result["recipe"],
            unchanged,
        )
    except FileNotFoundError:
        problem = "there is no trained network yet"
    except (OSError, ValueError, KeyError, TypeError):
        problem = "the trained network is damaged"
    raise TrainingError(problem, where=str(folder), hint="run `edgemcu train`")


def project_training_config(project: Project) -> TrainingConfig:
    """The project's [training] table over its preset.

    Raises:
        TrainingError: an unknown preset, or a value out of range.
    """
    changes = project.file.training.model_dump()
    preset, seed, init = changes.pop("preset"), changes.pop("seed"), changes.pop("init")
    if init is not None and not init.startswith(ZOO_PREFIX):
        beside = project.directory / Path(init).expanduser()
        init = str(beside if beside.is_file() else Path(init).expanduser().absolute())
    return training_config(preset, seed=seed, init=init, changes=changes)


def _init_identity(init: str | None) -> str | None:
    """What the initial weights are, wherever they lie."""
    if init is None:
        return None
    path = init_path(init)
    if not path.is_file():
        raise TrainingError("there is no such file of weights", where=init)
    return sha256_file(path)
