"""Passes that take operators out of the network: into others, or altogether."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgemcu.compiler import operations as o
from edgemcu.compiler.passes.evaluate import evaluate
from edgemcu.compiler.passes.network import ALIASES, CONVOLUTIONS, Network, Step, data_inputs
from edgemcu.compiler.passes.ranges import Range, find_ranges
from edgemcu.graph.ir import Graph, NoAttributes, Op, OpKind, PadAttributes


def drop_unread(network: Network) -> Network:
    """Drops operators whose results nobody reads."""
    wanted = set(network.graph.outputs)
    kept: list[Step] = []
    for step in reversed(network.steps):
        if wanted.intersection(step.op.outputs):
            kept.append(step)
            wanted.update(step.op.inputs)
    return network.with_steps(reversed(kept))


def fold_constants(network: Network) -> Network:
    """Computes what does not depend on the network's input ahead of time."""
    tensors = list(network.graph.tensors)
    steps = []
    for step in network.steps:
        inputs = [tensors[index].data for index in data_inputs(step.op)]
        values = [data for data in inputs if data is not None]
        result = evaluate(network, step, values) if len(values) == len(inputs) else None
        if result is None:
            steps.append(step)
        else:
            index = step.op.outputs[0]
            tensors[index] = replace(tensors[index], data=result)
    return network.with_steps(steps).with_tensors(tensors)


def fold_padding(network: Network) -> Network:
    """Makes each PAD that only convolutions read a part of their own padding.

    Exact because a PAD fills with the zero point of its output, which is the convolution's input:
    both kinds of padding contribute nothing.
    """
    users: dict[int, list[Op]] = {}
    for step in network.steps:
        for tensor in step.op.inputs:
            users.setdefault(tensor, []).append(step.op)
    pads: dict[int, Op] = {}
    for step in network.steps:
        output = step.op.outputs[0]
        if _is_foldable_pad(network.graph, step.op) and all(
            user.kind in CONVOLUTIONS
            and user.inputs.count(output) == 1
            and user.inputs[0] == output
            for user in users.get(output, ())
        ):
            pads[output] = step.op
    steps = [
        _with_padding(step, pads[step.op.inputs[0]])
        if step.op.kind in CONVOLUTIONS and step.op.inputs[0] in pads
        else step
        for step in network.steps
        if step.op.outputs[0] not in pads
    ]
    return network.with_steps(steps)


def _is_foldable_pad(graph: Graph, op: Op) -> bool:
    if not isinstance(op.attributes, PadAttributes) or op.outputs[0] in graph.outputs:
        return False
    paddings = op.attributes.paddings
    around_image = len(paddings) == 4 and paddings[0] == (0, 0) == paddings[3]
    return around_image and _same_quantization(graph, op)


def _same_quantization(graph: Graph, op: Op) -> bool:
    a, b = (graph.tensors[i].quantization for i in (op.inputs[0], op.outputs[0]))
    return a is not None and b is not None and (a.scale, a.zero_point) == (b.scale, b.zero_point)


def _with_padding(step: Step, pad: Op) -> Step:
    assert isinstance(pad.attributes, PadAttributes)
    (_, (top, bottom), (left, right), _) = pad.attributes.paddings
    op = replace(step.op, inputs=(pad.inputs[0], *step.op.inputs[1:]))
    note = f"The padding is that of a PAD before it: {top}, {bottom}, {left}, {right}."
    return replace(step, op=op, padding=(top, bottom, left, right)).noted(note)


def fuse_activations(network: Network) -> Network:
    """Makes activations that only clamp a part of the operator before them.

    Exact where the activation's table is a clamp over all values that the operator can give.
    """
    ranges = find_ranges(network)
    readers = network.readers()
    steps: list[Step] = []
    maker: dict[int, int] = {}
    for step in network.steps:
        source = step.op.inputs[0]
        clamp = _clamp_of(network, step, ranges)
        if clamp is not None and source in maker and readers[source] == 1:
            position = maker[source]
            before = steps[position]
            if before.clamp is not None:
                first, last = (min(max(limit, clamp[0]), clamp[1]) for limit in before.clamp)
                clamp = first, last
            op = replace(before.op, outputs=step.op.outputs)
            note = f"With the {step.op.kind.value} behind it: {clamp[0]} to {clamp[1]}."
            steps[position] = replace(before, op=op, clamp=clamp).noted(note)
            maker[step.op.outputs[0]] = position
            continue
        (operation, *others) = network.lower(step) if step.op.kind not in ALIASES else (None,)
        if isinstance(operation, o.CLAMPING) and not others:
            maker[step.op.outputs[0]] = len(steps)
        steps.append(step)
    return network.with_steps(steps)


def _clamp_of(network: Network, step: Step, ranges: dict[int, Range]) -> tuple[int, int] | None:
    """The bounds of an activation that does nothing but clamp what it can meet."""
    table = _table(network, step)
    if table is None or not _same_quantization(network.graph, step.op):
        return None
    values = _possible(ranges[step.op.inputs[0]])
    results = table[values + 128]
    low, high = int(results[0]), int(results[-1])
    return (low, high) if np.array_equal(results, values.clip(low, high)) else None


def drop_identities(network: Network) -> Network:
    """Drops operators whose output is their input: both become names for the same memory."""
    ranges = find_ranges(network)
    steps = []
    for step in network.steps:
        op = step.op
        if op.kind not in ALIASES and _is_identity(network, step, ranges):
            op = Op(OpKind.RESHAPE, data_inputs(op)[:1], op.outputs, NoAttributes())
            step = Step(op)
        steps.append(step)
    return network.with_steps(steps)


def _is_identity(network: Network, step: Step, ranges: dict[int, Range]) -> bool:
    op = step.op
    source, target = (network.graph.tensors[i] for i in (op.inputs[0], op.outputs[0]))
    if source.elements != target.elements or source.dtype is not target.dtype:
        return False
    if op.kind is OpKind.CONCATENATION:
        return len(op.inputs) == 1
    if isinstance(op.attributes, PadAttributes):
        return True  # as many elements after it as before
    table = _table(network, step)
    if table is not None:
        values = _possible(ranges[op.inputs[0]])
        return np.array_equal(table[values + 128], values)
    if op.kind in (OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D):
        (operation,) = network.lower(step)
        assert isinstance(operation, o.Pool)
        values, output = _possible(ranges[op.inputs[0]]), operation.output
        return operation.window.size == (1, 1) and bool(
            output.min <= values[0] and values[-1] <= output.max
        )
    return False


def _possible(source: Range) -> NDArray[np.int64]:
    """All values from the least to the largest that any channel can have."""
    return np.arange(int(source.low.min()), int(source.high.max()) + 1)


def _table(network: Network, step: Step) -> NDArray[np.int8] | None:
    """The table of an operator that maps each int8 to an int8, None for all others."""
    if len(step.op.inputs) != 1 or step.op.kind in ALIASES:
        return None
    operations = network.lower(step)
    return operations[0].table if isinstance(operations[0], o.Lookup) else None


def join_depthwise(network: Network) -> Network:
    """Marks each convolution that only the depthwise convolution behind it reads.

    A kernel that computes both keeps a few rows of what lies between them, never all of it.
    """
    readers = network.readers()
    following = (*network.steps[1:], None)
    return network.with_steps(
        replace(step, joins=True)
        if after is not None
        and step.op.kind is OpKind.CONV_2D
        and after.op.kind is OpKind.DEPTHWISE_CONV_2D
        and after.op.inputs[0] == step.op.outputs[0]
        and readers[step.op.outputs[0]] == 1
        else step
        for step, after in zip(network.steps, following, strict=True)
    )
