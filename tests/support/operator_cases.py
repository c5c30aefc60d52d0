"""Random one-operator models at the edges of what TensorFlow Lite allows, for exactness tests.

Where `random_models` keeps to the ordinary, these go for 1–9 channels and odd sizes, strides and
dilations, extreme zero points and multipliers, accumulators that saturate the output, and every
fused activation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.graph.ir import Padding
from edgemcu.graph.shapes import output_size
from tests.support.tflite_builder import ModelBuilder

Shape = tuple[int, ...]

ACTIVATIONS = ("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1")


@dataclass(frozen=True)
class Case:
    """A model and rows of input bytes for it."""

    kind: str
    seed: int
    model: bytes
    inputs: NDArray[np.uint8]


def make_case(kind: str, seed: int, rows: int = 3) -> Case:
    """The case of `kind` (a key of `CASES` or `WIDE_CASES`) that `seed` stands for."""
    c = _Maker(np.random.default_rng([seed, *kind.encode()]))
    (CASES.get(kind) or WIDE_CASES[kind])(c)
    inputs = np.stack([c.input_row(row) for row in range(rows)])
    return Case(kind, seed, c.builder.finish(), inputs)


class _Maker:
    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.builder = ModelBuilder()
        self.input_dtypes: list[tuple[Any, int, float]] = []

    def integer(self, low: int, high: int) -> int:
        """Both ends included."""
        return int(self.rng.integers(low, high + 1))

    def flip(self, chance: float = 0.5) -> bool:
        return bool(self.rng.random() < chance)

    def pick(self, *values: Any) -> Any:
        return values[self.integer(0, len(values) - 1)]

    def zero_point(self) -> int:
        return int(self.pick(-128, 127, 0, -1, self.integer(-128, 127), self.integer(-128, 127)))

    def scale(self, low: float = 1e-3, high: float = 0.5) -> float:
        value = np.exp(self.rng.uniform(np.log(low), np.log(high)))
        return float(np.float32(value))

    def near(self, scale: float) -> float:
        """A scale related to another: mostly close to it, sometimes far off, sometimes the same."""
        factor = self.pick(1.0, 2.0, self.rng.uniform(0.3, 3), self.rng.uniform(0.01, 30))
        return float(np.float32(scale * factor))

    def shape(self, channels: int | None = None, size: int = 9) -> Shape:
        return (
            1,
            self.integer(1, size),
            self.integer(1, size),
            channels or self.integer(1, 9),
        )

    def input(self, shape: Shape, scale: float, zero_point: int) -> int:
        self.input_dtypes.append((np.int8, int(np.prod(shape)), 0.0))
        return self.builder.input(shape, scale, zero_point)

    def input_row(self, row: int) -> NDArray[np.uint8]:
        """The first row is all extremes, the others are random."""
        parts = []
        for dtype, count, scale in self.input_dtypes:
            if dtype is np.float32:
                values = self.rng.normal(0, 60 * scale, count).astype(np.float32)
                steps = self.rng.integers(-140, 140, count) + self.rng.choice([0, 0.5], count)
                values = np.where(self.rng.random(count) < 0.5, values, np.float32(steps * scale))
                # Beyond 2^31 steps the reference's conversion to int32 is undefined.
                values[self.rng.random(count) < 0.02] = self.pick(2e9, -2e9, 0.0) * scale
                parts.append(values.astype(np.float32).view(np.uint8))
            elif row == 0:
                parts.append(self.rng.choice([-128, 127], count).astype(np.int8).view(np.uint8))
            else:
                parts.append(self.rng.integers(0, 256, count, dtype=np.uint8))
        return np.concatenate(parts)

    def weights(self, shape: Shape, axis: int, scale: float, depth: int) -> tuple[list[int], float]:
        """Weights and bias, and an output scale that ranges from saturation to all zeros."""
        count = shape[axis]
        per_channel = self.flip()
        scales = np.float32(np.exp(self.rng.uniform(np.log(1e-3), np.log(5e-2), count)))
        if not per_channel:
            scales = scales[:1]
        low, high = self.pick((-127, 127), (-128, 127), (-3, 3), (100, 127))
        values = self.rng.integers(low, high + 1, shape).astype(np.int8)
        operands = [self.builder.constant(values, scales, axis=axis)]
        magnitude = self.pick(100, 5000, 1_000_000, 1 << 29)
        bias = self.rng.integers(-magnitude, magnitude, count).astype(np.int32)
        operands.append(self.builder.constant(bias, np.float32(scales * np.float32(scale))))
        typical = float(scale * scales.mean() * 127 * 127 * np.sqrt(depth))
        spread = self.pick(self.rng.uniform(0.5, 2), self.rng.uniform(0.001, 1), 50.0, 300.0)
        return operands, float(np.float32(typical / 127 * spread))


def _window(c: _Maker, shape: Shape, size: int) -> tuple[dict[str, Any], tuple[int, int]]:
    """Options of a window that fits, and the output's height and width."""
    padding = c.pick("SAME", "VALID")
    stride = (c.integer(1, 3), c.integer(1, 3))
    window, dilation = [], []
    for length in shape[1:3]:
        taps = c.integer(1, size)
        step = c.integer(1, 3) if c.flip(0.3) else 1
        if padding == "VALID":
            taps = min(taps, length)
            step = min(step, (length - 1) // (taps - 1)) if taps > 1 else step
        window.append(taps)
        dilation.append(step)
    sizes = [
        output_size(n, w, s, d, Padding(padding))
        for n, w, s, d in zip(shape[1:3], window, stride, dilation, strict=True)
    ]
    options = {"padding": padding, "stride": stride, "dilation": tuple(dilation)}
    return {**options, "window": tuple(window)}, (sizes[0], sizes[1])


def _conv(c: _Maker) -> None:
    shape = c.shape()
    scale, zero_point = c.scale(), c.zero_point()
    x = c.input(shape, scale, zero_point)
    options, size = _window(c, shape, 5)
    window = options.pop("window")
    channels = c.integer(1, 9)
    depth = window[0] * window[1] * shape[3]
    operands, out_scale = c.weights((channels, *window, shape[3]), 0, scale, depth)
    _finish(c, "CONV_2D", [x, *operands], (1, *size, channels), out_scale, options)


def _conv_1x1(c: _Maker) -> None:
    shape = c.shape(c.integer(1, 40), size=6)
    scale = c.scale()
    x = c.input(shape, scale, c.zero_point())
    channels = c.integer(1, 20)
    operands, out_scale = c.weights((channels, 1, 1, shape[3]), 0, scale, shape[3])
    _finish(c, "CONV_2D", [x, *operands], (*shape[:3], channels), out_scale, {"padding": "SAME"})


def _conv_behind_pad(c: _Maker) -> None:
    shape = c.shape(size=6)
    scale, zero_point = c.scale(), c.zero_point()
    x = c.input(shape, scale, zero_point)
    paddings = np.array([[0, 0], *c.rng.integers(0, 3, (2, 2)), [0, 0]], np.int32)
    padded = tuple(int(n) for n in np.array(shape) + paddings.sum(axis=1))
    x = c.builder.op("PAD", [x, c.builder.constant(paddings)], padded, scale, zero_point)
    options, size = _window(c, padded, 3)
    window = options.pop("window")
    depthwise = c.flip()
    channels = shape[3] if depthwise else c.integer(1, 5)
    kernel = (1, *window, channels) if depthwise else (channels, *window, shape[3])
    operands, out_scale = c.weights(kernel, 3 if depthwise else 0, scale, window[0] * window[1])
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    _finish(c, kind, [x, *operands], (1, *size, channels), out_scale, options)


def _grouped_conv(c: _Maker) -> None:
    groups, depth, per_group = c.integer(2, 4), c.integer(1, 4), c.integer(1, 3)
    shape = c.shape(groups * depth, size=6)
    scale = c.scale()
    x = c.input(shape, scale, c.zero_point())
    options, size = _window(c, shape, 3)
    window = options.pop("window")
    kernel = (groups * per_group, *window, depth)
    operands, out_scale = c.weights(kernel, 0, scale, window[0] * window[1] * depth)
    _finish(c, "CONV_2D", [x, *operands], (1, *size, groups * per_group), out_scale, options)


def _depthwise(c: _Maker, taps: int = 5) -> None:
    shape = c.shape()
    scale = c.scale()
    x = c.input(shape, scale, c.zero_point())
    options, size = _window(c, shape, taps)
    window = options.pop("window")
    multiplier = c.pick(1, 1, c.integer(2, 4))
    channels = shape[3] * multiplier
    operands, out_scale = c.weights((1, *window, channels), 3, scale, window[0] * window[1])
    options["depth_multiplier"] = multiplier
    _finish(c, "DEPTHWISE_CONV_2D", [x, *operands], (1, *size, channels), out_scale, options)


def _depthwise_3x3(c: _Maker) -> None:
    shape = c.shape()
    scale = c.scale()
    x = c.input(shape, scale, c.zero_point())
    padding = c.pick("SAME", "VALID") if min(shape[1:3]) >= 3 else "SAME"
    stride = (c.integer(1, 2), c.integer(1, 2))
    size = [
        output_size(n, 3, s, 1, Padding(padding)) for n, s in zip(shape[1:3], stride, strict=True)
    ]
    operands, out_scale = c.weights((1, 3, 3, shape[3]), 3, scale, 9)
    options = {"padding": padding, "stride": stride}
    _finish(c, "DEPTHWISE_CONV_2D", [x, *operands], (1, *size, shape[3]), out_scale, options)


def _fully_connected(c: _Maker) -> None:
    rows, depth, channels = c.pick(1, 1, c.integer(2, 4)), c.integer(1, 40), c.integer(1, 20)
    scale = c.scale()
    x = c.input((rows, depth), scale, c.zero_point())
    operands, out_scale = c.weights((channels, depth), 0, scale, depth)
    if c.flip(0.2):
        operands.pop()
    _finish(c, "FULLY_CONNECTED", [x, *operands], (rows, channels), out_scale, {})


def _finish(
    c: _Maker, kind: str, operands: list[int], shape: Shape, scale: float, options: dict[str, Any]
) -> None:
    activation = c.pick(*ACTIVATIONS)
    output = c.builder.op(
        kind, operands, shape, scale, c.zero_point(), activation=activation, **options
    )
    c.builder.output(output)


def _pool(c: _Maker, kind: str) -> None:
    shape = c.shape()
    scale, zero_point = c.scale(), c.zero_point()
    x = c.input(shape, scale, zero_point)
    padding = c.pick("SAME", "VALID")
    limit = 9 if padding == "SAME" else 99
    window = tuple(c.integer(1, min(n, limit)) for n in shape[1:3])
    stride = (c.integer(1, 3), c.integer(1, 3))
    size = [
        output_size(n, w, s, 1, Padding(padding))
        for n, w, s in zip(shape[1:3], window, stride, strict=True)
    ]
    c.builder.output(
        c.builder.op(
            kind,
            [x],
            (1, *size, shape[3]),
            scale,
            zero_point,
            padding=padding,
            window=window,
            stride=stride,
            activation=c.pick(*ACTIVATIONS),
        )
    )


def _mean(c: _Maker) -> None:
    rank = c.pick(4, 4, 4, 2, 3)
    shape = c.shape(size=12) if rank == 4 else tuple(c.integer(1, 9) for _ in range(rank))
    scale, zero_point = c.scale(), c.zero_point()
    x = c.input(shape, scale, zero_point)
    count = c.integer(1, rank)
    axes = sorted(int(a) for a in c.rng.choice(rank, count, replace=False))
    if rank == 4 and c.flip(0.4):
        axes = [1, 2]
    keep = c.flip()
    out = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
    same = c.flip(0.3)
    out_scale, out_zero = (scale, zero_point) if same else (c.near(scale), c.zero_point())
    axis = c.builder.constant(np.array(axes, np.int32))
    c.builder.output(c.builder.op("MEAN", [x, axis], out, out_scale, out_zero, keep_dims=keep))


def _binary(c: _Maker, kind: str) -> None:
    shape = tuple(c.integer(1, 5) for _ in range(c.integer(1, 4)))
    scale = c.scale()
    sides, scales = [], []
    second = tuple(1 if c.flip(0.4) else n for n in shape)
    first = tuple(1 if c.flip(0.2) else n for n in shape)
    if c.flip(0.3):
        first = second = shape
    if c.flip(0.3):
        second = second[c.integer(0, len(second) - 1) :]
    out = np.broadcast_shapes(first, second)
    for side in (first, second):
        side_scale = c.near(scale)
        zero_point = c.zero_point()
        if sides and c.flip(0.3):
            values = c.rng.integers(-128, 128, side).astype(np.int8)
            sides.append(c.builder.constant(values, side_scale, zero_point))
        else:
            sides.append(c.input(side, side_scale, zero_point))
        scales.append(side_scale)
    if first == second and c.flip(0.2):
        sides[1], scales[1] = sides[0], scales[0]
        del c.input_dtypes[1:], c.builder.graph.inputs[1:]
    if c.flip(0.3):
        sides.reverse()
    reach = scales[0] * scales[1] * 100 if kind == "MUL" else max(scales)
    activation = c.pick(*ACTIVATIONS)
    c.builder.output(
        c.builder.op(kind, sides, out, c.near(reach), c.zero_point(), activation=activation)
    )


def _pad(c: _Maker) -> None:
    shape = tuple(c.integer(1, 5) for _ in range(c.integer(1, 4)))
    if len(shape) == 4:
        shape = (1, *shape[1:])
    scale, zero_point = c.scale(), c.zero_point()
    x = c.input(shape, scale, zero_point)
    paddings = c.rng.integers(0, 3, (len(shape), 2)).astype(np.int32)
    if len(shape) == 4:
        paddings[0] = 0
    out = tuple(int(n) for n in np.array(shape) + paddings.sum(axis=1))
    c.builder.output(c.builder.op("PAD", [x, c.builder.constant(paddings)], out, scale, zero_point))


def _concatenation(c: _Maker) -> None:
    rank = c.integer(1, 4)
    shape = [1, *(c.integer(1, 5) for _ in range(rank - 1))] if rank == 4 else [3] * rank
    axis = c.integer(1 if rank == 4 else 0, rank - 1)
    scale, zero_point = c.scale(), c.zero_point()
    tensors, total = [], 0
    for _ in range(c.integer(1, 4)):
        piece = shape.copy()
        piece[axis] = c.integer(1, 5)
        total += piece[axis]
        if tensors and c.flip(0.3):
            values = c.rng.integers(-128, 128, piece).astype(np.int8)
            tensors.append(c.builder.constant(values, scale, zero_point))
        else:
            tensors.append(c.input(tuple(piece), scale, zero_point))
    shape[axis] = total
    written = axis if c.flip() else axis - rank
    c.builder.output(c.builder.op("CONCATENATION", tensors, shape, scale, zero_point, axis=written))


def _softmax(c: _Maker) -> None:
    shape = (*(c.integer(1, 6) for _ in range(c.integer(0, 2))), c.integer(1, 40))
    x = c.input(shape, c.scale(1e-4, 2.0), c.zero_point())
    beta = float(np.float32(c.pick(1.0, 1.0, c.rng.uniform(0.1, 3))))
    c.builder.output(c.builder.op("SOFTMAX", [x], shape, 1 / 256, -128, beta=beta))


def _unary(c: _Maker, kind: str) -> None:
    """All 256 inputs."""
    scale, zero_point = c.scale(1e-4, 2.0), c.zero_point()
    x = c.input((1, 256), scale, zero_point)
    out_scale, out_zero = c.near(scale), c.zero_point()
    if kind == "LOGISTIC":
        out_scale, out_zero = 1 / 256, -128
    c.builder.output(c.builder.op(kind, [x], (1, 256), out_scale, out_zero))


def _quantize_float(c: _Maker) -> None:
    scale = c.scale()
    c.input_dtypes.append((np.float32, 37, scale))
    x = c.builder.input((1, 37), dtype=np.float32)
    c.builder.output(c.builder.op("QUANTIZE", [x], (1, 37), scale, c.zero_point()))


def _dequantize_float(c: _Maker) -> None:
    x = c.input((1, 37), c.scale(), c.zero_point())
    c.builder.output(c.builder.op("DEQUANTIZE", [x], (1, 37), dtype=np.float32))


CASES: dict[str, Callable[[_Maker], None]] = {
    "CONV_2D": _conv,
    "CONV_2D 1x1": _conv_1x1,
    "CONV_2D behind PAD": _conv_behind_pad,
    "CONV_2D grouped": _grouped_conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEPTHWISE_CONV_2D 3x3": _depthwise_3x3,
    "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": lambda c: _pool(c, "AVERAGE_POOL_2D"),
    "MAX_POOL_2D": lambda c: _pool(c, "MAX_POOL_2D"),
    "MEAN": _mean,
    "ADD": lambda c: _binary(c, "ADD"),
    "SUB": lambda c: _binary(c, "SUB"),
    "MUL": lambda c: _binary(c, "MUL"),
    "PAD": _pad,
    "CONCATENATION": _concatenation,
    "SOFTMAX": _softmax,
    "LOGISTIC": lambda c: _unary(c, "LOGISTIC"),
    "RELU": lambda c: _unary(c, "RELU"),
    "RELU6": lambda c: _unary(c, "RELU6"),
    "HARD_SWISH": lambda c: _unary(c, "HARD_SWISH"),
    "QUANTIZE": lambda c: _unary(c, "QUANTIZE"),
    "QUANTIZE float32": _quantize_float,
    "DEQUANTIZE float32": _dequantize_float,
}


def _padded(c: _Maker, x: int, shape: Shape, scale: float, zero_point: int) -> tuple[int, Shape]:
    """Behind a PAD of unequal sides, which goes into the convolution that follows."""
    paddings = np.array([[0, 0], *c.rng.integers(0, 3, (2, 2)), [0, 0]], np.int32)
    padded = tuple(int(n) for n in np.array(shape) + paddings.sum(axis=1))
    operands = [x, c.builder.constant(paddings)]
    return c.builder.op("PAD", operands, padded, scale, zero_point), padded


def _wide_conv(c: _Maker) -> None:
    """Windows of up to 3×3, or long ones of few channels; mostly without dilation."""
    shape = c.shape(c.pick(c.integer(1, 17), c.integer(1, 48)), size=c.pick(4, 8))
    scale, zero_point = c.scale(), c.zero_point()
    x = c.input(shape, scale, zero_point)
    if c.flip(0.4):
        x, shape = _padded(c, x, shape, scale, zero_point)
    options, size = _window(c, shape, 3 if shape[3] > 4 else 10)
    if c.flip(0.6):
        options["dilation"] = (1, 1)
        padding = Padding(options["padding"])
        height, width = (
            output_size(n, w, s, 1, padding)
            for n, w, s in zip(shape[1:3], options["window"], options["stride"], strict=True)
        )
        size = height, width
    window = options.pop("window")
    channels = c.integer(1, 17)
    depth = window[0] * window[1] * shape[3]
    operands, out_scale = c.weights((channels, *window, shape[3]), 0, scale, depth)
    _finish(c, "CONV_2D", [x, *operands], (1, *size, channels), out_scale, options)


def _wide_depthwise_3x3(c: _Maker) -> None:
    """The same stride in both directions."""
    shape = (1, c.integer(1, 9), c.integer(1, 19), c.pick(c.integer(1, 17), c.integer(1, 40)))
    scale, zero_point = c.scale(), c.zero_point()
    x = c.input(shape, scale, zero_point)
    if c.flip(0.4):
        x, shape = _padded(c, x, shape, scale, zero_point)
    padding = c.pick("SAME", "VALID") if min(shape[1:3]) >= 3 else "SAME"
    stride = c.integer(1, 2)
    height, width = (output_size(n, 3, stride, 1, Padding(padding)) for n in shape[1:3])
    operands, out_scale = c.weights((1, 3, 3, shape[3]), 3, scale, 9)
    options = {"padding": padding, "stride": (stride, stride)}
    out_shape = (1, height, width, shape[3])
    _finish(c, "DEPTHWISE_CONV_2D", [x, *operands], out_shape, out_scale, options)


def _wide_mean(c: _Maker) -> None:
    shape = c.shape(c.integer(1, 40))
    scale = c.scale()
    x = c.input(shape, scale, c.zero_point())
    axes = c.builder.constant(np.array([1, 2], np.int32))
    out_scale, out_zero = c.near(scale), c.zero_point()
    c.builder.output(c.builder.op("MEAN", [x, axes], (1, shape[3]), out_scale, out_zero))


def _wide_add(c: _Maker) -> None:
    shape = (1, c.integer(1, 200))
    scale = c.scale()
    scales = [scale, c.near(scale)]
    sides = [c.input(shape, side, c.zero_point()) for side in scales]
    activation = c.pick(*ACTIVATIONS)
    out_scale = c.near(max(scales))
    c.builder.output(
        c.builder.op("ADD", sides, shape, out_scale, c.zero_point(), activation=activation)
    )


WIDE_CASES: dict[str, Callable[[_Maker], None]] = {
    "CONV_2D wide": _wide_conv,
    "DEPTHWISE_CONV_2D 3x3 wide": _wide_depthwise_3x3,
    "MEAN wide": _wide_mean,
    "ADD wide": _wide_add,
}
"""More channels and elements, for kernels that compute many at once."""
