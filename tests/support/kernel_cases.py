"""Random layers for the kernels of one target, each forced to compute what it says it can.

Where `operator_cases` goes for what the reference allows at all, these stay within what fast
kernels take: narrow weights, biases of networks, factors below a half. Shapes hit every tail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np

from edgemcu.compiler import CompiledModel, compile_model, kernels
from edgemcu.compiler import operations as o
from edgemcu.graph.ir import Padding
from edgemcu.graph.shapes import output_size
from edgemcu.tflite import parse_model
from tests.support.operator_cases import Case
from tests.support.tflite_builder import ModelBuilder
from tests.support.tight import tight_models

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


class _Layer:
    def __init__(self, seed: int, kind: str) -> None:
        self.rng = np.random.default_rng([seed, *kind.encode()])
        self.kind = kind
        self.seed = seed
        self.builder = ModelBuilder()
        self.elements: list[int] = []

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def pick(self, *values: int) -> int:
        return values[self.integer(0, len(values) - 1)]

    def zero_point(self) -> int:
        return self.pick(-128, -128, 127, 0, -1, self.integer(-128, 127))

    def input(self, shape: tuple[int, ...], scale: float, zero_point: int) -> int:
        self.elements.append(int(np.prod(shape)))
        return self.builder.input(shape, scale, zero_point)

    def weights(self, shape: tuple[int, ...], axis: int, scale: float, depth: int) -> list[int]:
        """Weights and biases; sums spread over a few times the output's range (or far more)."""
        channels = shape[axis]
        magnitude = self.pick(127, 127, 40, 1)
        values = self.rng.integers(-magnitude, magnitude + 1, shape).astype(np.int8)
        if self.integer(0, 3) == 0:
            # Whole channels of zeros, and of the largest weights.
            lines = np.moveaxis(values, axis, 0)
            lines[self.rng.random(channels) < 0.3] = 0
            lines[self.rng.random(channels) < 0.2] = self.pick(-127, 127)
        typical = scale * 74 * magnitude * float(np.sqrt(depth))
        spread = np.exp(self.rng.uniform(np.log(0.3), np.log(20), channels))
        factors = np.float32(spread * 60 / typical) if self.integer(0, 3) else np.float32(0.01)
        # A factor of a half is not for these kernels.
        scales = np.minimum(np.float32(factors), np.float32(0.49 / scale)) * np.ones(channels)
        scales = scales.astype(np.float32)
        reach = self.pick(1, 100, 30_000)
        bias = self.rng.integers(-reach, reach + 1, channels).astype(np.int32)
        return [
            self.builder.constant(values, scales, axis=axis),
            self.builder.constant(bias, np.float32(scales * np.float32(scale))),
        ]

    def wide_weights(self, shape: tuple[int, int]) -> list[int]:
        """Weights of one sign in each channel, whose sums may be far beyond the output."""
        signs = self.rng.choice([-1, 1], (shape[0], 1))
        values = (self.rng.integers(100, 128, shape) * signs).astype(np.int8)
        scales = np.float32(np.exp(self.rng.uniform(np.log(3e-3), np.log(0.02), shape[0])))
        bias = self.rng.integers(-30_000, 30_001, shape[0]).astype(np.int32)
        return [
            self.builder.constant(values, scales, axis=0),
            self.builder.constant(bias, np.float32(scales * np.float32(0.05))),
        ]

    def window(
        self,
        size: tuple[int, int],
        window: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int] = (1, 1),
    ) -> tuple[str, tuple[int, int]]:
        padding = ("SAME", "VALID")[self.integer(0, 1)]
        if any((w - 1) * d >= n for n, w, d in zip(size, window, dilation, strict=True)):
            padding = "SAME"
        rows, columns = (
            output_size(n, w, s, d, Padding(padding))
            for n, w, s, d in zip(size, window, stride, dilation, strict=True)
        )
        return padding, (rows, columns)

    def finish(
        self,
        operator: str,
        inputs: list[int],
        shape: tuple[int, ...],
        quantization: tuple[float, int] | None = None,
        **options: Any,
    ) -> Case:
        """Output scales of about 1: weights' scales decide how large the outputs get."""
        if operator not in ("MEAN", "HARD_SWISH"):
            options["activation"] = ACTIVATIONS[self.integer(0, 3)]
        scale, zero_point = quantization or (float(self.pick(1, 1, 2)), self.zero_point())
        tensor = self.builder.op(operator, inputs, shape, scale, zero_point, **options)
        self.builder.output(tensor)
        count = sum(self.elements)
        extremes = self.rng.choice([-128, 127], count).astype(np.int8).view(np.uint8)
        rows = self.rng.integers(0, 256, (2, count)).astype(np.uint8)
        return Case(self.kind, self.seed, self.builder.finish(), np.stack([extremes, *rows]))


