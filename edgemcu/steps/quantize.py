"""`edgemcu quantize`: the trained network as a full int8 .tflite, and what that cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgemcu.artefacts import StepFolder, sha256_file
from edgemcu.console import QUIET, Console
from edgemcu.data import dataset_digest, load_dataset
from edgemcu.errors import TrainingError
from edgemcu.project import Project
from edgemcu.quantization import MODEL_FILE, OUTPUTS_FILE, QuantizationResult, quantize
from edgemcu.steps.dataset import dataset_spec
from edgemcu.steps.train import load_trained
from edgemcu.training.weights import load_weights


@dataclass(frozen=True)
class QuantizedModel:
    """A project's int8 model.

    Attributes:
        folder: `build/quantize`.
        result: what came out.
        unchanged: it is that of an earlier run.
    """

    folder: Path
    result: QuantizationResult
    unchanged: bool

    @property
    def model(self) -> Path:
        """The .tflite."""
        return self.folder / MODEL_FILE

    @property
    def outputs(self) -> Path:
        """The reference kernels' answers to the test photos: .npy, int8, (N, classes)."""
        return self.folder / OUTPUTS_FILE

    def to_json(self) -> dict[str, Any]:
        return {
            **self.result.to_json(),
            "model": str(self.model),
            "unchanged": self.unchanged,
        }


def quantize_model(
    project: Project, *, console: Console = QUIET, force: bool = False
) -> QuantizedModel:
    """Quantize a project's trained network into `build/quantize/`.

    Args:
        force: do it again though nothing changed.

    Raises:
        TrainingError: there is no trained network, or it is not of the project's photos.
        QuantizationError: what came out is not a full int8 model that can run.
        DatasetError, DownloadError: the photos cannot be had.
        ToolMissingError: TensorFlow is not installed.
    """
    trained = load_trained(project)
    spec = dataset_spec(project)
    step = StepFolder(project.build / "quantize", "quantize")
    inputs = {
        "weights": sha256_file(trained.weights),
        "photos": dataset_digest(spec, console=console),
        "calibration_images": project.file.quantization.calibration_images,
        "seed": project.file.training.seed,
    }
    known = None if force else step.result(inputs)
    if known is not None:
        return QuantizedModel(step.path, QuantizationResult.from_json(known), unchanged=True)
    weights = load_weights(trained.weights)
    dataset = load_dataset(spec, weights.preprocessing, console=console)
    predictions = np.load(trained.predictions, allow_pickle=False)
    if dataset.classes != weights.classes or len(predictions) != len(dataset.test):
        raise TrainingError(
            "the network was trained on other photos than the project has now",
            where=str(trained.folder),
            hint="run `edgemcu train`",
        )
    with step.rewriting(inputs) as staged:
        result = quantize(
            weights,
            dataset.train,
            dataset.test,
            predictions,
            calibration_images=project.file.quantization.calibration_images,
            seed=project.file.training.seed,
            trained=trained.recipe,
            out=staged.path,
            console=console,
        )
        staged.result = result.to_json()
    return QuantizedModel(step.path, result, unchanged=False)
