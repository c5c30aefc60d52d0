"""What a graph costs: multiply-accumulates, parameters, weights, the least activation memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from edgemcu.graph.ir import Graph, Op, OpKind

# Same bytes, another shape: input and output share their memory.
ALIASING = frozenset({OpKind.RESHAPE, OpKind.SQUEEZE})


@dataclass(frozen=True)
class LayerFacts:
    """One operator.

    Attributes:
        index: in `Graph.ops`.
        name: of its output tensor, shortened by `layer_name`.
        kind: the operator, by TensorFlow Lite's name.
        output_shape: with the batch of 1.
        macs: multiply-accumulates of one inference; operators without weights have none.
        parameters: elements of weights, biases and constant operands.
        weight_bytes: the same in bytes, as the model stores them.
        live_bytes: activations that must exist while it runs: its operands, and what later
            operators or the caller still need.
    """

    index: int
    name: str
    kind: str
    output_shape: tuple[int, ...]
    macs: int
    parameters: int
    weight_bytes: int
    live_bytes: int

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "output_shape": list(self.output_shape)}


@dataclass(frozen=True)
class GraphFacts:
    """A whole network; a constant that several operators share is counted once.

    Attributes:
        peak_activation_bytes: the most `live_bytes` of any layer. No memory plan that keeps an
            operator's inputs and outputs apart needs less.
    """

    layers: tuple[LayerFacts, ...]
    macs: int
    parameters: int
    weight_bytes: int
    peak_activation_bytes: int


def macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates of one operator, padding counted as if it were data."""
    if op.kind not in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED):
        return 0
    weights = graph.tensors[op.inputs[1]].shape
    taps = weights[1:3] if op.kind is OpKind.DEPTHWISE_CONV_2D else weights[1:]
    return graph.tensors[op.outputs[0]].elements * prod(taps)


def layer_name(tensor: str) -> str:
    """What to call the operator that writes a tensor of this name.

    Converters string together the names of all that they fused, the outermost operator first.
    """
    return tensor.split(";", 1)[0]


def graph_facts(graph: Graph) -> GraphFacts:
    """Facts of every layer and of the whole network."""
    live = _live_bytes(graph)
    layers = []
    for index, op in enumerate(graph.ops):
        output = graph.tensors[op.outputs[0]]
        constants = [graph.tensors[i] for i in _constants(graph, op)]
        layers.append(
            LayerFacts(
                index=index,
                name=layer_name(output.name),
                kind=op.kind.value,
                output_shape=output.shape,
                macs=macs(graph, op),
                parameters=sum(tensor.elements for tensor in constants),
                weight_bytes=sum(tensor.bytes for tensor in constants),
                live_bytes=live[index],
            )
        )
    used = [
        graph.tensors[i] for i in sorted({i for op in graph.ops for i in _constants(graph, op)})
    ]
    return GraphFacts(
        layers=tuple(layers),
        macs=sum(layer.macs for layer in layers),
        parameters=sum(tensor.elements for tensor in used),
        weight_bytes=sum(tensor.bytes for tensor in used),
        peak_activation_bytes=max(live, default=0),
    )


def _constants(graph: Graph, op: Op) -> list[int]:
    return sorted({i for i in op.inputs if graph.tensors[i].data is not None})


def _live_bytes(graph: Graph) -> list[int]:
    """Bytes of activations that exist while each operator runs."""
    root = list(range(len(graph.tensors)))
    for op in graph.ops:
        if op.kind in ALIASING and graph.tensors[op.inputs[0]].data is None:
            root[op.outputs[0]] = root[op.inputs[0]]
    first = {root[i]: 0 for i in graph.inputs}
    last = dict(first)
    for index, op in enumerate(graph.ops):
        for i in (*op.inputs, *op.outputs):
            if graph.tensors[i].data is None:
                first.setdefault(root[i], index)
                last[root[i]] = index
    for i in graph.outputs:
        last[root[i]] = len(graph.ops) - 1
    # Differences at the ends of each lifetime, then a running sum: linear in the layers.
    change = [0] * (len(graph.ops) + 1)
    for i, start in first.items():
        change[start] += graph.tensors[i].bytes
        change[last[i] + 1] -= graph.tensors[i].bytes
    live, total = [], 0
    for difference in change[:-1]:
        total += difference
        live.append(total)
    return live
