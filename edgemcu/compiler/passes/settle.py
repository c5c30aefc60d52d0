"""Gives outputs that are constant no weights and an ordinary scale.

A channel that training has left at one value often keeps weights or a scale that mean nothing any
more: of a trillionth, say, because its largest weight is one. Kernels would have to cope with the
factor that follows from it, and channels before it would have to stay for weights that change
nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import rescale
from edgemcu.compiler.passes.network import WEIGHTED, Network, Step
from edgemcu.compiler.passes.ranges import Range, accumulator_range, find_ranges
from edgemcu.graph.ir import DType, OpKind, Tensor

Weighted = o.Convolution | o.DepthwiseConvolution | o.FullyConnected


def settle_channels(network: Network) -> Network:
    """Apply the pass."""
    ranges = find_ranges(network)
    tensors = list(network.graph.tensors)
    steps = [
        _settled(network, step, ranges, tensors)
        if step.op.kind in WEIGHTED and step.op.inputs[0] in ranges
        else step
        for step in network.steps
    ]
    return network.with_steps(steps).with_tensors(tensors)


def _settled(network: Network, step: Step, ranges: dict[int, Range], tensors: list[Tensor]) -> Step:
    op = step.op
    output = ranges[op.outputs[0]]
    (operation,) = network.lower(step)
    assert isinstance(operation, Weighted)
    sums = accumulator_range(operation, ranges[op.inputs[0]])
    if sums is None or not output.constant.any():
        return step
    weights = network.graph.tensors[op.inputs[1]]
    assert weights.data is not None and weights.quantization is not None
    by_channel = np.moveaxis(
        weights.data.copy(), 3 if op.kind is OpKind.DEPTHWISE_CONV_2D else 0, 0
    )
    bias = np.zeros(by_channel.shape[0], np.int32)
    if len(op.inputs) > 2:
        stored = network.graph.tensors[op.inputs[2]].data
        assert stored is not None
        bias[:] = stored
    scales = weights.quantization.scales.copy()
    live = np.flatnonzero(~output.constant)
    for channel in np.flatnonzero(output.constant):
        total, model = int(sums.low[channel]), None
        if live.size and weights.quantization.per_channel:
            model = _sum_like(operation, int(live[0]), int(output.low[channel]))
        if model is not None:
            total, scales[channel] = model, scales[live[0]]
        bias[channel] = total
    by_channel[output.constant] = 0
    data = np.moveaxis(by_channel, 0, 3) if op.kind is OpKind.DEPTHWISE_CONV_2D else by_channel
    quantization = replace(weights.quantization, scales=scales)
    tensors.append(replace(weights, data=data, quantization=quantization))
    tensors.append(Tensor(f"{weights.name}, bias", bias.shape, DType.INT32, None, bias))
    inputs = (op.inputs[0], len(tensors) - 2, len(tensors) - 1)
    return replace(step, op=replace(op, inputs=inputs))


def _sum_like(operation: Weighted, channel: int, value: int) -> int | None:
    """A sum that becomes `value` by the factor of `channel`; None where no sum does."""
    multiplier = int(operation.scales.multiplier[channel])
    shift = int(operation.scales.shift[channel])
    output = operation.output
    if multiplier == 0:
        return None
    middle = round((value - output.zero_point) * 2.0 ** (31 - shift) / multiplier)
    near: NDArray[np.int64] = np.arange(middle - 2, middle + 3)
    if abs(middle) << max(shift, 0) >= 1 << 30:
        return None
    results = np.clip(rescale(near, multiplier, shift) + output.zero_point, output.min, output.max)
    found = near[results == value]
    return int(found[0]) if found.size else None
