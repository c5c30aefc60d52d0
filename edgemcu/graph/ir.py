"""The network as edgemcu sees it after reading: tensors, operators, nothing of TensorFlow's.

Activations are NHWC with a batch of 1. Tensors are referred to by index into `Graph.tensors`.
A Graph that left the reader is checked: every index is in range, every shape is static and
positive, operators are in an order in which they can run, quantization parameters are finite.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from math import prod

import numpy as np
from numpy.typing import NDArray


class OpKind(str, Enum):
    """Operators, by TensorFlow Lite's builtin names."""

    CONV_2D = "CONV_2D"
    DEPTHWISE_CONV_2D = "DEPTHWISE_CONV_2D"
    FULLY_CONNECTED = "FULLY_CONNECTED"
    AVERAGE_POOL_2D = "AVERAGE_POOL_2D"
    MAX_POOL_2D = "MAX_POOL_2D"
    MEAN = "MEAN"
    ADD = "ADD"
    SUB = "SUB"
    MUL = "MUL"
    PAD = "PAD"
    RESHAPE = "RESHAPE"
    SQUEEZE = "SQUEEZE"
    CONCATENATION = "CONCATENATION"
    SOFTMAX = "SOFTMAX"
    LOGISTIC = "LOGISTIC"
    RELU = "RELU"
    RELU6 = "RELU6"
    HARD_SWISH = "HARD_SWISH"
    QUANTIZE = "QUANTIZE"
    DEQUANTIZE = "DEQUANTIZE"


class Padding(str, Enum):
    SAME = "SAME"
    VALID = "VALID"


class Activation(str, Enum):
    """The fused activations that the quantized reference kernels know."""

    NONE = "NONE"
    RELU = "RELU"
    RELU_N1_TO_1 = "RELU_N1_TO_1"
    RELU6 = "RELU6"


class DType(str, Enum):
    INT8 = "int8"
    INT32 = "int32"
    FLOAT32 = "float32"

    @property
    def bytes(self) -> int:
        return 1 if self is DType.INT8 else 4


@dataclass(frozen=True)
class Quantization:
    """real = scale × (q − zero_point), per tensor (one entry) or per channel along `axis`.

    Attributes:
        scales: float32, shape (1,) or (channels,); finite and positive.
        zero_points: int32, same shape.
        axis: the dimension that a per-channel tensor's scales run along.
    """

    scales: NDArray[np.float32]
    zero_points: NDArray[np.int32]
    axis: int = 0

    @property
    def scale(self) -> float:
        return float(self.scales[0])

    @property
    def zero_point(self) -> int:
        return int(self.zero_points[0])

    @property
    def per_channel(self) -> bool:
        return self.scales.size > 1


@dataclass(frozen=True)
class Tensor:
    """An activation (`data` is None) or a constant.

    Attributes:
        name: as the model gives it; not unique, not an identifier.
        shape: static; () is a scalar.
        quantization: None for float32 and for plain int32 (shapes, paddings, axes).
        data: the constant's values in `shape` and `dtype`, read-only.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None = None
    data: NDArray[np.generic] | None = None

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * self.dtype.bytes


@dataclass(frozen=True)
class ConvAttributes:
    """CONV_2D and DEPTHWISE_CONV_2D; weights are OHWI, and 1HWC for depthwise.

    The depth multiplier is not kept: it is the weights' channels over the input's.
    """

    padding: Padding
    stride: tuple[int, int]
    dilation: tuple[int, int]
    activation: Activation


@dataclass(frozen=True)
class PoolAttributes:
    padding: Padding
    stride: tuple[int, int]
    window: tuple[int, int]
    activation: Activation


@dataclass(frozen=True)
class FullyConnectedAttributes:
    activation: Activation
    keep_num_dims: bool = False


@dataclass(frozen=True)
class ElementwiseAttributes:
    """ADD, SUB and MUL, with broadcasting up to four dimensions."""

    activation: Activation


@dataclass(frozen=True)
class ConcatenationAttributes:
    axis: int
    activation: Activation


@dataclass(frozen=True)
class SoftmaxAttributes:
    beta: float


@dataclass(frozen=True)
class MeanAttributes:
    """`axes` are normalized: sorted, unique, non-negative."""

    axes: tuple[int, ...]
    keep_dims: bool


@dataclass(frozen=True)
class PadAttributes:
    """(before, after) per dimension; filled with the input's zero point."""

    paddings: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class NoAttributes:
    """Operators that their tensors describe completely."""


Attributes = (
    ConvAttributes
    | PoolAttributes
    | FullyConnectedAttributes
    | ElementwiseAttributes
    | ConcatenationAttributes
    | SoftmaxAttributes
    | MeanAttributes
    | PadAttributes
    | NoAttributes
)


@dataclass(frozen=True)
class Op:
    """One operator. `inputs` hold the tensors that matter at run time, an absent bias left out:

    CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED: input, weights[, bias]; ADD, SUB, MUL: two;
    CONCATENATION: one or more; everything else: one (paddings, axes and shapes are attributes,
    or lie in the output's shape).
    """

    kind: OpKind
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: Attributes


@dataclass(frozen=True)
class Graph:
    """A network: tensors, operators in execution order, and its inputs and outputs by index."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    description: str = ""
    metadata: dict[str, bytes] = field(default_factory=dict)

    @property
    def input_bytes(self) -> int:
        return sum(self.tensors[i].bytes for i in self.inputs)

    @property
    def output_bytes(self) -> int:
        return sum(self.tensors[i].bytes for i in self.outputs)
