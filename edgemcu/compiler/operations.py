"""What a layer computes, with every constant of the reference kernels worked out.

An operation says nothing about how it is computed: kernels (see `kernels`) take it from here, lay
out its constants as they like, and must give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler.fixed_point import Multiplier


@dataclass(frozen=True)
class OutputRange:
    """An int8 output's zero point and the values that its fused activation leaves."""

    zero_point: int
    min: int = -128
    max: int = 127


@dataclass(frozen=True)
class ChannelScales:
    """Per output channel, int32 (channels,): bias and the factor from accumulator to output.

    The bias has the input's zero point folded in: Σ w × (x − zero_point) + bias is Σ w × x + this,
    modulo 2^32, as long as padding holds the zero point.
    """

    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int8]


@dataclass(frozen=True)
class Window:
    """A window that moves over an NHWC input with a batch of 1; pairs are (vertical, horizontal).

    `padding` is (top, left): how far the first window begins outside of the input.
    """

    input_size: tuple[int, int]
    input_channels: int
    output_size: tuple[int, int]
    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)

    @property
    def taps(self) -> int:
        return prod(self.size)

    @property
    def pads(self) -> bool:
        """Whether any window leaves the input."""
        return any(
            pad > 0 or (count - 1) * stride - pad + (size - 1) * dilation >= length
            for pad, count, stride, size, dilation, length in zip(
                self.padding,
                self.output_size,
                self.stride,
                self.size,
                self.dilation,
                self.input_size,
                strict=True,
            )
        )


@dataclass(frozen=True)
class Operation:
    """Base of all operations; `macs` counts multiplications with weights."""

    @property
    def macs(self) -> int:
        return 0


@dataclass(frozen=True)
class Convolution(Operation):
    """weights: int8, (output channels, height, width, input channels / groups)."""

    window: Window
    weights: NDArray[np.int8]
    scales: ChannelScales
    output: OutputRange
    input_zero_point: int

    @property
    def output_channels(self) -> int:
        return int(self.weights.shape[0])

    @property
    def groups(self) -> int:
        return self.window.input_channels // int(self.weights.shape[3])

    @property
    def macs(self) -> int:
        return prod(self.window.output_size) * int(self.weights.size)


@dataclass(frozen=True)
class DepthwiseConvolution(Operation):
    """weights: int8, (height, width, output channels); output channel c reads input channel
    c // depth_multiplier."""

    window: Window
    weights: NDArray[np.int8]
    scales: ChannelScales
    output: OutputRange
    input_zero_point: int

    @property
    def depth_multiplier(self) -> int:
        return int(self.weights.shape[2]) // self.window.input_channels

    def as_convolution(self) -> Convolution:
        """The same of one input channel, where it is a convolution like any other."""
        return Convolution(
            window=self.window,
            weights=np.moveaxis(self.weights, 2, 0)[..., None],
            scales=self.scales,
            output=self.output,
            input_zero_point=self.input_zero_point,
        )

    @property
    def macs(self) -> int:
        return prod(self.window.output_size) * int(self.weights.size)


@dataclass(frozen=True)
class ConvolutionThenDepthwise(Operation):
    """A convolution whose output nobody reads but the depthwise convolution behind it."""

    convolution: Convolution
    depthwise: DepthwiseConvolution

    @property
    def macs(self) -> int:
        return self.convolution.macs + self.depthwise.macs


@dataclass(frozen=True)
class FullyConnected(Operation):
    """weights: int8, (output channels, input channels), applied to each of `rows` rows."""

    rows: int
    weights: NDArray[np.int8]
    scales: ChannelScales
    output: OutputRange

    @property
    def macs(self) -> int:
        return self.rows * int(self.weights.size)


@dataclass(frozen=True)
class Pool(Operation):
    """Average or maximum over a window; padding does not count."""

    average: bool
    window: Window
    output: OutputRange


@dataclass(frozen=True)
class Mean(Operation):
    """Mean over the axes marked in `reduced`; `factor` has the division folded in."""

    shape: tuple[int, ...]
    reduced: tuple[bool, ...]
    input_zero_point: int
    factor: Multiplier
    output: OutputRange


@dataclass(frozen=True)
class Operand:
    """One side of a sum: its zero point and the factor to the common scale."""

    zero_point: int
    factor: Multiplier


# The reference adds int8 operands with so many bits behind the point.
SUM_LEFT_SHIFT = 20


@dataclass(frozen=True)
class Sum(Operation):
    """a + b, or a − b; shapes broadcast to `shape`."""

    subtract: bool
    shape: tuple[int, ...]
    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    a: Operand
    b: Operand
    factor: Multiplier
    output: OutputRange


@dataclass(frozen=True)
class Product(Operation):
    """a × b; shapes broadcast to `shape`."""

    shape: tuple[int, ...]
    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    zero_point_a: int
    zero_point_b: int
    factor: Multiplier
    output: OutputRange


@dataclass(frozen=True)
class Pad(Operation):
    """A tensor set into a larger one that is filled with `value`; bytes, whatever the type."""

    shape: tuple[int, ...]
    paddings: tuple[tuple[int, int], ...]
    value: int


@dataclass(frozen=True)
class Join(Operation):
    """One input of a concatenation: `blocks` runs of `block` bytes to every `stride` bytes."""

    blocks: int
    block: int
    stride: int
    first: int


@dataclass(frozen=True)
class Lookup(Operation):
    """A function of one int8 value as a table of 256 results."""

    elements: int
    table: NDArray[np.int8]


@dataclass(frozen=True)
class Softmax(Operation):
    """exponentials: int32 Q0.31, exp(−i × scale × beta)."""

    rows: int
    depth: int
    exponentials: NDArray[np.int32]


@dataclass(frozen=True)
class QuantizeFloat(Operation):
    elements: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class DequantizeFloat(Operation):
    elements: int
    scale: float
    zero_point: int


CLAMPING = (Convolution, DepthwiseConvolution, FullyConnected, Pool, Mean, Sum, Product)
"""Operations whose output is clamped to a range, so that an activation behind costs nothing."""