def _convolution(
    c: _Layer,
    size: tuple[int, int],
    channels: int,
    outputs: int,
    window: tuple[int, int],
    stride: tuple[int, int],
) -> Case:
    x = c.input((1, *size, channels), 0.05, c.zero_point())
    padding, (rows, columns) = c.window(size, window, stride)
    depth = window[0] * window[1] * channels
    operands = c.weights((outputs, *window, channels), 0, 0.05, depth)
    shape = (1, rows, columns, outputs)
    return c.finish("CONV_2D", [x, *operands], shape, padding=padding, stride=stride)


def conv_1x1(c: _Layer) -> Case:
    size = (c.integer(1, 5), c.integer(1, 5))
    channels = c.pick(c.integer(1, 9), c.integer(10, 40), 4 * c.integer(1, 20))
    return _convolution(c, size, channels, c.pick(c.integer(1, 9), 16, 17), (1, 1), (1, 1))


def conv_2d(c: _Layer) -> Case:
    size = (c.integer(1, 9), c.integer(1, 9))
    window = (c.integer(1, 5), c.integer(1, 5))
    stride = (c.integer(1, 3), c.integer(1, 3))
    channels = c.pick(c.integer(1, 9), 3, 4, 8)
    return _convolution(c, size, channels, c.integer(1, 9), window, stride)


def conv_of_one_channel(c: _Layer) -> Case:
    size, window = (c.integer(1, 12), c.integer(1, 12)), (c.integer(1, 7), c.integer(1, 7))
    stride = (c.integer(1, 2), c.integer(1, 2))
    return _convolution(c, size, 1, c.integer(1, 9), window, stride)


def conv_3x3(c: _Layer) -> Case:
    size = (c.integer(1, 9), c.integer(1, 9))
    return _convolution(c, size, c.pick(16, 32), c.pick(2, 4, 6, 10), (3, 3), (1, 1))


def conv_3x3_by_fours(c: _Layer) -> Case:
    size = (c.integer(1, 9), c.integer(1, 13))
    channels = c.pick(16, 32, 48, 4 * c.integer(1, 10))
    return _convolution(c, size, channels, c.pick(4, 8, 12), (3, 3), (1, 1))


def depthwise_3x3(c: _Layer) -> Case:
    size, channels = (
        (c.integer(1, 14), c.integer(1, 14)),
        c.pick(c.integer(1, 9), c.integer(10, 33)),
    )
    x = c.input((1, *size, channels), 0.05, c.zero_point())
    step = c.integer(1, 2)
    padding, (rows, columns) = c.window(size, (3, 3), (step, step))
    operands = c.weights((1, 3, 3, channels), 3, 0.05, 9)
    shape = (1, rows, columns, channels)
    return c.finish(
        "DEPTHWISE_CONV_2D",
        [x, *operands],
        shape,
        padding=padding,
        stride=step,
        depth_multiplier=1,
    )


def depthwise_2d(c: _Layer) -> Case:
    size, channels = (c.integer(1, 9), c.integer(1, 9)), c.pick(c.integer(1, 9), 12, 16)
    window, step = (c.integer(1, 5), c.integer(1, 5)), c.integer(1, 3)
    x = c.input((1, *size, channels), 0.05, c.zero_point())
    padding, (rows, columns) = c.window(size, window, (step, step))
    operands = c.weights((1, *window, channels), 3, 0.05, window[0] * window[1])
    shape = (1, rows, columns, channels)
    options = {"padding": padding, "stride": step, "depth_multiplier": 1}
    return c.finish("DEPTHWISE_CONV_2D", [x, *operands], shape, **options)


