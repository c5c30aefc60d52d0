"""Valid random int8 models over every operator, with what a reader must find in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.graph.ir import (
    Activation,
    Attributes,
    ConcatenationAttributes,
    ConvAttributes,
    ElementwiseAttributes,
    FullyConnectedAttributes,
    MeanAttributes,
    NoAttributes,
    OpKind,
    PadAttributes,
    Padding,
    PoolAttributes,
    SoftmaxAttributes,
)
from edgemcu.graph.shapes import output_size
from tests.support.tflite_builder import ModelBuilder

Shape = tuple[int, ...]


@dataclass
class Expected:
    """What an operator must look like after reading."""

    kind: OpKind
    attributes: Attributes
    output_shape: Shape
    constants: list[NDArray[Any]] = field(default_factory=list)


class RandomModel:
    """A chain of operators from one input; `step` appends a random one, or the one asked for."""

    def __init__(self, rng: np.random.Generator, shape: Shape | None = None) -> None:
        self.rng = rng
        self.builder = ModelBuilder()
        self.shape = shape or (1, *(int(n) for n in rng.integers(1, 9, 3)))
        self.scale, self.zero_point = self._quantization()
        self.tensor = self.builder.input(self.shape, self.scale, self.zero_point)
        self.expected: list[Expected] = []

    def step(self, kind: OpKind | None = None) -> None:
        kinds = [k for k in STEPS if len(self.shape) == 4 or k not in NEED_IMAGES]
        kind = kind or kinds[int(self.rng.integers(len(kinds)))]
        STEPS[kind](self)

    def finish(self) -> bytes:
        self.builder.output(self.tensor)
        return self.builder.finish()

    def _quantization(self) -> tuple[float, int]:
        scale = float(np.float32(np.exp(self.rng.uniform(np.log(1e-3), np.log(0.5)))))
        return scale, int(self.rng.integers(-128, 128))

    def _weights(
        self, shape: Shape, axis: int, count: int, absent_bias: tuple[list[int], ...]
    ) -> tuple[list[int], list[Any]]:
        """Weights, and mostly a bias, per channel or per tensor.

        `absent_bias` are the ways in which the operator may be without one.
        """
        per_channel = bool(self.rng.integers(2)) and count > 1
        scales = np.float32(self.rng.uniform(1e-3, 1e-2, count if per_channel else 1))
        weights = self.rng.integers(-127, 128, shape).astype(np.int8)
        operands = [self.builder.constant(weights, scales, axis=axis)]
        constants: list[Any] = [weights]
        if self.rng.integers(4) or not absent_bias:
            bias = self.rng.integers(-5000, 5000, count).astype(np.int32)
            product = np.float32(scales * np.float32(self.scale))
            operands.append(self.builder.constant(bias, product))
            constants.append(bias)
        else:
            operands += absent_bias[int(self.rng.integers(len(absent_bias)))]
        return operands, constants

    def append(
        self,
        kind: OpKind,
        operands: list[int],
        shape: Shape,
        attributes: Attributes,
        *,
        constants: list[NDArray[Any]] | None = None,
        quantization: tuple[float, int] | None = None,
        **options: Any,
    ) -> None:
        self.scale, self.zero_point = quantization or (self.scale, self.zero_point)
        self.tensor = self.builder.op(
            kind.value, operands, shape, self.scale, self.zero_point, **options
        )
        self.shape = shape
        self.expected.append(Expected(kind, attributes, shape, constants or []))

    def output_quantization(self) -> tuple[float, int]:
        """A scale near the input's, so that no multiplier is extreme."""
        factor = float(self.rng.uniform(0.6, 3.0))
        return float(np.float32(self.scale * factor)), int(self.rng.integers(-128, 128))

    def window(self) -> tuple[Padding, tuple[int, int], tuple[int, int]]:
        """(padding, window, stride), such that the window fits."""
        height, width = self.shape[1:3]
        window = (
            int(self.rng.integers(1, min(height, 4) + 1)),
            int(self.rng.integers(1, min(width, 4) + 1)),
        )
        stride = (int(self.rng.integers(1, 4)), int(self.rng.integers(1, 4)))
        return Padding(("SAME", "VALID")[self.rng.integers(2)]), window, stride

    def activation(self) -> Activation:
        return list(Activation)[self.rng.integers(len(Activation))]

    def slid(
        self,
        padding: Padding,
        window: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int] = (1, 1),
    ) -> tuple[int, int]:
        sizes = [
            output_size(n, w, s, d, padding)
            for n, w, s, d in zip(self.shape[1:3], window, stride, dilation, strict=True)
        ]
        return sizes[0], sizes[1]


