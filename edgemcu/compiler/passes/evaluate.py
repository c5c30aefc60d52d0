"""Operations on constants, computed on the host as the kernels compute them on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.arithmetic import Ints, rescale, wrap_int32
from edgemcu.compiler.passes.network import ALIASES, Network, Step
from edgemcu.graph.ir import ConcatenationAttributes, DType, OpKind

Data = NDArray[np.generic]


def evaluate(network: Network, step: Step, inputs: list[Data]) -> Data | None:
    """The output of a step whose inputs are all known, or None for operators that are not here.

    Layers with weights, pools, means and softmax never have constant inputs in practice.
    """
    output = network.graph.tensors[step.op.outputs[0]]
    if output.dtype is not DType.INT8:
        return None
    if step.op.kind in ALIASES:
        return inputs[0].reshape(output.shape)
    if step.op.kind is OpKind.CONCATENATION:
        assert isinstance(step.op.attributes, ConcatenationAttributes)
        network.lower(step)  # which refuses what the reference refuses
        return np.concatenate(inputs, axis=step.op.attributes.axis)
    operation = network.lower(step)[0]
    result: Any = None
    if isinstance(operation, o.Lookup):
        result = operation.table[inputs[0].astype(np.int64) + 128]
    elif isinstance(operation, o.Pad):
        result = np.pad(inputs[0], operation.paddings, constant_values=operation.value)
    elif isinstance(operation, o.Sum):
        a, b = (
            rescale((data.astype(np.int64) - side.zero_point) << o.SUM_LEFT_SHIFT, *side.factor)
            for data, side in zip(inputs, (operation.a, operation.b), strict=True)
        )
        result = _output(a - b if operation.subtract else a + b, operation.factor, operation.output)
    elif isinstance(operation, o.Product):
        a, b = (
            data.astype(np.int64) - zero_point
            for data, zero_point in zip(
                inputs, (operation.zero_point_a, operation.zero_point_b), strict=True
            )
        )
        result = _output(a * b, operation.factor, operation.output)
    return None if result is None else result.astype(np.int8).reshape(output.shape)


def _output(values: Ints, factor: tuple[int, int], output: o.OutputRange) -> Ints:
    scaled = wrap_int32(rescale(values, *factor) + output.zero_point)
    return np.clip(scaled, output.min, output.max)