def depthwise_rows(c: _Layer) -> Case:
    """Windows up to 7 wide, dilated or with a stride, one to three outputs per channel."""
    # Of many channels, rows are not kept.
    size, channels = (c.integer(1, 16), c.integer(1, 16)), c.pick(c.integer(1, 9), 12, 61)
    window, stride = (c.integer(1, 7), c.integer(1, 7)), (c.integer(1, 3), c.integer(1, 2))
    dilation = (1, 1)
    if c.integer(0, 2) == 0:
        stride, dilation = (1, 1), (c.integer(1, 3), c.integer(1, 4))
    multiplier = c.pick(1, 1, 2, 3)
    x = c.input((1, *size, channels), 0.05, c.zero_point())
    padding, (rows, columns) = c.window(size, window, stride, dilation)
    outputs = channels * multiplier
    operands = c.weights((1, *window, outputs), 3, 0.05, window[0] * window[1])
    return c.finish(
        "DEPTHWISE_CONV_2D",
        [x, *operands],
        (1, rows, columns, outputs),
        padding=padding,
        stride=stride,
        dilation=dilation,
        depth_multiplier=multiplier,
    )


def depthwise_of_one_channel(c: _Layer) -> Case:
    size, outputs = (c.integer(1, 9), c.integer(1, 9)), c.integer(2, 9)
    window, step = (c.integer(1, 5), c.integer(1, 5)), c.integer(1, 3)
    x = c.input((1, *size, 1), 0.05, c.zero_point())
    padding, (rows, columns) = c.window(size, window, (step, step))
    operands = c.weights((1, *window, outputs), 3, 0.05, window[0] * window[1])
    shape = (1, rows, columns, outputs)
    options = {"padding": padding, "stride": step, "depth_multiplier": outputs}
    return c.finish("DEPTHWISE_CONV_2D", [x, *operands], shape, **options)


def conv_then_depthwise(c: _Layer) -> Case:
    """A convolution and ReLU, then a depthwise 3x3 convolution."""
    size = (c.integer(1, 11), c.pick(6, 7, 8, 9, c.integer(10, 30)))
    channels, between = c.pick(c.integer(1, 9), 16), c.integer(1, 10)
    window = c.pick(1, 1, 2, 3)
    stride = 1 if window == 1 or size[1] < 12 else c.integer(1, 2)
    x = c.input((1, *size, channels), 0.05, c.zero_point())
    padding, (rows, columns) = c.window(size, (window, window), (stride, stride))
    operands = c.weights((between, window, window, channels), 0, 0.05, window * window * channels)
    # Rows of less than three pixels and of five are not for this kernel.
    if columns == 5:
        padding, stride, (rows, columns) = "SAME", 1, size
    first = c.builder.op(
        "CONV_2D",
        [x, *operands],
        (1, rows, columns, between),
        8.0,
        -128,
        padding=padding,
        stride=(stride, stride),
        activation="RELU",
    )
    step = c.integer(1, 2)
    padding, outputs = c.window((rows, columns), (3, 3), (step, step))
    operands = c.weights((1, 3, 3, between), 3, 8.0, 9)
    options = {"padding": padding, "stride": step, "depth_multiplier": 1}
    return c.finish("DEPTHWISE_CONV_2D", [first, *operands], (1, *outputs, between), **options)


def fully_connected(c: _Layer) -> Case:
    rows, inputs, outputs = c.integer(1, 5), c.integer(1, 70), c.integer(1, 9)
    x = c.input((rows, inputs), 0.05, c.zero_point())
    operands = c.weights((outputs, inputs), 0, 0.05, inputs)
    return c.finish("FULLY_CONNECTED", [x, *operands], (rows, outputs))


def fully_connected_wide(c: _Layer) -> Case:
    """So many inputs that sums leave 24 bits, as they do for the rows of equal inputs."""
    rows, inputs, outputs = 2, c.integer(540, 1700), c.integer(1, 5)
    x = c.input((rows, inputs), 0.05, c.zero_point())
    case = c.finish("FULLY_CONNECTED", [x, *c.wide_weights((outputs, inputs))], (rows, outputs))
    ends = np.repeat(np.array([[-128], [127]], np.int8), rows * inputs, axis=1).view(np.uint8)
    return replace(case, inputs=np.concatenate([case.inputs, ends]))


