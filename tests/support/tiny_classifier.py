"""A small deterministic classifier with edgemcu's metadata, as a .tflite file."""

from __future__ import annotations

import numpy as np

from edgemcu.preprocessing import METADATA_NAME, Preprocessing
from edgemcu.tflite import ModelMetadata
from tests.support.tflite_builder import ModelBuilder

CLASSES = ("cat", "dog", 'Vögel */ "??/')


def tiny_classifier(
    channels: int = 4, size: int = 8, classes: tuple[str, ...] | None = CLASSES
) -> bytes:
    """size×size RGB photo → convolution, mean, fully connected, softmax over three classes."""
    rng = np.random.default_rng(7)
    b = ModelBuilder()
    x = b.input((1, size, size, 3), 1 / 128, 0, name="photo")
    kernel = rng.integers(-127, 128, (channels, 3, 3, 3)).astype(np.int8)
    scales = rng.uniform(0.001, 0.01, channels).tolist()
    w = b.constant(kernel, scales)
    bias = b.constant(np.zeros(channels, np.int32), [s / 128 for s in scales])
    half = size // 2
    y = b.op(
        "CONV_2D", [x, w, bias], (1, half, half, channels), 0.02, -128,
        padding="SAME", stride=2, activation="RELU6",
    )  # fmt: skip
    axes = b.constant(np.array([1, 2], np.int32))
    y = b.op("MEAN", [y, axes], (1, channels), 0.02, -128, keep_dims=False)
    w = b.constant(rng.integers(-127, 128, (3, channels)).astype(np.int8), 0.01)
    bias = b.constant(np.array([10, -10, 0], np.int32), 0.02 * 0.01)
    y = b.op("FULLY_CONNECTED", [y, w, bias], (1, 3), 0.1, 4)
    b.output(b.op("SOFTMAX", [y], (1, 3), 1 / 256, -128, beta=1.0))
    if classes is not None:
        b.metadata(METADATA_NAME, ModelMetadata(Preprocessing(size, size), classes).encode())
    return b.finish()
