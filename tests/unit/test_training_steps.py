"""The steps train and quantize on a project: skipped, redone, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgemcu.data import Dataset
from edgemcu.errors import TrainingError
from edgemcu.project import Project, load_project
from edgemcu.steps import quantize as quantize_step
from edgemcu.steps import train as train_step
from edgemcu.steps.quantize import QuantizedModel, quantize_model
from edgemcu.steps.train import TrainedModel, project_training_config, train_model
from tests.support.easy_photos import make_easy_photos

SETTINGS = """
[dataset]
source = "cifar10"
[preprocessing]
size = 24
[model]
architecture = "ds_cnn"
width = 0.25
[training]
preset = "quick"
batch_size = 16
min_epoch_photos = 1
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "edgemcu.toml").write_text(SETTINGS)
    project = load_project(tmp_path)
    spec = project.preprocessing
    photos = Dataset(make_easy_photos(spec, 20), make_easy_photos(spec, 8, seed=1), digest="d")
    for module in (train_step, quantize_step):
        monkeypatch.setattr(module, "load_dataset", lambda *_, **__: photos)
        monkeypatch.setattr(module, "dataset_digest", lambda *_, **__: photos.digest)
    return project


def test_quantizing_needs_a_trained_network(project: Project) -> None:
    with pytest.raises(TrainingError, match="no trained network") as caught:
        quantize_model(project)
    assert caught.value.hint == "run `edgemcu train`"


def test_unknown_preset(project: Project) -> None:
    with pytest.raises(TrainingError, match="overnight"):
        train_model(project.with_training({"preset": "overnight"}))


def test_initial_weights_that_are_not_there(project: Project) -> None:
    with pytest.raises(TrainingError, match="no such file"):
        train_model(project.with_training({"init": "missing.npz"}))
    assert not (project.build / "train").exists()


def test_initial_weights_are_looked_for_beside_the_project_file(project: Project) -> None:
    (project.directory / "start.npz").touch()
    config = project_training_config(project.with_training({"init": "start.npz"}))
    assert config.init == str(project.directory / "start.npz")


@pytest.mark.slow
def test_trained_once_and_again_only_when_something_changes(project: Project) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    first = train_model(project)
    assert not first.unchanged
    assert len(first.history) == first.result.epochs == 3
    assert not (project.build / ".training").exists()
    again = train_model(project)
    assert again == TrainedModel(
        first.folder, first.result, first.history, first.recipe, unchanged=True
    )

    quantized = quantize_model(project)
    assert not quantized.unchanged
    assert quantized.result.float32 == first.result.test
    assert quantized.outputs.is_file()
    assert quantize_model(project) == QuantizedModel(
        quantized.folder, quantized.result, unchanged=True
    )
    model = quantized.model.read_bytes()
    assert not quantize_model(project, force=True).unchanged
    assert quantized.model.read_bytes() == model

    changed = train_model(project.with_training({"epochs": 1}))
    assert not changed.unchanged
    assert changed.result.epochs == 1
    assert not quantize_model(project).unchanged
