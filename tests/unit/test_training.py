"""Training and quantizing with TensorFlow, on photos and networks small enough for seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgemcu import quantization
from edgemcu.console import ProgressBar, QuietConsole
from edgemcu.errors import QuantizationError, TrainingError
from edgemcu.evaluation import evaluate
from edgemcu.graph.ir import DType, OpKind
from edgemcu.preprocessing import Preprocessing, input_table
from edgemcu.quantization import MODEL_FILE, OUTPUTS_FILE, check_int8, convert_int8, quantize
from edgemcu.reference import run_reference
from edgemcu.tflite.metadata import read_metadata
from edgemcu.tflite.reader import parse_model, read_model
from edgemcu.tflite_edit import add_metadata, tidy_names
from edgemcu.training.architectures import NetworkConfig, build_network
from edgemcu.training.config import TrainingConfig, training_config
from edgemcu.training.loop import CHECKPOINT_FILE, TrainingResult, train
from edgemcu.training.weights import (
    init_path,
    initialize_from,
    load_weights,
    network_arrays,
    save_weights,
    set_network_arrays,
    zoo_names,
)
from tests.support.easy_photos import CLASSES, make_easy_photos
from tests.support.tflite_builder import ModelBuilder

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
pytestmark = pytest.mark.slow

SPEC = Preprocessing(24, 24)
NETWORK = NetworkConfig("ds_cnn", 0.25)
ARCHITECTURES = ("mobilenet_v1", "mobilenet_v2", "resnet8", "ds_cnn")
CLEAN = {
    OpKind.CONV_2D,
    OpKind.DEPTHWISE_CONV_2D,
    OpKind.MEAN,
    OpKind.FULLY_CONNECTED,
    OpKind.SOFTMAX,
    OpKind.ADD,
}


def _config(**changes: object) -> TrainingConfig:
    defaults = {"epochs": 6, "batch_size": 16, "warmup_epochs": 1.0, "validation_fraction": 0.1}
    defaults["min_epoch_photos"] = 1
    return training_config("demo", seed=3, changes={**defaults, **changes})


def _train(folder: Path, config: TrainingConfig, **keywords: object) -> TrainingResult:
    folder.mkdir(exist_ok=True)
    return train(
        make_easy_photos(SPEC, 30),
        make_easy_photos(SPEC, 10, seed=1),
        SPEC,
        NETWORK,
        config,
        out=folder,
        work=folder,
        **keywords,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingResult]:
    folder = tmp_path_factory.mktemp("trained")
    return folder, _train(folder, _config())


def _wake_up(network: Any) -> None:
    """Depthwise weights as large as training makes them: signals of a fresh network die out."""
    arrays = network_arrays(network)
    for name, values in arrays.items():
        if name.endswith("depthwise/kernel"):
            arrays[name] = values * np.float32(np.sqrt(values.shape[2]))
    set_network_arrays(network, arrays)


@pytest.mark.parametrize(
    ("architecture", "size", "width", "colour"),
    [
        ("mobilenet_v1", 24, 0.05, "grey"),
        ("mobilenet_v1", 32, 0.5, "rgb"),
        ("mobilenet_v1", 96, 0.25, "rgb"),
        ("mobilenet_v1", 224, 0.05, "grey"),
        ("mobilenet_v2", 33, 0.35, "rgb"),
        ("mobilenet_v2", 64, 0.05, "grey"),
        ("resnet8", 32, 1.0, "rgb"),
        ("resnet8", 75, 0.1, "grey"),
        ("ds_cnn", 24, 0.05, "grey"),
        ("ds_cnn", 49, 1.0, "rgb"),
    ],
)
def test_networks_export_cleanly(architecture: str, size: int, width: float, colour: str) -> None:
    spec = Preprocessing(size, size, colour)  # type: ignore[arg-type]
    network = build_network(NetworkConfig(architecture, width), spec, 4)
    _wake_up(network)
    photos = np.random.default_rng(0).integers(0, 256, (4, *spec.shape), np.uint8)
    graph = check_int8(tidy_names(convert_int8(network, spec, photos), output="probabilities"))
    assert {op.kind for op in graph.ops} <= CLEAN
    image, output = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    assert image.shape == (1, size, size, spec.channels)
    assert output.shape == (1, 4)
    assert image.dtype is output.dtype is DType.INT8
    assert image.quantization is not None
    quantization = image.quantization
    assert (quantization.scale, quantization.zero_point) == (1 / 128, 0)
    table = input_table(spec, quantization.scale, quantization.zero_point)
    assert table.tolist() == list(range(-128, 128))
    names = [graph.tensors[op.outputs[0]].name for op in graph.ops]
    assert len(set(names)) == len(names)
    assert names[0] == "stem"
    assert not any("/" in name or ";" in name for name in names)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_narrower_networks_have_fewer_parameters(architecture: str) -> None:
    counts = [
        build_network(NetworkConfig(architecture, width), SPEC, 3).count_params()
        for width in (1.0, 0.5, 0.25, 0.1)
    ]
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == len(counts)


@pytest.mark.parametrize(
    ("network", "spec", "classes", "named"),
    [
        (NetworkConfig("mobilenet_v9"), SPEC, 3, "mobilenet_v9"),
        (NetworkConfig(), Preprocessing(16, 16), 3, "16 × 16"),
        (NetworkConfig(), Preprocessing(24, 32), 3, "32 × 24"),
        (NetworkConfig(width=0.01), SPEC, 3, "0.01"),
        (NetworkConfig(), SPEC, 1, "1 class"),
    ],
)
def test_impossible_networks(
    network: NetworkConfig, spec: Preprocessing, classes: int, named: str
) -> None:
    with pytest.raises(TrainingError, match=named):
        build_network(network, spec, classes)


def test_a_small_network_learns_and_is_repeatable(
    trained: tuple[Path, TrainingResult], tmp_path: Path
) -> None:
    folder, result = trained
    assert result.epochs == 6
    assert result.test.total == 30
    assert result.test.accuracy > 0.8
    predictions = np.load(folder / "test_predictions.npy")
    labels = make_easy_photos(SPEC, 10, seed=1).labels
    assert evaluate(labels, predictions.argmax(1), CLASSES) == result.test
    assert TrainingResult.from_json(result.to_json()) == result
    assert not (folder / CHECKPOINT_FILE).exists()
    _train(tmp_path, _config())
    for name in ("weights.npz", "history.json", "test_predictions.npy"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


class _Interrupting(QuietConsole):
    """Presses Ctrl-C in the middle of the training."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    @contextmanager
    def progress(
        self, label: str, total: float | None = None, unit: str = ""
    ) -> Iterator[ProgressBar]:
        yield self

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.left -= amount
        if self.left <= 0:
            raise KeyboardInterrupt