def wide(c: _Layer) -> Case:
    """So many inputs that the largest sums take more than 24 bits."""
    rows, inputs, outputs = c.integer(1, 8), c.pick(c.integer(600, 1000), 520, 997), 5
    x = c.input((1, rows, 1, inputs), 0.05, 0)
    weights = c.rng.integers(-127, 128, (outputs, 1, 1, inputs)).astype(np.int8)
    weights[0], weights[1] = 127, -127
    spread = np.exp(c.rng.uniform(np.log(0.3), np.log(3), outputs))
    scales = np.float32(spread * 60 / (0.05 * 74 * 127 * np.sqrt(inputs)))
    bias = c.rng.integers(-30_000, 30_001, outputs).astype(np.int32)
    operands = [
        c.builder.constant(weights, scales, axis=0),
        c.builder.constant(bias, np.float32(scales * np.float32(0.05))),
    ]
    options = {"padding": "SAME", "stride": (1, 1)}
    case = c.finish("CONV_2D", [x, *operands], (1, rows, 1, outputs), **options)
    same = [np.full((1, rows * inputs), value, np.int8).view(np.uint8) for value in (-128, 127)]
    return replace(case, inputs=np.concatenate([case.inputs, *same]))


def _sum(c: _Layer, operator: str) -> Case:
    shape = (1, c.integer(5, 8), c.integer(9, 12), c.integer(12, 15))
    scales = [1.0, float(np.float32(np.exp(c.rng.uniform(-6, 0))))]
    if operator == "ADD" and c.integer(0, 1):
        scales.reverse()
    x = [c.input(shape, scale, c.zero_point()) for scale in scales]
    return c.finish(operator, x, shape)


def _pool(c: _Layer, operator: str) -> Case:
    size, channels = (c.integer(1, 12), c.integer(1, 12)), c.integer(1, 9)
    window, stride = (c.integer(1, 12), c.integer(1, 12)), (c.integer(1, 3), c.integer(1, 3))
    zero_point = c.zero_point()
    x = c.input((1, *size, channels), 0.05, zero_point)
    padding, (rows, columns) = c.window(size, window, stride)
    shape = (1, rows, columns, channels)
    options = {"padding": padding, "window": window, "stride": stride}
    return c.finish(operator, [x], shape, (0.05, zero_point), **options)


def mul(c: _Layer) -> Case:
    """Of one shape, or one operand per channel, per pixel, or of a single value."""
    height, width, channels = c.integer(1, 5), c.integer(1, 5), c.integer(1, 13)
    whole = (1, height, width, channels)
    other = (whole, (1, 1, 1, channels), (1, height, width, 1), (1, 1, 1, 1))[c.integer(0, 3)]
    shapes = [whole, other]
    if c.integer(0, 1):
        shapes.reverse()
    scales = [0.05, float(np.float32(np.exp(c.rng.uniform(-5, -1))))]
    x = [c.input(shape, s, c.zero_point()) for shape, s in zip(shapes, scales, strict=True)]
    quantization = (float(np.float32(np.exp(c.rng.uniform(-4, 1)))), c.zero_point())
    return c.finish("MUL", x, whole, quantization)


def lookup(c: _Layer) -> Case:
    shape = (1, c.integer(1, 6), c.integer(1, 6), c.integer(1, 9))
    x = c.input(shape, 0.05, c.zero_point())
    return c.finish("HARD_SWISH", [x], shape, (0.04, c.zero_point()))


def mean(c: _Layer) -> Case:
    """Up to 400 pixels: more than 16 bits hold the sum of."""
    shape = (1, c.integer(1, 20), c.integer(1, 20), c.integer(1, 9))
    x = c.input(shape, 1.0, c.zero_point())
    axes = c.builder.constant(np.array([1, 2], np.int32))
    return c.finish("MEAN", [x, axes], (1, shape[3]))


CASES: dict[str, Callable[[_Layer], Case]] = {
    "conv_1x1": conv_1x1,
    "conv_2d": conv_2d,
    "conv_of_one_channel": conv_of_one_channel,
    "conv_3x3": conv_3x3,
    "conv_3x3_by_fours": conv_3x3_by_fours,
    "depthwise_3x3": depthwise_3x3,
    "depthwise_2d": depthwise_2d,
    "depthwise_rows": depthwise_rows,
    "depthwise_of_one_channel": depthwise_of_one_channel,
    "conv_then_depthwise": conv_then_depthwise,
    "fully_connected": fully_connected,
    "fully_connected_wide": fully_connected_wide,
    "wide": wide,
    "add": lambda c: _sum(c, "ADD"),
    "sub": lambda c: _sum(c, "SUB"),
    "average_pool": lambda c: _pool(c, "AVERAGE_POOL_2D"),
    "max_pool": lambda c: _pool(c, "MAX_POOL_2D"),
    "mul": mul,
    "lookup": lookup,
    "mean": mean,
}


