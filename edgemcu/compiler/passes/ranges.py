"""Which values each channel of each activation can take, whatever the input is.

Interval arithmetic over the lowered operations: all of them are monotone in each input, or sums of
such. A channel whose interval is one value is constant, which is what `channels` looks for; padding
counts as one more value that a window may meet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import Ints, overflows, rescale
from edgemcu.compiler.fixed_point import INT8_MAX, INT8_MIN, INT32_MAX, INT32_MIN
from edgemcu.compiler.passes.network import ALIASES, Network, Step, data_inputs
from edgemcu.graph.ir import ConcatenationAttributes, DType, OpKind, Tensor


@dataclass(frozen=True)
class Range:
    """Bounds of each channel (the last axis): int64, (channels,), both ends included."""

    low: Ints
    high: Ints

    @property
    def constant(self) -> Any:
        """bool, (channels,): whether a channel always has one value."""
        return self.low == self.high

    def of(self, channels: int) -> Range:
        """For a tensor of as many channels that holds the same values: repeated, or their hull."""
        if self.low.size == channels:
            return self
        if channels % self.low.size == 0:
            times = channels // self.low.size
            return Range(np.tile(self.low, times), np.tile(self.high, times))
        return Range(np.full(channels, self.low.min()), np.full(channels, self.high.max()))

    def with_value(self, value: int) -> Range:
        return Range(np.minimum(self.low, value), np.maximum(self.high, value))


def channels_of(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def find_ranges(network: Network) -> dict[int, Range]:
    """The ranges of all int8 tensors, constants included, by index."""
    tensors = network.graph.tensors
    ranges: dict[int, Range] = {}
    for index, tensor in enumerate(tensors):
        if tensor.dtype is not DType.INT8:
            continue
        if tensor.data is None:
            ranges[index] = _full(channels_of(tensor))
        else:
            rows = tensor.data.reshape(-1, channels_of(tensor)).astype(np.int64)
            ranges[index] = Range(rows.min(axis=0), rows.max(axis=0))
    for step in network.steps:
        output = step.op.outputs[0]
        sources = [ranges.get(index) for index in data_inputs(step.op)]
        known = [source for source in sources if source is not None]
        if output in ranges and tensors[output].data is None and len(known) == len(sources):
            ranges[output] = _step_range(network, step, known).of(channels_of(tensors[output]))
    return ranges


def accumulator_range(operation: o.Operation, source: Range) -> Range | None:
    """Bounds of each output channel's sum, the bias included; None where it may wrap."""
    if isinstance(operation, o.FullyConnected):
        weights = operation.weights.astype(np.int64)
        source = source.of(weights.shape[1])
        products: tuple[Ints, ...] = (weights * source.low, weights * source.high)
        axes: tuple[int, ...] = (1,)
    elif isinstance(operation, o.DepthwiseConvolution):
        weights = operation.weights.astype(np.int64)
        if operation.window.pads:
            source = source.with_value(operation.input_zero_point)
        ends = (end.repeat(operation.depth_multiplier) for end in (source.low, source.high))
        products, axes = tuple(weights * end for end in ends), (0, 1)
    else:
        assert isinstance(operation, o.Convolution)
        weights = operation.weights.astype(np.int64)
        if operation.window.pads:
            source = source.with_value(operation.input_zero_point)
        group_of = np.arange(operation.output_channels) * operation.groups
        group_of //= operation.output_channels
        shape = (weights.shape[0], 1, 1, weights.shape[3])
        ends = (
            end.reshape(operation.groups, -1)[group_of].reshape(shape)
            for end in (source.low, source.high)
        )
        products, axes = tuple(weights * end for end in ends), (1, 2, 3)
    bias = operation.scales.bias.astype(np.int64)
    least = np.minimum(*products).sum(axis=axes) + bias
    most = np.maximum(*products).sum(axis=axes) + bias
    if least.min() < INT32_MIN or most.max() > INT32_MAX:
        return None
    return Range(least, most)


def _full(channels: int) -> Range:
    return Range(np.full(channels, INT8_MIN), np.full(channels, INT8_MAX))


