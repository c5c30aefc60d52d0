"""Lossless passes over the graph, before anything is lowered.

- operators whose results nobody reads are dropped;
- RESHAPE and SQUEEZE become other names for the same memory;
- a PAD that only convolutions read goes into their own padding.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgemcu.compiler.lowering import NO_PADDING, Paddings
from edgemcu.graph.ir import Graph, Op, OpKind, PadAttributes

IDENTITIES = frozenset({OpKind.RESHAPE, OpKind.SQUEEZE})
CONVOLUTIONS = frozenset({OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D})


@dataclass(frozen=True)
class Step:
    """An operator that computes something.

    Attributes:
        op: as in the graph, but for a convolution behind a folded PAD, which reads the PAD's input.
        padding: what that PAD would have added.
    """

    op: Op
    padding: Paddings = NO_PADDING


@dataclass(frozen=True)
class Schedule:
    """What has to be computed, in order, and which tensors share memory.

    Attributes:
        steps: operators in execution order.
        storage: for each tensor of the graph, the tensor whose memory it is.
    """

    steps: tuple[Step, ...]
    storage: tuple[int, ...]


def schedule(graph: Graph) -> Schedule:
    """Apply all passes."""
    storage = list(range(len(graph.tensors)))
    for op in graph.ops:
        if op.kind in IDENTITIES and graph.tensors[op.outputs[0]].data is None:
            storage[op.outputs[0]] = storage[op.inputs[0]]
    pads = _foldable_pads(graph)
    folded = {id(pad) for pad in pads.values()}
    steps = [
        _fold(op, pads) for op in graph.ops if op.kind not in IDENTITIES and id(op) not in folded
    ]
    return Schedule(_needed(graph, steps, storage), tuple(storage))


def _foldable_pads(graph: Graph) -> dict[int, Op]:
    """PADs that can go into the convolutions behind them, by the identity of those.

    Exact because a PAD fills with the zero point of its output, which is the convolution's input:
    both kinds of padding contribute nothing.
    """
    readers: dict[int, list[Op]] = {}
    for op in graph.ops:
        for tensor in op.inputs:
            readers.setdefault(tensor, []).append(op)
    pads: dict[int, Op] = {}
    for op in graph.ops:
        if op.kind is not OpKind.PAD or op.outputs[0] in graph.outputs:
            continue
        assert isinstance(op.attributes, PadAttributes)
        paddings = op.attributes.paddings
        users = readers.get(op.outputs[0], [])
        if (
            len(paddings) == 4
            and paddings[0] == (0, 0) == paddings[3]
            and _same_quantization(graph, op)
            and users
            and all(
                user.kind in CONVOLUTIONS
                and user.inputs.count(op.outputs[0]) == 1
                and user.inputs[0] == op.outputs[0]
                for user in users
            )
        ):
            pads.update((id(user), op) for user in users)
    return pads


def _same_quantization(graph: Graph, op: Op) -> bool:
    a, b = (graph.tensors[i].quantization for i in (op.inputs[0], op.outputs[0]))
    return a is not None and b is not None and (a.scale, a.zero_point) == (b.scale, b.zero_point)


def _fold(op: Op, pads: dict[int, Op]) -> Step:
    pad = pads.get(id(op))
    if pad is None:
        return Step(op)
    assert isinstance(pad.attributes, PadAttributes)
    (_, (top, bottom), (left, right), _) = pad.attributes.paddings
    inputs = (pad.inputs[0], *op.inputs[1:])
    return Step(Op(op.kind, inputs, op.outputs, op.attributes), (top, bottom, left, right))


def _needed(graph: Graph, steps: list[Step], storage: list[int]) -> tuple[Step, ...]:
    wanted = {storage[tensor] for tensor in graph.outputs}
    kept = []
    for step in reversed(steps):
        if any(storage[tensor] in wanted for tensor in step.op.outputs):
            kept.append(step)
            wanted.update(storage[tensor] for tensor in step.op.inputs)
    return tuple(reversed(kept))
