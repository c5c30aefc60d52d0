"""Small networks whose tensor arena was measured in TensorFlow Lite Micro.

Together they use every operator that edgemcu sets TFLM up for. They must stay as they are: the
figures in `MEASURED` belong to these bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.support.tflite_builder import ModelBuilder
from tests.support.tiny_classifier import tiny_classifier


class _Network:
    """A builder with one quantization for everything, and weights that do not matter."""

    SCALE, ZERO = 0.05, 3

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.b = ModelBuilder()
        self.x = self.b.input(shape, self.SCALE, self.ZERO)

    def weights(self, shape: tuple[int, ...], axis: int, *, per_channel: bool = True) -> list[int]:
        count = shape[axis]
        scales = [0.01] * (count if per_channel else 1)
        values = (np.arange(np.prod(shape)) % 251 - 125).astype(np.int8).reshape(shape)
        bias = np.arange(count, dtype=np.int32)
        return [
            self.b.constant(values, scales, axis=axis),
            self.b.constant(bias, [s * self.SCALE for s in scales]),
        ]

    def op(self, kind: str, inputs: list[int], shape: tuple[int, ...], **options: object) -> int:
        return self.b.op(kind, inputs, shape, self.SCALE, self.ZERO, **options)

    def finish(self, *outputs: int) -> bytes:
        self.b.output(*outputs)
        return self.b.finish()


def residual() -> bytes:
    """Convolutions with a skip connection, pooling, a per-tensor FULLY_CONNECTED, LOGISTIC."""
    n = _Network((1, 12, 10, 3))
    y = n.op("CONV_2D", [n.x, *n.weights((8, 3, 3, 3), 0)], (1, 12, 10, 8), padding="SAME")
    z = n.op("DEPTHWISE_CONV_2D", [y, *n.weights((1, 5, 5, 8), 3)], (1, 12, 10, 8), padding="SAME")
    z = n.op("CONV_2D", [z, *n.weights((8, 1, 1, 8), 0)], (1, 12, 10, 8), padding="SAME")
    y = n.op("ADD", [y, z], (1, 12, 10, 8), activation="RELU")
    y = n.op("MAX_POOL_2D", [y], (1, 6, 5, 8), window=2, stride=2)
    shape = n.b.constant(np.array([1, 240], np.int32))
    y = n.op("RESHAPE", [y, shape], (1, 240), new_shape=[1, 240])
    y = n.op("FULLY_CONNECTED", [y, *n.weights((5, 240), 0, per_channel=False)], (1, 5))
    return n.finish(n.b.op("LOGISTIC", [y], (1, 5), 1 / 256, -128))


def branches() -> bytes:
    """Everything else, with branches, two outputs, and a per-channel FULLY_CONNECTED."""
    n = _Network((1, 9, 9, 4))
    a = n.op("RELU", [n.x], (1, 9, 9, 4))
    b = n.op("RELU6", [n.x], (1, 9, 9, 4))
    c = n.op("HARD_SWISH", [n.x], (1, 9, 9, 4))
    a = n.op("MUL", [a, b], (1, 9, 9, 4))
    b = n.op("SUB", [b, c], (1, 9, 9, 4))
    y = n.op("CONCATENATION", [a, b, c], (1, 9, 9, 12), axis=3)
    pads = n.b.constant(np.array([[0, 0], [1, 2], [1, 2], [0, 0]], np.int32))
    y = n.op("PAD", [y, pads], (1, 12, 12, 12))
    y = n.op("AVERAGE_POOL_2D", [y], (1, 6, 6, 12), window=2, stride=2)
    axes = n.b.constant(np.array([1], np.int32))
    m = n.op("MEAN", [y, axes], (1, 1, 6, 12), keep_dims=True)
    m = n.op("SQUEEZE", [m], (1, 6, 12), squeeze_dims=[1])
    m = n.op("FULLY_CONNECTED", [m, *n.weights((7, 12), 0)], (1, 6, 7), keep_num_dims=True)
    q = n.b.op("QUANTIZE", [m], (1, 6, 7), 0.08, -4)
    s = n.b.op("SOFTMAX", [q], (1, 6, 7), 1 / 256, -128, beta=1.0)
    return n.finish(s, n.b.op("DEQUANTIZE", [y], (1, 6, 6, 12), dtype=np.float32))


def dense() -> bytes:
    """Small layers only: more arena is needed to start than is used afterwards."""
    n = _Network((1, 16))
    y = n.x
    for width in (16, 16, 8, 16, 16):
        size = n.b.graph.tensors[y].shape[1]
        weights = n.weights((width, size), 0, per_channel=False)
        y = n.op("FULLY_CONNECTED", [y, *weights], (1, width), activation="RELU")
    return n.finish(y)


NETWORKS: dict[str, Callable[[], bytes]] = {
    "classifier": tiny_classifier,
    "residual": residual,
    "branches": branches,
    "dense": dense,
}