def _step_range(network: Network, step: Step, sources: list[Range]) -> Range:
    op = step.op
    output = network.graph.tensors[op.outputs[0]]
    if op.kind in ALIASES:
        return sources[0].of(channels_of(output))
    if op.kind is OpKind.CONCATENATION:
        assert isinstance(op.attributes, ConcatenationAttributes)
        if op.attributes.axis % len(output.shape) == len(output.shape) - 1:
            bounds = [(source.low, source.high) for source in sources]
            return Range(*(np.concatenate(ends) for ends in zip(*bounds, strict=True)))
        lows, highs = ([getattr(s, end) for s in sources] for end in ("low", "high"))
        return Range(np.minimum.reduce(lows), np.maximum.reduce(highs))
    (operation,) = network.lower(step)
    function = _RANGES.get(type(operation))
    return _full(channels_of(output)) if function is None else function(operation, sources)


def _weighted(operation: Any, sources: list[Range]) -> Range:
    sums = accumulator_range(operation, sources[0])
    scales = operation.scales
    return _requantized(sums, scales.multiplier, scales.shift, operation.output, len(scales.bias))


def _requantized(
    sums: Range | None, multiplier: Any, shift: Any, output: o.OutputRange, channels: int
) -> Range:
    anything = Range(np.full(channels, output.min), np.full(channels, output.max))
    if sums is None:
        return anything
    ends = sums.low, sums.high
    if any(overflows(end, shift) for end in ends):
        return anything
    values = [rescale(end, multiplier, shift) + output.zero_point for end in ends]
    if any(value.min() < INT32_MIN or value.max() > INT32_MAX for value in values):
        return anything
    low, high = (np.clip(value, output.min, output.max) for value in values)
    return Range(low, high)


def _pool(operation: o.Pool, sources: list[Range]) -> Range:
    output = operation.output
    return Range(
        *(np.clip(end, output.min, output.max) for end in (sources[0].low, sources[0].high))
    )


def _mean(operation: o.Mean, sources: list[Range]) -> Range:
    sizes = [n for n, gone in zip(operation.shape, operation.reduced, strict=True) if gone]
    count = prod(sizes)
    zero = operation.input_zero_point * count
    source = sources[0]
    if operation.reduced[-1]:
        source = Range(source.low.min(keepdims=True), source.high.max(keepdims=True))
    sums = Range(source.low * count - zero, source.high * count - zero)
    return _requantized(sums, *operation.factor, operation.output, sums.low.size)


def _sum(operation: o.Sum, sources: list[Range]) -> Range:
    channels = operation.shape[-1] if operation.shape else 1
    scaled = []
    for side, source in zip((operation.a, operation.b), sources, strict=True):
        source = source.of(channels)
        ends = ((end - side.zero_point) << o.SUM_LEFT_SHIFT for end in (source.low, source.high))
        scaled.append(Range(*(rescale(end, *side.factor) for end in ends)))
    a, b = scaled
    if operation.subtract:
        b = Range(-b.high, -b.low)
    sums = Range(a.low + b.low, a.high + b.high)
    return _requantized(sums, *operation.factor, operation.output, channels)


def _product(operation: o.Product, sources: list[Range]) -> Range:
    channels = operation.shape[-1] if operation.shape else 1
    a, b = (source.of(channels) for source in sources)
    corners = [
        (x - operation.zero_point_a) * (y - operation.zero_point_b)
        for x in (a.low, a.high)
        for y in (b.low, b.high)
    ]
    products = Range(np.minimum.reduce(corners), np.maximum.reduce(corners))
    return _requantized(products, *operation.factor, operation.output, channels)


def _pad(operation: o.Pad, sources: list[Range]) -> Range:
    if operation.paddings and operation.paddings[-1] != (0, 0):
        whole = sources[0].with_value(operation.value)
        return Range(whole.low.min(keepdims=True), whole.high.max(keepdims=True))
    return (
        sources[0]
        if not any(map(any, operation.paddings))
        else sources[0].with_value(operation.value)
    )


def _lookup(operation: o.Lookup, sources: list[Range]) -> Range:
    bounds = zip((sources[0].low + 128).tolist(), (sources[0].high + 129).tolist(), strict=True)
    results = [operation.table[low:high] for low, high in bounds]
    low, high = ([int(end(r)) for r in results] for end in (np.min, np.max))
    return Range(np.array(low), np.array(high))


_RANGES: dict[type[o.Operation], Callable[[Any, list[Range]], Range]] = {
    o.Convolution: _weighted,
    o.DepthwiseConvolution: _weighted,
    o.FullyConnected: _weighted,
    o.Pool: _pool,
    o.Mean: _mean,
    o.Sum: _sum,
    o.Product: _product,
    o.Pad: _pad,
    o.Lookup: _lookup,
}