def make_case(kind: str, seed: int) -> Case:
    return CASES[kind](_Layer(seed, kind))


# Kernels of the target "cortex-m4", each with the cases that it computes and its operation.
DSP_KERNELS: tuple[tuple[str, str, type[o.Operation]], ...] = (
    ("conv_1x1", "conv_1x1_dsp_int8", o.Convolution),
    ("conv_1x1", "conv_2d_dsp_int8", o.Convolution),
    ("conv_1x1", "fully_connected_dsp_int8", o.Convolution),
    ("conv_2d", "conv_2d_dsp_int8", o.Convolution),
    ("conv_of_one_channel", "depthwise_rows_dsp_int8", o.Convolution),
    ("conv_3x3", "conv_2d_dsp_int8", o.Convolution),
    ("conv_3x3_by_fours", "winograd_3x3_dsp_int8", o.Convolution),
    ("conv_3x3_by_fours", "winograd_2x4_dsp_int8", o.Convolution),
    ("depthwise_3x3", "depthwise_3x3_dsp_int8", o.DepthwiseConvolution),
    ("depthwise_2d", "depthwise_pixels_dsp_int8", o.DepthwiseConvolution),
    ("depthwise_rows", "depthwise_rows_dsp_int8", o.DepthwiseConvolution),
    ("depthwise_of_one_channel", "conv_2d_dsp_int8", o.DepthwiseConvolution),
    ("conv_then_depthwise", "conv_depthwise_3x3_dsp_int8", o.ConvolutionThenDepthwise),
    ("fully_connected", "conv_1x1_dsp_int8", o.FullyConnected),
    ("fully_connected", "fully_connected_dsp_int8", o.FullyConnected),
    ("fully_connected_wide", "fully_connected_dsp_int8", o.FullyConnected),
    ("fully_connected", "conv_2d_wide_dsp_int8", o.FullyConnected),
    ("conv_2d", "conv_2d_wide_dsp_int8", o.Convolution),
    ("wide", "conv_2d_wide_dsp_int8", o.Convolution),
    ("add", "add_dsp_int8", o.Sum),
    ("sub", "add_dsp_int8", o.Sum),
    ("average_pool", "average_pool_2d_dsp_int8", o.Pool),
    ("max_pool", "max_pool_2d_dsp_int8", o.Pool),
    ("mul", "mul_dsp_int8", o.Product),
    ("lookup", "lookup_dsp_int8", o.Lookup),
    ("mean", "mean_dsp_int8", o.Mean),
)


def compile_forced(
    case: Case, target: str, name: str, operation: type[o.Operation]
) -> list[CompiledModel]:
    """The case by the kernel `name` of `target`, whatever it costs; where it cannot, by another.

    First as the planner lays out its memory, then with the output over each input as far as the
    kernel allows.
    """
    real = kernels.targets()
    forced = tuple(
        replace(kernel, cost=lambda _: -1.0)
        if (kernel.name, kernel.operation) == (name, operation)
        else kernel
        for kernel in real[target]
    )
    graph = parse_model(case.model, case.kind)
    with mock.patch.object(kernels, "targets", lambda: {**real, target: forced}):
        usual = compile_model(graph, target=target, model_digest="0" * 64)
        return [usual, *tight_models(graph, target=target, alignment=4)]


@dataclass(frozen=True)
class ForcedCase:
    """A case, and a model in which one kernel computes it."""

    case: Case
    compiled: CompiledModel


def dsp_cases(seeds: Sequence[int], target: str = "cortex-m4") -> list[ForcedCase]:
    """Cases of every kernel in `DSP_KERNELS`; almost all must be what the kernel can compute."""
    result = []
    for kind, name, operation in DSP_KERNELS:
        computed = []
        for seed in seeds:
            case = make_case(kind, seed)
            compiled = compile_forced(case, target, name, operation)
            result += [ForcedCase(case, model) for model in compiled]
            computed.append(compiled[0].layers[-1].kernel == name)
        assert np.mean(computed) > 0.7, (kind, name, computed)
    return result