def _conv(m: RandomModel, depthwise: bool) -> None:
    padding, window, stride = m.window()
    dilation = (1, 1)
    if padding is Padding.SAME and m.rng.integers(2):
        dilation = (int(m.rng.integers(1, 4)), int(m.rng.integers(1, 4)))
    depth = m.shape[3]
    multiplier = int(m.rng.integers(1, 4))
    count = depth * multiplier if depthwise else int(m.rng.integers(1, 9))
    options: dict[str, Any] = {"depth_multiplier": multiplier} if depthwise else {}
    kernel = (1, *window, count) if depthwise else (count, *window, depth)
    # TensorFlow Lite's CONV_2D insists on a bias.
    absent = ([],) if depthwise else ()
    operands, constants = m._weights(kernel, 3 if depthwise else 0, count, absent)
    attributes = ConvAttributes(padding, stride, dilation, m.activation())
    m.append(
        OpKind.DEPTHWISE_CONV_2D if depthwise else OpKind.CONV_2D,
        [m.tensor, *operands],
        (1, *m.slid(padding, window, stride, dilation), count),
        attributes,
        constants=constants,
        quantization=m.output_quantization(),
        padding=padding.value,
        stride=stride,
        dilation=dilation,
        activation=attributes.activation.value,
        **options,
    )


def _fully_connected(m: RandomModel) -> None:
    depth, count = m.shape[-1], int(m.rng.integers(1, 9))
    keep = bool(m.rng.integers(2))
    operands, constants = m._weights((count, depth), 0, count, ([], [-1]))
    leading = m.shape[:-1] if keep else (int(np.prod(m.shape[:-1])),)
    attributes = FullyConnectedAttributes(m.activation(), keep)
    m.append(
        OpKind.FULLY_CONNECTED,
        [m.tensor, *operands],
        (*leading, count),
        attributes,
        constants=constants,
        quantization=m.output_quantization(),
        activation=attributes.activation.value,
        keep_num_dims=keep,
    )


def _pool(m: RandomModel, kind: OpKind) -> None:
    padding, window, stride = m.window()
    attributes = PoolAttributes(padding, stride, window, m.activation())
    m.append(
        kind,
        [m.tensor],
        (1, *m.slid(padding, window, stride), m.shape[3]),
        attributes,
        padding=padding.value,
        window=window,
        stride=stride,
        activation=attributes.activation.value,
    )


def _elementwise(m: RandomModel, kind: OpKind) -> None:
    scale, zero_point = m._quantization()
    scale = float(np.float32(np.clip(scale, m.scale / 50, m.scale * 50)))
    other_shape = tuple(1 if m.rng.integers(3) == 0 else n for n in m.shape)
    other: NDArray[Any] | None = None
    operand = m.tensor
    if m.rng.integers(2):
        other = m.rng.integers(-128, 128, other_shape).astype(np.int8)
        operand = m.builder.constant(other, scale, zero_point)
    operands = [m.tensor, operand] if m.rng.integers(2) else [operand, m.tensor]
    activation = m.activation()
    m.append(
        kind,
        operands,
        m.shape,
        ElementwiseAttributes(activation),
        constants=[] if other is None else [other],
        quantization=m.output_quantization(),
        activation=activation.value,
    )


def _concatenation(m: RandomModel) -> None:
    axis = int(m.rng.integers(len(m.shape)))
    if m.shape[0] == 1 and len(m.shape) == 4:
        axis = int(m.rng.integers(1, 4))
    extra = [int(n) for n in m.rng.integers(1, 4, m.rng.integers(0, 3))]
    operands, constants = [m.tensor], []
    for size in extra:
        shape = (*m.shape[:axis], size, *m.shape[axis + 1 :])
        values = m.rng.integers(-128, 128, shape).astype(np.int8)
        operands.append(m.builder.constant(values, m.scale, m.zero_point))
        constants.append(values)
    total = m.shape[axis] + sum(extra)
    m.append(
        OpKind.CONCATENATION,
        operands,
        (*m.shape[:axis], total, *m.shape[axis + 1 :]),
        ConcatenationAttributes(axis, Activation.NONE),
        constants=constants,
        axis=axis if m.rng.integers(2) else axis - len(m.shape),
    )


def _mean(m: RandomModel) -> None:
    rank = len(m.shape)
    count = int(m.rng.integers(1, rank)) if rank > 1 else 1
    axes = tuple(sorted(int(a) for a in m.rng.choice(rank, count, replace=False)))
    written = [a if m.rng.integers(2) else a - rank for a in m.rng.permutation(axes)]
    keep = bool(m.rng.integers(2)) or rank < 3
    m.append(
        OpKind.MEAN,
        [m.tensor, m.builder.constant(np.array(written, np.int32))],
        tuple(1 if i in axes else n for i, n in enumerate(m.shape) if keep or i not in axes),
        MeanAttributes(axes, keep),
        quantization=m.output_quantization(),
        keep_dims=keep,
    )