class _Counting(_Interrupting):
    """Counts the steps."""

    steps = 0.0

    def __init__(self) -> None:
        super().__init__(after=10**9)

    def advance(self, amount: float = 1, note: str = "") -> None:
        self.steps += amount


def test_an_interrupted_training_ends_as_if_nothing_had_happened(
    trained: tuple[Path, TrainingResult], tmp_path: Path
) -> None:
    folder, result = trained
    console = _Interrupting(after=17)
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path, _config(), console=console)
    assert (tmp_path / CHECKPOINT_FILE).is_file()
    assert "goes on after epoch 3" in console.warnings[0]
    resumed = _train(tmp_path, _config())
    assert replace(resumed, seconds=result.seconds) == result
    for name in ("weights.npz", "history.json", "test_predictions.npy"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_few_photos_are_shown_often(tmp_path: Path) -> None:
    console = _Counting()
    _train(tmp_path, _config(epochs=2, min_epoch_photos=400), console=console)
    # 81 photos are left to train on; five passes of them are 25 batches of 16.
    assert console.steps == 2 * 25


def test_early_stopping(tmp_path: Path) -> None:
    result = _train(tmp_path, _config(epochs=50, patience=2, learning_rate=1e-9))
    assert result.epochs < 50
    assert result.epochs == result.best_epoch + 2


def test_a_diverging_training_is_reported(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no longer a number"):
        _train(tmp_path, replace(_config(), learning_rate=1e30, warmup_epochs=0.0))
    assert not (tmp_path / "weights.npz").exists()


def test_class_weights_help_the_rare_class(tmp_path: Path) -> None:
    photos = make_easy_photos(SPEC, 40)
    rare = np.flatnonzero(photos.labels == 2)[4:]
    few = photos.take(np.setdiff1d(np.arange(len(photos)), rare))
    recalls = []
    for weighted in (False, True):
        folder = tmp_path / str(weighted)
        folder.mkdir()
        config = _config(epochs=3, class_weights=weighted)
        test = make_easy_photos(SPEC, 10, seed=1)
        result = train(few, test, SPEC, NETWORK, config, out=folder, work=folder)
        recalls.append(result.test.per_class[2])
    assert recalls[1] >= recalls[0]


def test_starting_from_earlier_weights(
    trained: tuple[Path, TrainingResult], tmp_path: Path
) -> None:
    folder, result = trained
    config = replace(_config(epochs=1, learning_rate=1e-6), init=str(folder / "weights.npz"))
    again = _train(tmp_path, config)
    assert again.test.accuracy >= result.test.accuracy - 0.1
    assert again.started_from is not None
    assert "bright, dark, striped" in again.started_from
    other = replace(config, init=str(folder / "weights.npz"))
    with pytest.raises(TrainingError, match=r"ds_cnn of width 0\.25"):
        train(
            make_easy_photos(SPEC, 5),
            make_easy_photos(SPEC, 5),
            SPEC,
            NetworkConfig("ds_cnn", 1.0),
            other,
            out=tmp_path,
            work=tmp_path,
        )


@pytest.mark.parametrize("name", zoo_names())
def test_the_zoo_knows_classes_by_name(name: str) -> None:
    weights = load_weights(init_path(f"zoo:{name}"))
    classes = (weights.classes[3], "something else", weights.classes[0])
    network = build_network(weights.network, weights.preprocessing, 3)
    fresh = network_arrays(network)
    taken = initialize_from(network, classes, weights, where=name)
    assert f"{classes[0]}, {classes[2]}" in taken
    found, zoo = network_arrays(network), weights.arrays
    for part in ("logits/kernel", "logits/bias"):
        assert np.array_equal(found[part][..., 0], zoo[part][..., 3].astype(np.float32))
        assert np.array_equal(found[part][..., 1], fresh[part][..., 1])
        assert np.array_equal(found[part][..., 2], zoo[part][..., 0].astype(np.float32))
    assert np.array_equal(found["stem/kernel"], zoo["stem/kernel"].astype(np.float32))


def test_photos_that_do_not_fit(tmp_path: Path) -> None:
    photos = make_easy_photos(SPEC, 5)
    with pytest.raises(TrainingError, match="different classes"):
        train(photos, replace(photos, classes=("a", "b", "c")), SPEC, NETWORK, _config(),
              out=tmp_path, work=tmp_path)  # fmt: skip
    with pytest.raises(TrainingError, match="shape"):
        train(photos, photos, Preprocessing(32, 32), NETWORK, _config(),
              out=tmp_path, work=tmp_path)  # fmt: skip


def test_quantizing_a_trained_network(
    trained: tuple[Path, TrainingResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, result = trained
    photos, test = make_easy_photos(SPEC, 30), make_easy_photos(SPEC, 10, seed=1)
    weights = load_weights(folder / "weights.npz")
    probabilities = np.load(folder / "test_predictions.npy")
    # Any loss is worth a look here, so that the layers are looked at.
    monkeypatch.setattr(quantization, "TOLERATED_LOSS", -1000)
    found = quantize(
        weights, photos, test, probabilities, calibration_images=20,
        trained={"preset": "demo"}, out=tmp_path,
    )  # fmt: skip
    assert found.float32 == result.test
    assert abs(found.points_lost) < 10
    assert found.calibration_images == 20
    assert found.model_bytes == (tmp_path / MODEL_FILE).stat().st_size
    assert type(found).from_json(found.to_json()) == found
    assert len(found.noisiest) == 5
    noise = [layer.sqnr_db for layer in found.noisiest]
    assert noise == sorted(noise)
    assert all(5 < value < 80 for value in noise)

    graph = read_model(tmp_path / MODEL_FILE)
    metadata = read_metadata(graph, MODEL_FILE)
    assert metadata is not None
    assert metadata.preprocessing == SPEC
    assert metadata.classes == CLASSES
    assert b'"preset": "demo"' in graph.metadata["edgemcu"]
    outputs = np.load(tmp_path / OUTPUTS_FILE)
    assert evaluate(test.labels, outputs.argmax(1), CLASSES) == found.int8
    # The default preprocessing makes the input bytes pixel − 128.
    rows = (test.images.reshape(len(test), -1) ^ 0x80).astype(np.uint8)
    assert np.array_equal(run_reference(tmp_path / MODEL_FILE, rows).view(np.int8), outputs)


def test_the_same_network_gives_the_same_model(
    trained: tuple[Path, TrainingResult], tmp_path: Path
) -> None:
    folder, _ = trained
    photos = make_easy_photos(SPEC, 10)
    weights = load_weights(folder / "weights.npz")
    models = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        probabilities = np.zeros((30, 3), np.float32)
        quantize(weights, photos, photos, probabilities, out=tmp_path / name)
        models.append((tmp_path / name / MODEL_FILE).read_bytes())
    assert models[0] == models[1]


def test_dead_networks_are_refused_before_the_interpreter_sees_them(tmp_path: Path) -> None:
    builder = ModelBuilder()
    x = builder.input((1, 4, 4, 1), scale=8e-39, zero_point=0)
    y = builder.op("RELU", [x], (1, 4, 4, 1), 0.5, 0)
    builder.output(y)
    with pytest.raises(QuantizationError, match="cannot run"):
        check_int8(builder.finish())


def test_metadata_keeps_the_rest_as_it_was() -> None:
    builder = ModelBuilder()
    x = builder.input((1, 2, 2, 4), scale=0.1, zero_point=3)
    weights = np.arange(-8, 8, dtype=np.int8).reshape(4, 1, 1, 4)
    w = builder.constant(weights, scales=[0.1] * 4, zero_points=[0] * 4, axis=0)
    bias = builder.constant(
        np.arange(4, dtype=np.int32), scales=[0.01] * 4, zero_points=[0] * 4, axis=0
    )
    y = builder.op("CONV_2D", [x, w, bias], (1, 2, 2, 4), 0.2, 4)
    builder.output(y)
    builder.metadata("other", b"kept")
    model = builder.finish()
    changed = add_metadata(add_metadata(model, "edgemcu", b"first"), "edgemcu", b"second")
    graph = parse_model(changed, "changed")
    assert graph.metadata["edgemcu"] == b"second"
    assert graph.metadata["other"] == b"kept"
    (op,) = graph.ops
    data = graph.tensors[op.inputs[1]].data
    assert data is not None
    assert np.array_equal(data, weights)
    for wanted in (weights.tobytes(), np.arange(4, dtype=np.int32).tobytes()):
        assert changed.index(wanted) % 16 == 0


def test_half_precision_weights(trained: tuple[Path, TrainingResult], tmp_path: Path) -> None:
    weights = load_weights(trained[0] / "weights.npz")
    save_weights(tmp_path / "half.npz", weights, half=True)
    half = load_weights(tmp_path / "half.npz")
    assert all(values.dtype == np.float16 for values in half.arrays.values())
    for name, values in weights.arrays.items():
        assert np.allclose(values, half.arrays[name], rtol=1e-3, atol=1e-6)
