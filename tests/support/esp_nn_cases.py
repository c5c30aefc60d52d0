"""Random one-operator models that ESP-NN's functions can compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgemcu.graph.ir import Padding
from edgemcu.graph.shapes import output_size
from tests.support.operator_cases import Case
from tests.support.tflite_builder import ModelBuilder


@dataclass
class _Maker:
    rng: np.random.Generator
    builder: ModelBuilder
    counts: list[int]

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def pick(self, *values: Any) -> Any:
        return values[self.integer(0, len(values) - 1)]

    def input(self, shape: tuple[int, ...], scale: float) -> int:
        self.counts.append(int(np.prod(shape)))
        return self.builder.input(shape, scale, self.pick(-128, 127, 0, self.integer(-128, 127)))

    def weights(self, shape: tuple[int, ...], axis: int, scale: float) -> tuple[list[int], float]:
        """Weights and bias, and an output scale with which some outputs saturate."""
        count = shape[axis]
        scales = np.float32(np.exp(self.rng.uniform(np.log(1e-3), np.log(2e-2), count)))
        values = self.rng.integers(-128, 128, shape).astype(np.int8)
        bias = self.rng.integers(-20_000, 20_000, count).astype(np.int32)
        operands = [
            self.builder.constant(values, scales, axis=axis),
            self.builder.constant(bias, np.float32(scales * np.float32(scale))),
        ]
        depth = values.size // count
        typical = float(scale * scales.max() * 74 * 74 * np.sqrt(depth))
        return operands, float(np.float32(typical / 127 * self.rng.uniform(0.5, 2)))

    def finish(
        self, kind: str, inputs: list[int], shape: tuple[int, ...], scale: float, **options: Any
    ) -> None:
        zero_point = self.pick(-128, 0, self.integer(-128, 127))
        activation = self.pick("NONE", "RELU", "RELU6")
        output = self.builder.op(
            kind, inputs, shape, scale, zero_point, activation=activation, **options
        )
        self.builder.output(output)


def fitting_case(kind: str, seed: int, rows: int = 3) -> Case:
    """The case of `kind` (a key of `FITTING`) that `seed` stands for."""
    rng = np.random.default_rng([seed, *kind.encode()])
    maker = _Maker(rng, ModelBuilder(), [])
    FITTING[kind](maker)
    inputs = rng.integers(0, 256, (rows, sum(maker.counts)), dtype=np.uint8)
    inputs[0] = rng.choice([0x80, 0x7F], sum(maker.counts))
    return Case(kind, seed, maker.builder.finish(), inputs)


def _slide(size: tuple[int, int], taps: int, stride: int, padding: str) -> tuple[int, int]:
    height, width = (output_size(length, taps, stride, 1, Padding(padding)) for length in size)
    return height, width


def _conv(m: _Maker) -> None:
    stride = m.pick(1, 1, 2)
    taps = m.pick(3, 5) if stride == 1 else 3
    # Of an even size and a stride of 2, padding is at the end alone.
    size = (2 * m.integer(3, 6), 2 * m.integer(3, 6))
    channels, outputs = m.pick(2, 3, 4, 8, 16, 20), m.integer(1, 12)
    padding = m.pick("SAME", "VALID")
    x = m.input((1, *size, channels), 0.02)
    operands, scale = m.weights((outputs, taps, taps, channels), 0, 0.02)
    out = _slide(size, taps, stride, padding)
    m.finish(
        "CONV_2D",
        [x, *operands],
        (1, *out, outputs),
        scale,
        padding=padding,
        stride=(stride, stride),
    )


def _conv_1x1(m: _Maker) -> None:
    size, channels, outputs = (
        (m.integer(1, 7), m.integer(1, 7)),
        8 * m.integer(1, 6),
        m.integer(1, 20),
    )
    x = m.input((1, *size, channels), 0.02)
    operands, scale = m.weights((outputs, 1, 1, channels), 0, 0.02)
    m.finish("CONV_2D", [x, *operands], (1, *size, outputs), scale, padding="SAME")


def _depthwise(m: _Maker) -> None:
    stride, padding = m.pick(1, 2), m.pick("SAME", "VALID")
    size = (2 * m.integer(2, 6), 2 * m.integer(2, 6))
    channels = 16 * m.integer(1, 3)
    x = m.input((1, *size, channels), 0.02)
    operands, scale = m.weights((1, 3, 3, channels), 3, 0.02)
    out = _slide(size, 3, stride, padding)
    m.finish(
        "DEPTHWISE_CONV_2D",
        [x, *operands],
        (1, *out, channels),
        scale,
        padding=padding,
        stride=(stride, stride),
    )


def _dense(m: _Maker) -> None:
    inputs, outputs = m.integer(16, 100), m.integer(1, 30)
    x = m.input((1, inputs), 0.02)
    operands, scale = m.weights((outputs, inputs), 0, 0.02)
    m.finish("FULLY_CONNECTED", [x, *operands], (1, outputs), scale)


def _binary(kind: str) -> Callable[[_Maker], None]:
    def make(m: _Maker) -> None:
        shape = (1, m.integer(1, 9), m.integer(1, 9), m.integer(1, 9))
        a, b = m.input(shape, 0.03), m.input(shape, 0.03 * m.rng.uniform(0.2, 1.0))
        scale = float(np.float32(m.rng.uniform(0.03, 0.1)))
        m.finish(kind, [a, b], shape, scale)

    return make


FITTING: dict[str, Callable[[_Maker], None]] = {
    "CONV_2D": _conv,
    "CONV_2D 1x1": _conv_1x1,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "ADD": _binary("ADD"),
    "MUL": _binary("MUL"),
}
