"""Damaged models: the reader refuses them with its own error, in bounded time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgemcu.graph.ir import OpKind
from edgemcu.preprocessing import METADATA_NAME, Preprocessing
from edgemcu.tflite import ModelMetadata
from tests.support.random_models import RandomModel, one_operator_model

ROOT = Path(__file__).parents[2]

linux = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="bounds memory as Linux does"
)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    for kind in OpKind:
        (folder / f"{kind.value}.tflite").write_bytes(one_operator_model(kind))
    for seed in range(8):
        model = RandomModel(np.random.default_rng(seed))
        for _ in range(6):
            model.step()
        (folder / f"chain{seed}.tflite").write_bytes(model.finish())
    model = RandomModel(np.random.default_rng(0), (1, 8, 8, 3))
    model.step(OpKind.CONV_2D)
    classes = tuple(f"class {i}" for i in range(int(np.prod(model.shape))))
    metadata = ModelMetadata(Preprocessing(8, 8), classes)
    model.builder.metadata(METADATA_NAME, metadata.encode())
    (folder / "metadata.tflite").write_bytes(model.finish())
    return folder


def fuzz(folder: Path, count: int, seed: int) -> dict[str, int]:
    finished = subprocess.run(
        [sys.executable, "-m", "tests.support.fuzz_reader", str(folder), str(count), str(seed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    outcome: dict[str, int] = json.loads(finished.stdout)
    return outcome


@linux
def test_a_thousand_damaged_models(seeds: Path) -> None:
    outcome = fuzz(seeds, 1000, seed=1)
    assert outcome["files"] == 1000
    # Some damage is in the weights, or nowhere that matters: the rest of the path is tried too.
    assert 100 < outcome["read"] < 900


@linux
@pytest.mark.slow
def test_twenty_thousand_damaged_models(seeds: Path) -> None:
    assert fuzz(seeds, 20_000, seed=2)["files"] == 20_000


@linux
@pytest.mark.slow
def test_damaged_copies_of_a_converted_model(tmp_path: Path) -> None:
    (tmp_path / "converted.tflite").write_bytes(_converted_model())
    assert fuzz(tmp_path, 5_000, seed=3)["files"] == 5_000


def _converted_model() -> bytes:
    """A small network as TensorFlow's converter writes it."""
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    keras = tf.keras
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3), batch_size=1),
            keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            keras.layers.DepthwiseConv2D(3, padding="same"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(0)
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rng.uniform(-1, 1, (1, 8, 8, 3)).astype(np.float32)] for _ in range(16)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    model: bytes = converter.convert()
    return model