def _pad(m: RandomModel) -> None:
    paddings = m.rng.integers(0, 3, (len(m.shape), 2))
    if len(m.shape) == 4:
        paddings[0] = 0
    dtype = np.int32 if m.rng.integers(2) else np.int64
    m.append(
        OpKind.PAD,
        [m.tensor, m.builder.constant(paddings.astype(dtype))],
        tuple(int(n) for n in np.array(m.shape) + paddings.sum(axis=1)),
        PadAttributes(tuple((int(a), int(b)) for a, b in paddings)),
    )


def _reshape(m: RandomModel) -> None:
    elements = int(np.prod(m.shape))
    divisors = [n for n in range(1, elements + 1) if elements % n == 0]
    last = int(m.rng.choice(divisors))
    shape: Shape = (elements // last, last)
    written: list[int] = [-1 if m.rng.integers(2) else shape[0], last]
    if m.rng.integers(2):
        shape, written = (1, *shape[:1], 1, last), [1, written[0], 1, last]
    operands, options = [m.tensor], {}
    if m.rng.integers(2):
        operands.append(m.builder.constant(np.array(written, np.int32)))
    else:
        options["new_shape"] = written
    m.append(OpKind.RESHAPE, operands, shape, NoAttributes(), **options)


def _squeeze(m: RandomModel) -> None:
    ones = [i for i, n in enumerate(m.shape) if n == 1]
    some = [i for i in ones if m.rng.integers(2)]
    gone = some or ones
    options = {"squeeze_dims": [i if m.rng.integers(2) else i - len(m.shape) for i in some]}
    m.append(
        OpKind.SQUEEZE,
        [m.tensor],
        tuple(n for i, n in enumerate(m.shape) if i not in gone),
        NoAttributes(),
        **(options if some else {}),
    )


def _softmax(m: RandomModel) -> None:
    beta = float(np.float32(m.rng.uniform(0.5, 2)))
    m.append(
        OpKind.SOFTMAX,
        [m.tensor],
        m.shape,
        SoftmaxAttributes(beta),
        quantization=(1 / 256, -128),
        beta=beta,
    )


def _unary(m: RandomModel, kind: OpKind, quantization: tuple[float, int] | None = None) -> None:
    m.append(
        kind,
        [m.tensor],
        m.shape,
        NoAttributes(),
        quantization=quantization or m.output_quantization(),
    )


def _guarded_softmax(m: RandomModel) -> None:
    # A scalar has nothing to take a softmax over.
    if m.shape:
        _softmax(m)


STEPS: dict[OpKind, Callable[[RandomModel], None]] = {
    OpKind.CONV_2D: lambda m: _conv(m, depthwise=False),
    OpKind.DEPTHWISE_CONV_2D: lambda m: _conv(m, depthwise=True),
    OpKind.FULLY_CONNECTED: _fully_connected,
    OpKind.AVERAGE_POOL_2D: lambda m: _pool(m, OpKind.AVERAGE_POOL_2D),
    OpKind.MAX_POOL_2D: lambda m: _pool(m, OpKind.MAX_POOL_2D),
    OpKind.MEAN: _mean,
    OpKind.ADD: lambda m: _elementwise(m, OpKind.ADD),
    OpKind.SUB: lambda m: _elementwise(m, OpKind.SUB),
    OpKind.MUL: lambda m: _elementwise(m, OpKind.MUL),
    OpKind.PAD: _pad,
    OpKind.RESHAPE: _reshape,
    OpKind.SQUEEZE: _squeeze,
    OpKind.CONCATENATION: _concatenation,
    OpKind.SOFTMAX: _guarded_softmax,
    OpKind.LOGISTIC: lambda m: _unary(m, OpKind.LOGISTIC, (1 / 256, -128)),
    OpKind.RELU: lambda m: _unary(m, OpKind.RELU),
    OpKind.RELU6: lambda m: _unary(m, OpKind.RELU6),
    OpKind.HARD_SWISH: lambda m: _unary(m, OpKind.HARD_SWISH),
    OpKind.QUANTIZE: lambda m: _unary(m, OpKind.QUANTIZE),
}

NEED_IMAGES = {
    OpKind.CONV_2D,
    OpKind.DEPTHWISE_CONV_2D,
    OpKind.AVERAGE_POOL_2D,
    OpKind.MAX_POOL_2D,
}


def one_operator_model(kind: OpKind, seed: int = 0) -> bytes:
    """A model of one operator; DEQUANTIZE comes with the QUANTIZE before it."""
    rng = np.random.default_rng(seed)
    if kind is OpKind.DEQUANTIZE:
        builder = ModelBuilder()
        x = builder.input((1, 5), dtype=np.float32)
        q = builder.op("QUANTIZE", [x], (1, 5), 0.05, 3)
        builder.output(builder.op("DEQUANTIZE", [q], (1, 5), dtype=np.float32))
        return builder.finish()
    model = RandomModel(rng, (1, 5, 4, 3))
    model.step(kind)
    return model.finish()
